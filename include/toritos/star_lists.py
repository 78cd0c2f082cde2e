"""Stars of an image as the alignment takes them: from the rows of its list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.corral.errors import UpstreamMissing
from models.product import Product, ProductInput
from models.source import Measurement, SourceList

if TYPE_CHECKING:
    from include.ccd.align import Alignment

# Role of the image on whose pixels a stack lies; kind and role of what others are compared with.
GRID = "grid"
REFERENCE = "reference"
_MOST_STARS = 2000
_RATIO_STARS = 100
_FEWEST_RATIOS = 3
_PAIR_PX = 1.5


@dataclass(frozen=True, slots=True)
class StarList:
    """Stars that tell where an image lies, the brightest first.

    Attributes
    ----------
    places : float64 (n, 2)
        As (x, y) in pixels.
    flux_e : float64 (n,)
    clean : bool (n,)
        Nothing is wrong with their fluxes.
    shape : tuple of int
        (ny, nx) of the image.
    """

    places: Any
    flux_e: Any
    clean: Any
    shape: tuple[int, int]


def read_stars(session: Session, row: SourceList) -> StarList:
    """Give the stars of a list whose places can be trusted."""
    import numpy as np

    from include.ccd.source_table import SourceFlag

    columns = (Measurement.x_px, Measurement.y_px, Measurement.flux_psf_e, Measurement.flags)
    bad = SourceFlag.SATURATED | SourceFlag.EDGE | SourceFlag.UNCENTRED | SourceFlag.UNCOVERED
    query = (
        select(*columns)
        .where(
            Measurement.source_list_id == row.id,
            Measurement.flux_psf_e > 0,
            Measurement.flags.op("&")(int(bad)) == 0,
        )
        .order_by(Measurement.number)
        .limit(_MOST_STARS)
    )
    table = np.array([tuple(each) for each in session.execute(query)], np.float64).reshape(-1, 4)
    shape = (row.height_px, row.width_px)
    return StarList(table[:, :2], table[:, 2], table[:, 3] == 0, shape)


def grid_stars(session: Session, stack: Product) -> StarList:
    """Give the stars of the image on whose pixels a stack lies.

    Raises
    ------
    UpstreamMissing
        If its sources are being found anew: the stack will be remade, too.
    """
    query = (
        select(SourceList)
        .join(ProductInput, ProductInput.input_product_id == SourceList.product_id)
        .where(ProductInput.product_id == stack.id, ProductInput.role == GRID, SourceList.current)
    )
    row = session.scalars(query).first()
    if row is None:
        raise UpstreamMissing(f"{stack!r}: the sources of its first image are not known any more")
    return read_stars(session, row)


def align(target: StarList, image: StarList) -> Alignment:
    """Find where the pixels of one image lie in another.

    Raises
    ------
    AlignError
        If they have too few stars in common.
    """
    from include.ccd.align import find_alignment

    return find_alignment(target.places, image.places, shape=image.shape)


def flux_scale(target: StarList, image: StarList, alignment: Alignment) -> float | None:
    """Give the factor that brings fluxes of an image to the scale of another; None if unknown."""
    import numpy as np
    from scipy.spatial import KDTree

    nearest = KDTree(image.places).query(
        alignment.transform(target.places), distance_upper_bound=_PAIR_PX
    )
    distance, index = np.asarray(nearest[0]), np.asarray(nearest[1])
    paired = np.flatnonzero(np.isfinite(distance))
    good = paired[target.clean[paired] & image.clean[index[paired]]][:_RATIO_STARS]
    if len(good) < _FEWEST_RATIOS:
        return None
    return float(np.median(target.flux_e[good] / image.flux_e[index[good]]))
