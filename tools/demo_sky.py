"""What the images of a night show, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import AstrometricSolution, Candidate, PhotometricSolution, SourceList


def seen_in_the_sky(session: Session) -> list[str]:
    """Return a line each for sources, places on the sky, zero points and candidates."""
    return [_sources(session), _places(session), *_zero_points(session), *_candidates(session)]


def _sources(session: Session) -> str:
    count = sa.select(sa.func.count(), sa.func.sum(SourceList.count)).where(SourceList.current)
    images, found = session.execute(count).one()
    return f"Sources   {found or 0} on {images} images"


def _places(session: Session) -> str:
    count = sa.select(sa.func.count(), sa.func.avg(AstrometricSolution.rms_arcsec)).where(
        AstrometricSolution.current, AstrometricSolution.solved
    )
    solved, rms = session.execute(count).one()
    return f"Placed    {solved} images" + (f", rms {rms:.3f} arcsec" if solved else "")


def _zero_points(session: Session) -> Iterator[str]:
    means = (
        sa.select(
            PhotometricSolution.filter,
            sa.func.count(),
            sa.func.avg(PhotometricSolution.zero_point_mag),
            sa.func.avg(PhotometricSolution.limiting_mag),
        )
        .where(PhotometricSolution.current, PhotometricSolution.calibrated)
        .group_by(PhotometricSolution.filter)
        .order_by(PhotometricSolution.filter)
    )
    for band, count, zero, limit in session.execute(means):
        yield f"Zero {band}    {zero:.3f} mag, of {count} images; 5 sigma at {limit:.1f} mag"


def _candidates(session: Session) -> Iterator[str]:
    query = sa.select(Candidate).where(Candidate.current).order_by(Candidate.name)
    for row in session.scalars(query):
        known = f", known as {row.known_as}" if row.known_as else ", new"
        brightness = "" if row.mag is None else f", {row.mag:.1f} mag"
        yield (
            f"Changed   {row.name}: on {row.detections} of {row.searched} images{brightness}{known}"
        )
