"""Which sources of an image tell how bright a count is: clean ones, paired with known stars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.reference_catalog import ReferenceCatalog
from include.ccd.world import pair_stars, wcs_from_cards

_NARROWEST_PX: Final = 1.5

Array = npt.NDArray[Any]


def pair_for_photometry(
    cards: Mapping[str, Any],
    pixels: Array,
    flags: Array,
    catalog: ReferenceCatalog,
    *,
    shape: tuple[int, int],
    fwhm_px: float | None,
) -> tuple[Array, Array]:
    """Sources with nothing against them, and the stars that they are.

    Parameters
    ----------
    cards : mapping
        World coordinates, as `include.ccd.world.wcs_cards` gives them.
    pixels : float64 (n, 2)
        Of all sources, x first.
    flags : int (n,)
        Of `include.ccd.source_table.SourceFlag`: a source with any takes no part, but keeps its
        star from others.
    catalog : ReferenceCatalog
    shape : tuple of int
        (ny, nx) of the image.
    fwhm_px : float or None
        Half of it is how far a source may stand from its star; 1.5 px at the least.

    Returns
    -------
    source, star : int (m,)
        Indices into `pixels` and `catalog`.
    """
    limit_px = max(_NARROWEST_PX, 0.5 * (fwhm_px or 0.0))
    wcs = wcs_from_cards(cards)
    source, star = pair_stars(wcs, pixels, catalog, shape=shape, limit_px=limit_px)
    clean = flags[source] == 0
    return source[clean], star[clean]


def magnitudes_of(catalog: ReferenceCatalog, filter: str) -> tuple[Array, Array, Array]:
    """Magnitude, its error and colour of each star; NaN where unknown.

    Raises
    ------
    CatalogError
        There is no such filter.
    """
    mag = catalog.magnitudes(filter)
    unknown = np.full(len(catalog), np.nan)
    return mag, catalog.mag_error.get(filter, unknown), catalog.colour
