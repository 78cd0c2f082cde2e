"""A stack is placed on the sky and given its zero point: both are written into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.ccd.fits_writer import Card
    from include.ccd.image import Image
    from include.ccd.measuring import Astrometry
    from include.ccd.profile import Profile
    from include.ccd.reference_catalog import ReferenceCatalog
    from include.ccd.source_table import SourceCatalogue

ZERO_POINT = "zero_point_mag"
ZERO_POINT_ERROR = "zero_point_err_mag"
FLUX_EXPTIME = "flux_exptime_s"
NOISE_SCALE = "flux_noise_scale"


def astrometry_of(profile: Profile, binning: str) -> Astrometry:
    """Give how frames of a binning, ``2x2`` say, are placed: the profile's scale is of 1x1."""
    assert profile.astrometry is not None
    columns, _, rows = binning.partition("x")
    binned = math.sqrt(int(columns) * int(rows or columns))
    scale = profile.astrometry.scale_arcsec_per_px * binned
    return replace(profile.astrometry, scale_arcsec_per_px=scale)


def place_on_sky(
    image: Image,
    found: SourceCatalogue,
    *,
    profile: Profile,
    catalog: ReferenceCatalog,
    pointing: tuple[float, float],
    filter: str | None,
    binning: str,
) -> str | None:
    """Write world coordinates into the cards of a stack, and its zero point into the metrics.

    Parameters
    ----------
    image
        Changed.
    found
        Its sources, with magnitudes of electrons per second.
    profile
        With ``astrometry`` and ``catalog``.
    catalog
        The stars.
    pointing
        Where the telescope believed to point, degrees.
    filter, binning
        As the header has them.

    Returns
    -------
    str or None
        What could not be found, and why; None if all was.
    """
    from include.ccd.astrometry import AstrometryError, solve
    from include.ccd.reference_catalog import CatalogError
    from include.ccd.world import wcs_cards

    assert profile.catalog is not None
    name = profile.catalog.filters.get(filter or "", filter)
    table = found.table
    try:
        solution = solve(
            table["x_px"],
            table["y_px"],
            table["flux_psf"],
            catalog,
            shape=(image.sci.shape[0], image.sci.shape[1]),
            ra_deg=pointing[0],
            dec_deg=pointing[1],
            astrometry=astrometry_of(profile, binning),
            filter=name if name in catalog.mag else None,
        )
    except (AstrometryError, CatalogError) as error:
        return f"no world coordinates: {error}"
    image.cards |= wcs_cards(solution.wcs)
    image.metrics["astrometry_rms_arcsec"] = solution.rms_arcsec
    if name is None or name not in catalog.mag:
        return f"no zero point: the catalogue has no filter {name}"
    clean = (table["flags"][solution.source] & _bad_flags()) == 0
    own, stars = table[solution.source[clean]], catalog.pick(solution.star[clean])
    errors = stars.mag_error.get(name, 0.0 * stars.mag[name])
    return _find_zero_point(image, own, (stars.mag[name], errors, stars.colour), profile)


def _bad_flags() -> int:
    from include.ccd.source_table import SourceFlag

    return int(SourceFlag.SATURATED | SourceFlag.EDGE | SourceFlag.UNCOVERED)


def _find_zero_point(
    image: Image, own: Any, known: tuple[Any, Any, Any], profile: Profile
) -> str | None:
    """Compare fluxes with magnitudes, their errors, and colours."""
    from include.ccd.zero_point import ZeroPointError, find_zero_point

    seconds = image.metrics[FLUX_EXPTIME]
    try:
        zero = find_zero_point(
            own["flux_psf"] / seconds,
            own["flux_psf_err"] / seconds,
            *known,
            photometry=profile.photometry,
        )
    except ZeroPointError as error:
        return f"no zero point: {error}"
    image.metrics |= {
        ZERO_POINT: zero.zero_point_mag,
        ZERO_POINT_ERROR: zero.zero_point_error_mag,
        "zero_point_stars": float(zero.stars_used),
    }
    return None


def read_wcs(cards: Mapping[str, Card]) -> Any:
    """Give the world coordinates (`astropy.wcs.WCS`) that a stack holds; None if none."""
    from include.ccd.world import wcs_from_cards

    if "CTYPE1" not in cards:
        return None
    plain = {key: card for key, card in cards.items() if not isinstance(card, tuple)}
    return wcs_from_cards({key: card for key, card in plain.items() if len(key) <= 8})


def magnitude(
    flux_e: float | None, flux_err_e: float | None, metrics: Mapping[str, Any]
) -> tuple[float | None, float | None]:
    """Give the calibrated magnitude of a flux, and its error.

    Parameters
    ----------
    flux_e, flux_err_e
        On the scale of a stack.
    metrics
        Of the stack, or of what was made with it.

    Returns
    -------
    tuple
        None, None where the flux is not above zero or there is no zero point. The error is that
        of the flux and of the zero point together.
    """
    import math

    zero, seconds = metrics.get(ZERO_POINT), metrics.get(FLUX_EXPTIME)
    if not flux_e or not flux_err_e or flux_e <= 0 or zero is None or not seconds:
        return None, None
    own = 2.5 / math.log(10.0) * flux_err_e / flux_e
    error = math.hypot(own, metrics.get(ZERO_POINT_ERROR) or 0.0)
    return zero - 2.5 * math.log10(flux_e / seconds), error
