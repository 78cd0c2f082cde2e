"""Flux at given places, whether or not something is seen there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.errors import CcdError
from include.ccd.image import Image
from include.ccd.robust import clipped_std

_LEAST_WEIGHT: Final = 0.5
_GRID_PX: Final = 17
_QUIET_SIGMA: Final = 4.0
_FEWEST_PLACES: Final = 50
_MOST_PLACES: Final = 4000

Array = npt.NDArray[Any]


class ForcedError(CcdError):
    """Flux cannot be measured on this image."""


@dataclass(frozen=True, slots=True)
class ForcedFlux:
    """What was measured at each place, as arrays of equal length.

    Attributes
    ----------
    flux, flux_error : float64 (n,)
        In the unit of the image; NaN where less than half of the profile is usable.
    chi_square : float64 (n,)
        Per pixel, of the profile of that flux against the image.
    usable : float64 (n,)
        Part of the profile (its squared weight) that lies on usable pixels.
    bits : uint16 (n,)
        Masks of all pixels within 2 px.
    """

    flux: Array
    flux_error: Array
    chi_square: Array
    usable: Array
    bits: Array

    @property
    def snr(self) -> Array:
        """Flux over its error."""
        return np.asarray(self.flux / self.flux_error)


def forced_psf(
    image: Image, psf: Array, x_px: Array, y_px: Array, *, noise_scale: float = 1.0
) -> ForcedFlux:
    """Flux of the profile that fits best at each place, in the sense of least squares.

    Parameters
    ----------
    image : Image
        With variance, and without background: a difference, or an image less its sky.
    psf : float64 (side, side)
        Of sum 1 and odd side, centred.
    x_px, y_px : float64 (n,)
        Places, 0-based; not moved.
    noise_scale : float
        By which errors are larger than from the variances of single pixels: see `FluxNoise`.

    Returns
    -------
    ForcedFlux
        flux = Σ p d / v over Σ p² / v with the profile p, values d and variances v of all
        unmasked pixels (Horne 1986, PASP 98, 609); its variance is 1 / Σ p² / v.

    Raises
    ------
    ForcedError
        The image has no variance, or the profile no centre.
    """
    _require(image, psf)
    x, y = (np.atleast_1d(np.asarray(each, np.float64)) for each in (x_px, y_px))
    half = psf.shape[0] // 2
    columns, rows = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    sci, weight, bits = _windows(image, rows, columns, half)
    profiles = shifted_psf(psf, x - columns, y - rows)
    known = (weight > 0) * profiles**2
    usable = known.sum(axis=(1, 2)) / (profiles**2).sum(axis=(1, 2))
    power = (profiles**2 * weight).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        flux = (profiles * sci * weight).sum(axis=(1, 2)) / power
        error = noise_scale / np.sqrt(power)
        residual = (sci - flux[:, None, None] * profiles) ** 2 * weight
        chi_square = residual.sum(axis=(1, 2)) / np.maximum((weight > 0).sum(axis=(1, 2)) - 1, 1)
    blind = usable < _LEAST_WEIGHT
    for column in (flux, error, chi_square):
        column[blind] = np.nan
    middle = slice(half - 2, half + 3)
    near = np.bitwise_or.reduce(bits[:, middle, middle].reshape(len(x), -1), axis=1)
    return ForcedFlux(flux, error, chi_square, usable, near)


@dataclass(frozen=True, slots=True)
class FluxNoise:
    """How well the flux of a star is measured on an image.

    Attributes
    ----------
    scale : float
        How much fluxes at empty places scatter, over their errors from single pixels: above or
        below 1 where neighbouring pixels are correlated, as after a convolution.
    error : float
        One sigma of a faint star, scale included, at a typical place.
    """

    scale: float
    error: float


def flux_noise(image: Image, psf: Array) -> FluxNoise:
    """What a grid of some thousand places tells of the noise; those with a source are clipped.

    Raises
    ------
    ForcedError
        Fewer than 50 places are usable.
    """
    ny, nx = image.sci.shape
    half = psf.shape[0] // 2
    step = max(_GRID_PX, int(np.sqrt(ny * nx / _MOST_PLACES)))
    grid = np.mgrid[half : ny - half : step, half : nx - half : step]
    y, x = grid.reshape(2, -1).astype(np.float64)
    found = forced_psf(image, psf, x, y)
    usable = np.isfinite(found.snr)
    if usable.sum() < _FEWEST_PLACES:
        raise ForcedError(f"{usable.sum()} usable places do not tell the noise; 50 are needed")
    scale = max(clipped_std(found.snr[usable], sigma=_QUIET_SIGMA), 1e-3)
    return FluxNoise(scale, scale * float(np.median(found.flux_error[usable])))


def shifted_psf(psf: Array, dx_px: Array, dy_px: Array) -> Array:
    """The profile moved by fractions of a pixel (n, side, side), by cubic splines."""
    if not (np.any(dx_px) or np.any(dy_px)):
        return np.broadcast_to(psf, (len(dx_px), *psf.shape))
    from scipy.ndimage import map_coordinates, spline_filter

    smooth = spline_filter(psf, order=3)
    y, x = np.mgrid[: psf.shape[0], : psf.shape[1]].astype(np.float64)
    out = np.empty((len(dx_px), *psf.shape))
    for n, (dx, dy) in enumerate(zip(dx_px, dy_px, strict=True)):
        map_coordinates(smooth, (y - dy, x - dx), out[n], order=3, prefilter=False)
    return out


def _require(image: Image, psf: Array) -> None:
    if image.var is None:
        raise ForcedError("an image without variance gives no errors")
    if psf.ndim != 2 or psf.shape[0] != psf.shape[1] or psf.shape[0] % 2 == 0 or len(psf) < 5:
        raise ForcedError(f"a profile is square with an odd side of 5 at least, not {psf.shape}")


def _windows(image: Image, rows: Array, columns: Array, half: int) -> tuple[Array, Array, Array]:
    """Values, weights (0 where unusable) and masks around pixels (n, side, side)."""
    assert image.var is not None
    offsets = np.arange(-half, half + 1)
    y = rows[:, None, None] + offsets[None, :, None]
    x = columns[:, None, None] + offsets[None, None, :]
    ny, nx = image.sci.shape
    inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
    y, x = np.clip(y, 0, ny - 1), np.clip(x, 0, nx - 1)
    sci, var = image.sci[y, x].astype(np.float64), image.var[y, x].astype(np.float64)
    bits = np.zeros(sci.shape, np.uint16) if image.mask is None else image.mask[y, x]
    good = inside & (bits == 0) & (var > 0) & np.isfinite(var) & np.isfinite(sci)
    weight = np.divide(1.0, var, out=np.zeros_like(var), where=good)
    return np.where(good, sci, 0.0), weight, bits
