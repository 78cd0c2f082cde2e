"""Sources of a calibrated image: where they are, how bright, how sharp, and how sure that is.

Detection is that of SExtractor (Bertin and Arnouts 1996, A&AS 117, 393) as in sep (Barbary 2016,
JOSS 1, 58), on the image filtered with its own point spread function and weighted by its variance.
The image is worked through in stripes that overlap, so that what is needed beyond the image
itself does not grow with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_detect as kernels
from include.ccd.background import Background, measure_background
from include.ccd.errors import CalibrationError
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.measuring import BackgroundMesh, Sources
from include.ccd.psf import SIGMA_TO_FWHM, Psf, fit_psf
from include.ccd.source_table import SOURCE_DTYPE, SourceCatalogue
from include.ccd.stripe_photometry import Stripe, measure_sources, neighbours_flagged

_WINDOW_PX: Final = 1536
_OVERLAP_PX: Final = 96
_WINDOW_SIGMA: Final = 10.0
_PIXSTACK: Final = 500_000
_SUB_OBJECTS: Final = 8192
# A saturated or replaced pixel still says that something is there.
_HIDING: Final = 0xFFFF & ~(MaskBit.SATURATED | MaskBit.COSMIC | MaskBit.INTERPOLATED)

Floats = npt.NDArray[np.float32]


def find_sources(
    image: Image,
    *,
    exptime_s: float,
    background: Background | None = None,
    settings: Sources | None = None,
) -> SourceCatalogue:
    """Every source above the threshold, measured.

    Parameters
    ----------
    image : Image
        With variance and its sky; only read. Cosmic rays should have been replaced.
    exptime_s : float
        For magnitudes of electrons (or ADU) per second.
    background : Background, optional
        Measured with default settings when not given.
    settings : Sources, optional

    Returns
    -------
    SourceCatalogue
        Empty for an image without usable pixels or sources.

    Raises
    ------
    CalibrationError
        The image has no variance, the exposure time is not positive, or the image is so crowded
        that sources cannot be told apart.

    Notes
    -----
    The light of faint stars and far wings counts as sky: with three stars per 64 px box the level
    comes out 2 % of the noise too high, which an aperture notices (−1 % at 20 sigma) more than the
    profile does (−0.3 %).
    """
    if image.var is None:
        raise CalibrationError("image has no variance: sources cannot be told from noise")
    if not exptime_s > 0:
        raise CalibrationError(f"exptime_s must be positive, not {exptime_s}")
    settings = settings or Sources()
    background = background or measure_background(image, settings=BackgroundMesh())
    psf = _psf(image, background, settings)
    radius_px = settings.aperture_fwhm * psf.fwhm_px
    parts = []
    for stripe, first, last in _stripes(image, background, settings.stripe_rows):
        found = _detect(stripe, psf, settings)
        own = found[(found["y"] + stripe.y0 >= first) & (found["y"] + stripe.y0 < last)]
        parts.append(measure_sources(stripe, own, psf, radius_px=radius_px, exptime_s=exptime_s))
    table = np.concatenate([np.empty(0, SOURCE_DTYPE), *parts])
    table["background"] = background.at(table["y_px"], table["x_px"])
    table = neighbours_flagged(table, 2 * psf.fwhm_px)
    order = np.argsort(-np.nan_to_num(table["flux_psf"], nan=-np.inf), kind="stable")
    level, rms = background.median_level, background.median_rms
    return SourceCatalogue(table[order], psf, radius_px, level, rms)


def _psf(image: Image, background: Background, settings: Sources) -> Psf:
    """The profile of the stars in the middle of the image."""
    ny, nx = image.sci.shape
    y0, x0 = max(0, (ny - _WINDOW_PX) // 2), max(0, (nx - _WINDOW_PX) // 2)
    rows = _stripe(image, background, y0, min(ny, y0 + _WINDOW_PX))
    inside = np.s_[:, x0 : x0 + _WINDOW_PX]
    values, variance, mask = (np.ascontiguousarray(plane[inside]) for plane in rows.planes)
    if not background.median_rms > 0:
        return Psf.of_fwhm(settings.assumed_fwhm_px)
    stars = _extract(values, _WINDOW_SIGMA, err=background.median_rms, mask=mask != 0)
    return fit_psf(
        values,
        variance=variance,
        unusable=mask != 0,
        stars=stars,
        assumed_fwhm_px=settings.assumed_fwhm_px,
    )


def _stripe(image: Image, background: Background, y0: int, y1: int) -> Stripe:
    shape = image.sci.shape
    mask = np.zeros((y1 - y0, shape[1]), np.uint16) if image.mask is None else image.mask[y0:y1]
    variance = image.var[y0:y1] if image.var is not None else image.sci[y0:y1]
    values = background.subtracted(image.sci[y0:y1], y0=y0)
    return Stripe(y0, (shape[0], shape[1]), values, variance, mask)


def _stripes(
    image: Image, background: Background, rows: int
) -> Iterator[tuple[Stripe, float, float]]:
    """Stripes with the rows, overlap apart, of which the sources are theirs."""
    ny = image.sci.shape[0]
    for y0 in range(0, ny, rows):
        y1 = min(y0 + rows, ny)
        first = -np.inf if y0 == 0 else y0 - 0.5
        last = np.inf if y1 == ny else y1 - 0.5
        stripe = _stripe(image, background, max(0, y0 - _OVERLAP_PX), min(ny, y1 + _OVERLAP_PX))
        yield stripe, first, last


def _detect(stripe: Stripe, psf: Psf, settings: Sources) -> npt.NDArray[Any]:
    """Detections of sep in the significance of the stripe."""
    significance = np.empty(stripe.values.shape, np.float32)
    kernels.significance(stripe.planes, int(_HIDING), _taps(psf), significance)
    return _extract(
        significance,
        settings.threshold_sigma,
        minarea=settings.min_area_px,
        filter_kernel=None,
        deblend_nthresh=settings.deblend_levels,
        deblend_cont=settings.deblend_contrast,
        # Cleaning takes every star for the wing of a brighter one some 20 px away.
        clean=False,
    )


def _extract(values: Floats, threshold: float, **options: Any) -> npt.NDArray[Any]:
    """What sep finds; in a stripe that is bright all over, with room for every pixel of it."""
    import sep

    sep.set_sub_object_limit(_SUB_OBJECTS)
    reason = ""
    for room in (_PIXSTACK, 2 * values.size):
        sep.set_extract_pixstack(room)
        try:
            found: npt.NDArray[Any] = sep.extract(values, threshold, **options)
        except Exception as error:  # noqa: BLE001 - sep has no error class of its own
            reason = str(error)
        else:
            return found
    raise CalibrationError(f"sources cannot be told apart: {reason}")


def _taps(psf: Psf) -> npt.NDArray[np.float64]:
    """One dimension of the Gaussian that is as wide as the profile: it is separable."""
    sigma = psf.fwhm_px / SIGMA_TO_FWHM
    radius = max(1, round(2.5 * sigma))
    taps: npt.NDArray[np.float64] = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return taps
