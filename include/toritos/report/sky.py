"""Candidates and light curves of nights, read from their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, undefer

from include.toritos.report.facts import Tally
from include.toritos.report.sky_facts import Curve, Found, Point
from include.toritos.report.words import short
from models.product import Product
from models.source import AstrometricSolution, PhotometricSolution
from models.transient import Candidate, Detection, LightCurvePoint

CANDIDATES = 100
WITH_STAMPS = 12
CURVES = 6
# Fewer points are no curve.
POINTS = 5
# Of less than three sigma: the magnitude of such a flux says nothing, and would stretch the axis.
UNSEEN_MAG = 0.36
UNPLACED = 10
MOST_POINTS = 2000


def find_candidates(session: Session, night_ids: Sequence[int]) -> tuple[Found, ...]:
    """Give what is new in the sky of nights, what no catalogue knows first, the surest first."""
    query = (
        select(Candidate)
        .where(Candidate.night_id.in_(night_ids), Candidate.current)
        .order_by(Candidate.known_as.is_not(None), Candidate.score.desc(), Candidate.id)
        .limit(CANDIDATES)
    )
    rows = session.scalars(query).all()
    ids = [row.best_detection_id for row in rows[:WITH_STAMPS]]
    best = select(Detection).where(Detection.id.in_(ids)).options(undefer(Detection.stamps))
    stamps = {row.id: row.stamps for row in session.scalars(best)}
    return tuple(_found(row, stamps.get(row.best_detection_id)) for row in rows)


def find_unplaced(session: Session, night_ids: Sequence[int]) -> tuple[Tally, ...]:
    """Count the images that have no place on the sky, or no zero point, by reason."""
    counts: Counter[str] = Counter()
    for what, model, is_known in (
        ("not placed on the sky", AstrometricSolution, AstrometricSolution.solved),
        ("without zero point", PhotometricSolution, PhotometricSolution.calibrated),
    ):
        query = select(model.reason).where(model.night_id.in_(night_ids), model.current, ~is_known)
        for reason in session.scalars(query):
            # What was tried comes after the colon, and differs from image to image.
            why = short((reason or "").partition(": ")[0], 100)
            counts[f"{what}: {why}" if why else what] += 1
    return tuple(Tally(what, number) for what, number in counts.most_common(UNPLACED))


def _found(row: Candidate, stamps: bytes | None) -> Found:
    return Found(
        name=short(row.name, 60),
        filter=short(row.filter, 20),
        ra_deg=row.ra_deg,
        dec_deg=row.dec_deg,
        mag=row.mag,
        mag_err=row.mag_err,
        score=row.score,
        seen=row.detections,
        searched=row.searched,
        first_at=row.first_seen_at,
        last_at=row.last_seen_at,
        known_as=short(row.known_as, 40),
        stamps=stamps,
    )


def find_curves(session: Session, night_ids: Sequence[int]) -> tuple[Curve, ...]:
    """Give the light curves of interest: of those with enough points, the longest."""
    of_nights = LightCurvePoint.product.has(Product.night_id.in_(night_ids))
    mine = (LightCurvePoint.current.is_(True), of_nights)
    series = (LightCurvePoint.source_name, LightCurvePoint.filter, LightCurvePoint.method)
    longest = (
        select(*series)
        .where(*mine)
        .group_by(*series)
        .having(func.count() >= POINTS)
        .order_by(func.count().desc(), *series)
        .limit(CURVES)
    )
    return tuple(
        curve
        for name, band, method in session.execute(longest)
        for curve in _curve(session, mine, (name, band, method))
    )


def _curve(
    session: Session, mine: tuple[ColumnElement[bool], ...], key: tuple[str, str | None, str]
) -> Iterator[Curve]:
    name, band, method = key
    row = LightCurvePoint
    same = (row.source_name == name, row.method == method, row.filter.is_not_distinct_from(band))
    query = select(row).where(*mine, *same).order_by(row.observed_at, row.id).limit(MOST_POINTS)
    points = session.scalars(query).all()
    in_mag = [
        Point(each.observed_at, each.mag, each.mag_err or 0.0)
        for each in points
        if each.mag is not None and (each.mag_err or 0.0) < UNSEEN_MAG
    ]
    relative = [
        Point(each.observed_at, each.relative_flux, each.relative_flux_err or 0.0)
        for each in points
        if each.relative_flux is not None
    ]
    unit, best = ("mag", in_mag) if len(in_mag) >= len(relative) else ("", relative)
    if len(best) >= POINTS:
        yield Curve(short(name, 60), short(band, 20), unit, tuple(best))
