"""Measurements of detected sources within one stripe of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_sources as kernels
from include.ccd.mask import MaskBit
from include.ccd.psf import SIGMA_TO_FWHM, Psf
from include.ccd.source_table import SOURCE_DTYPE, SourceFlag

_PROFILE_FWHM: Final = 2.0
_MAG_PER_RATIO: Final = 2.5 / np.log(10.0)
_HALF: Final = 0.5

_REPLACED: Final = MaskBit.COSMIC | MaskBit.INTERPOLATED
_SHAPELESS: Final = 0xFFFF & ~(_REPLACED | MaskBit.SATURATED)
_UNUSABLE: Final = 0xFFFF & ~MaskBit.INTERPOLATED
_OTHERS: Final = _SHAPELESS

Table = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stripe:
    """Rows of an image without their background.

    Attributes
    ----------
    y0 : int
        The first row.
    shape : tuple of int
        (ny, nx) of the whole image.
    values, variance : float32 (n, nx)
    mask : uint16 (n, nx)
    """

    y0: int
    shape: tuple[int, int]
    values: npt.NDArray[np.float32]
    variance: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint16]

    @property
    def planes(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Values, variance and mask."""
        return self.values, self.variance, self.mask


def measure_sources(
    stripe: Stripe, found: Table, psf: Psf, *, radius_px: float, exptime_s: float
) -> Table:
    """Rows of `SOURCE_DTYPE` for the detections of sep in a stripe.

    Parameters
    ----------
    stripe : Stripe
    found : structured (n,)
        From sep.extract, in the stripe.
    psf : Psf
    radius_px : float
        Of the aperture.
    exptime_s : float

    Returns
    -------
    structured array of `SOURCE_DTYPE` (n,)
        Positions in the image; ``background`` is left to the caller.
    """
    table = np.zeros(len(found), SOURCE_DTYPE)
    if not len(found):
        return table
    x, y, uncentred = _centres(stripe, found, psf)
    profile = kernels.Profile(
        alpha=psf.alpha_px,
        beta=psf.beta,
        radius=_PROFILE_FWHM * psf.fwhm_px,
        core=psf.fwhm_px,
        sigma=psf.fwhm_px / SIGMA_TO_FWHM,
    )
    planes = kernels.Planes(*stripe.planes)
    centres = np.stack([y, x])
    photometry = kernels.new_photometry(len(found))
    kernels.photometry(planes, centres, profile, int(_UNUSABLE), photometry)
    shapes = kernels.new_shapes(len(found))
    kernels.shapes(planes, centres, profile, int(_SHAPELESS), shapes)
    table["x_px"], table["y_px"] = x, y + stripe.y0
    table["flux_psf"], table["flux_psf_err"] = photometry.flux, np.sqrt(photometry.variance)
    _set_aperture(table, stripe, (x, y), radius_px, psf.fraction_within(radius_px))
    _set_magnitudes(table, exptime_s)
    _set_shapes(table, shapes, profile.sigma, _stretch(psf, profile))
    table["area_px"] = found["npix"]
    table["flags"] = _flags(photometry) | np.where(uncentred, SourceFlag.UNCENTRED, 0)
    table["flags"] |= np.where(found["flag"] & 1, SourceFlag.BLENDED, 0)
    table["flags"] |= np.where(_at_edge(table, stripe.shape, radius_px), SourceFlag.EDGE, 0)
    return table


def _centres(stripe: Stripe, found: Table, psf: Psf) -> tuple[Doubles, Doubles, Any]:
    """Windowed centroids, or the positions of detection where they run away."""
    import sep

    sigma = psf.fwhm_px / SIGMA_TO_FWHM
    hidden = (stripe.mask & np.uint16(_SHAPELESS)) != 0
    x0, y0 = found["x"].astype(np.float64), found["y"].astype(np.float64)
    x, y, _ = sep.winpos(stripe.values, x0, y0, sigma, mask=hidden)
    away = ~(np.hypot(x - x0, y - y0) <= psf.fwhm_px)
    return np.where(away, x0, x), np.where(away, y0, y), away


def _set_aperture(
    table: Table, stripe: Stripe, at: tuple[Doubles, Doubles], radius_px: float, fraction: float
) -> None:
    import sep

    hidden = (stripe.mask & np.uint16(_UNUSABLE)) != 0
    flux, error, _ = sep.sum_circle(
        stripe.values, *at, radius_px, var=stripe.variance, mask=hidden, subpix=0
    )
    table["flux_aper"], table["flux_aper_err"] = flux / fraction, error / fraction


def _set_magnitudes(table: Table, exptime_s: float) -> None:
    for kind in ("psf", "aper"):
        flux = table[f"flux_{kind}"].astype(np.float64)
        positive = np.where(flux > 0, flux, np.nan)
        table[f"mag_{kind}"] = -2.5 * np.log10(positive / exptime_s)
        table[f"mag_{kind}_err"] = _MAG_PER_RATIO * table[f"flux_{kind}_err"] / positive


def _set_shapes(table: Table, shapes: kernels.Shapes, sigma_px: float, stretch: float) -> None:
    """Gaussians whose product with the weight has the weighted moments; FWHM times `stretch`."""
    table["peak"] = shapes.peak
    table["x_err_px"] = np.sqrt(shapes.x_variance)
    table["y_err_px"] = np.sqrt(shapes.y_variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        weighted = shapes.xx * shapes.yy - shapes.xy**2
        inverse_xx = shapes.yy / weighted - 1 / sigma_px**2
        inverse_yy = shapes.xx / weighted - 1 / sigma_px**2
        inverse_xy = -shapes.xy / weighted
        determinant = inverse_xx * inverse_yy - inverse_xy**2
        proper = (weighted > 0) & (determinant > 0) & (inverse_xx > 0)
        xx, yy = inverse_yy / determinant, inverse_xx / determinant
        xy = -inverse_xy / determinant
        middle, split = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
        major, minor = np.sqrt(middle + split), np.sqrt(middle - split)
        fwhm = SIGMA_TO_FWHM * np.sqrt(major * minor)
    table["fwhm_px"] = np.where(proper, fwhm * stretch, np.nan)
    table["ellipticity"] = np.where(proper, 1 - minor / major, np.nan)
    table["theta_deg"] = np.where(proper, np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)), np.nan)


def _stretch(psf: Psf, profile: kernels.Profile) -> float:
    """FWHM of the profile over that of the Gaussian that its weighted moments suggest."""
    radius = int(profile.radius)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    squared = x * x + y * y
    weighted = psf.at(squared) * np.exp(-0.5 * squared / profile.sigma**2)
    weighted[squared > profile.radius**2] = 0.0
    moment = float((weighted * x * x).sum() / weighted.sum())
    sigma = (1 / moment - 1 / profile.sigma**2) ** -0.5
    return float(psf.fwhm_px / (SIGMA_TO_FWHM * sigma))


def _flags(photometry: kernels.Photometry) -> npt.NDArray[np.int32]:
    flags = np.zeros(photometry.bits.size, np.int32)
    flags[(photometry.bits & int(MaskBit.SATURATED)) != 0] |= SourceFlag.SATURATED
    flags[(photometry.bits & int(_OTHERS)) != 0] |= SourceFlag.MASKED
    flags[(photometry.core_bits & int(_REPLACED)) != 0] |= SourceFlag.INTERPOLATED
    flags[photometry.covered < _HALF] |= SourceFlag.UNCOVERED
    return flags


def _at_edge(table: Table, shape: tuple[int, int], radius_px: float) -> npt.NDArray[np.bool_]:
    ny, nx = shape
    margin = radius_px - 0.5
    inside = (table["x_px"] >= margin) & (table["x_px"] <= nx - 1 - margin)
    inside &= (table["y_px"] >= margin) & (table["y_px"] <= ny - 1 - margin)
    return np.asarray(~inside)


def neighbours_flagged(table: Table, distance_px: float) -> Table:
    """The table, with BLENDED where another source stands nearer than `distance_px`."""
    from scipy.spatial import cKDTree

    if len(table) > 1:
        places = np.column_stack([table["x_px"], table["y_px"]])
        nearest = np.asarray(cKDTree(places).query(places, k=2)[0])[:, 1]
        table["flags"] |= np.where(nearest < distance_px, SourceFlag.BLENDED, 0)
    return table
