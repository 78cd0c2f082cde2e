"""Which images of a field are stacked, how they lie on one another, and the stack itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from include.toritos.star_lists import StarList, align, flux_scale, read_stars
from models.source import SourceList

if TYPE_CHECKING:
    from include.ccd.comparing import Coadding
    from include.ccd.image import Image
    from include.ccd.profile import Profile
    from include.corral.run import Run

_MEMORY_BYTES = 128 * 1024**2
_FEWEST_STARS = 6


def is_good(row: SourceList, profile: Profile) -> bool:
    """Tell whether an image may be stacked: it has stars, and no check keeps it out."""
    if row.count < _FEWEST_STARS or not row.background_rms_e:
        return False
    metrics = row.product.metrics
    stops = (check for check in profile.checks if check.severity == "quarantine")
    return all(
        check.holds(metrics[check.metric])
        for check in stops
        if metrics.get(check.metric) is not None
    )


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a stack.

    Attributes
    ----------
    transform : Affine
        From pixels of the first image of the stack to those of this one.
    scale
        Factor that brings its fluxes to those of the first.
    """

    row: SourceList
    transform: Any
    scale: float


def find_members(rows: Sequence[SourceList], session: Session) -> list[Member]:
    """Give the images that show the same stars, that one first on whose pixels they are stacked.

    It is the first which more than half of them fit; without one, that which most of them fit.
    """
    stars = [read_stars(session, row) for row in rows]
    best: list[Member] = []
    for grid in range(len(rows)):
        members = _aligned_with(grid, rows, stars)
        if len(members) > len(best):
            best = members
        if 2 * len(best) > len(rows):
            break
    return best


def _aligned_with(grid: int, rows: Sequence[SourceList], stars: Sequence[StarList]) -> list[Member]:
    import numpy as np

    from include.ccd.align import AlignError
    from include.ccd.star_match import Affine

    members = [Member(rows[grid], Affine(np.eye(2), np.zeros(2)), 1.0)]
    for n, row in enumerate(rows):
        if n == grid:
            continue
        try:
            alignment = align(stars[grid], stars[n])
        except AlignError:
            continue
        scale = flux_scale(stars[grid], stars[n], alignment)
        if scale is not None:
            members.append(Member(row, alignment.transform, scale))
    return members


def coadd_members(members: Sequence[Member], run: Run, coadding: Coadding) -> Image:
    """Stack images: rows of all files are read together, as many as memory is given for."""
    from include.ccd.aligned_rows import AlignedRows
    from include.ccd.coadd import coadd
    from include.ccd.image_rows import open_rows

    grid = members[0].row
    shape = (grid.height_px, grid.width_px)
    with ExitStack() as files:
        layers = [
            AlignedRows(
                files.enter_context(open_rows(run.path(member.row.product))),
                member.transform,
                shape,
            )
            for member in members
        ]
        return coadd(
            layers,
            coadding=coadding,
            scales=[member.scale for member in members],
            levels=[member.row.background_e or 0.0 for member in members],
            weights=[
                1.0 / (member.scale * (member.row.background_rms_e or 1.0)) ** 2
                for member in members
            ],
            memory_bytes=_MEMORY_BYTES,
        )
