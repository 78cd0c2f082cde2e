"""Compiled measurement of sources with a profile whose shape is known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


class Planes(NamedTuple):
    """Value without sky, variance (float32), mask (uint16), each (ny, nx)."""

    value: Array
    variance: Array
    mask: Array


class Profile(NamedTuple):
    """A Moffat profile of unit volume, where it is cut off, and the Gaussian that goes with it."""

    alpha: float
    beta: float
    radius: float
    core: float
    sigma: float


class Photometry(NamedTuple):
    """Of each source (n,): see `photometry`."""

    flux: Array
    variance: Array
    covered: Array
    bits: Array
    core_bits: Array


class Shapes(NamedTuple):
    """Of each source (n,): see `shapes`."""

    peak: Array
    xx: Array
    yy: Array
    xy: Array
    x_variance: Array
    y_variance: Array


def new_photometry(size: int) -> Photometry:
    """Room for so many sources."""
    masks = np.zeros(size, np.uint16), np.zeros(size, np.uint16)
    return Photometry(np.empty(size), np.empty(size), np.empty(size), *masks)


def new_shapes(size: int) -> Shapes:
    """Room for so many sources."""
    return Shapes(*(np.empty(size) for _ in range(6)))


@njit(nogil=True, cache=True)
def _span(centre: float, radius: float, size: int) -> tuple[int, int]:
    """The pixels of a row of `size` that lie within `radius` of a position on it."""
    return max(0, int(np.ceil(centre - radius))), min(size, int(np.floor(centre + radius)) + 1)


@njit(nogil=True, cache=True)
def _photometry_of(
    planes: Planes, at: tuple[float, float], profile: Profile, unusable: int
) -> tuple[float, float, float, int, int]:
    y, x = at
    peak = (profile.beta - 1.0) / (np.pi * profile.alpha**2)
    light = weight = noise = everything = 0.0
    bits = core_bits = 0
    for j in range(*_span(y, profile.radius, planes.value.shape[0])):
        for i in range(*_span(x, profile.radius, planes.value.shape[1])):
            squared = (j - y) ** 2 + (i - x) ** 2
            if squared > profile.radius**2:
                continue
            mask = int(planes.mask[j, i])
            bits |= mask
            core_bits |= mask if squared <= profile.core**2 else 0
            p = peak * (1.0 + squared / profile.alpha**2) ** -profile.beta
            everything += p * p
            if not (mask & unusable):
                light += p * planes.value[j, i]
                weight += p * p
                noise += p * p * planes.variance[j, i]
    if weight == 0.0:
        return np.nan, np.nan, 0.0, bits, core_bits
    return light / weight, noise / weight**2, weight / everything, bits, core_bits


@njit(nogil=True, cache=True)
def photometry(
    planes: Planes, centres: Array, profile: Profile, unusable: int, out: Photometry
) -> None:
    """Brightness of sources at known centres, y and x float64 (2, n), 0-based in the planes.

    Notes
    -----
    With profile P, values d and variances V of the pixels within `radius` that have no bit of
    `unusable`::

        flux     = Σ P d / Σ P²
        variance = Σ P² V / (Σ P²)²
        covered  = Σ P² / (Σ P² of all pixels)

    `bits` are those of the mask within `radius`, `core_bits` within `core`. The weights do not
    depend on the values: the flux is linear in the image, its bias the same for faint and bright.
    """
    for n in range(centres.shape[1]):
        found = _photometry_of(planes, (centres[0, n], centres[1, n]), profile, unusable)
        out.flux[n], out.variance[n], out.covered[n] = found[0], found[1], found[2]
        out.bits[n], out.core_bits[n] = found[3], found[4]


@njit(nogil=True, cache=True)
def _moments_of(
    planes: Planes, at: tuple[float, float], profile: Profile, unusable: int
) -> tuple[float, float, Array]:
    y, x = at
    peak = -np.inf
    light = 0.0
    sums = np.zeros(5)
    for j in range(*_span(y, profile.radius, planes.value.shape[0])):
        for i in range(*_span(x, profile.radius, planes.value.shape[1])):
            dy, dx = j - y, i - x
            squared = dx * dx + dy * dy
            if squared > profile.radius**2 or planes.mask[j, i] & unusable:
                continue
            value, variance = float(planes.value[j, i]), float(planes.variance[j, i])
            gauss = np.exp(-0.5 * squared / profile.sigma**2)
            weighted = gauss * value
            light += weighted
            sums[0] += weighted * dx * dx
            sums[1] += weighted * dy * dy
            sums[2] += weighted * dx * dy
            sums[3] += gauss**2 * dx * dx * variance
            sums[4] += gauss**2 * dy * dy * variance
            peak = max(peak, value)
    return peak, light, sums


@njit(nogil=True, cache=True)
def shapes(planes: Planes, centres: Array, profile: Profile, unusable: int, out: Shapes) -> None:
    """Peaks and Gaussian-weighted moments of sources at known centres, y and x float64 (2, n).

    Notes
    -----
    With the Gaussian w of `sigma` and offsets x, y from the centre, over the same pixels::

        xx = Σ w d x² / Σ w d              yy and xy alike
        x_variance = Σ w² x² V / (Σ w d (1 − xx / σ²))²; y_variance alike

    The latter is that of the centre x at which Σ w d x = 0 by its derivative there; for a Gaussian
    source as wide as w the bracket is 1/2, which is the error of SExtractor's windowed centroid.

    NaN where Σ w d is not positive.
    """
    for n in range(centres.shape[1]):
        peak, light, sums = _moments_of(planes, (centres[0, n], centres[1, n]), profile, unusable)
        positive = light if light > 0.0 else np.nan
        out.peak[n] = peak
        out.xx[n] = sums[0] / positive
        out.yy[n] = sums[1] / positive
        out.xy[n] = sums[2] / positive
        slope_x = positive - sums[0] / profile.sigma**2
        slope_y = positive - sums[1] / profile.sigma**2
        out.x_variance[n] = sums[3] / slope_x**2 if slope_x > 0.0 else np.nan
        out.y_variance[n] = sums[4] / slope_y**2 if slope_y > 0.0 else np.nan
