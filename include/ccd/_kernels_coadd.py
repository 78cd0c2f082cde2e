"""Compiled stacking of images with variance and mask."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from include.ccd._kernels_align import ALL_BITS, NO_DATA, Planes

_CHUNK_PX: Final = 512
# The bound of what may be clipped is widened by this for rounding.
_SLACK: Final = 1.0 + 1e-6

Array = npt.NDArray[Any]


class Layers(NamedTuple):
    """Rows of all images: value, variance and mask, each (n, ny, nx)."""

    sci: Array
    var: Array
    mask: Array


class Stacking(NamedTuple):
    """How to stack.

    Weight of each image (n,), clipping in sigma, tolerated relative misfit, bits that make a
    value unusable, and room for the values of a pixel (n,).
    """

    weight: Array
    clip_sigma: float
    misfit: float
    unusable: np.uint16
    scratch: Array


class Coadded(NamedTuple):
    """Value, variance, mask, and how many images were used, each (ny, nx)."""

    sci: Array
    var: Array
    mask: Array
    used: Array


class _Sums(NamedTuple):
    """Of the images in a piece of a row (nx,) float64, all masks united (uint16)."""

    value: Array
    spread: Array
    total: Array
    squares: Array
    low: Array
    high: Array
    quiet: Array
    bits: Array


@njit(nogil=True, cache=True)
def scale_rows(rows: Planes, sky: float, factor: float, out: Planes) -> None:
    """Rows of one image on another flux scale; what is not finite is 0 and NO_DATA."""
    shift, scale, scale2 = np.float32(sky), np.float32(factor), np.float32(factor * factor)
    for y in range(out.sci.shape[0]):
        values, variances, bits = rows.sci[y], rows.var[y], rows.mask[y]
        sci, var, mask = out.sci[y], out.var[y], out.mask[y]
        known = True
        for x in range(sci.size):
            sci[x] = (values[x] - shift) * scale
            known &= abs(sci[x]) < np.inf
        for x in range(var.size):
            var[x] = variances[x] * scale2
            known &= abs(var[x]) < np.inf
        for x in range(mask.size):
            mask[x] = bits[x]
        if not known:
            _mark_unknown(sci, var, mask)


@njit(nogil=True, cache=True)
def _mark_unknown(sci: Array, var: Array, mask: Array) -> None:
    for x in range(sci.size):
        if not (abs(sci[x]) < np.inf and abs(var[x]) < np.inf):
            sci[x] = var[x] = 0.0
            mask[x] |= NO_DATA


@njit(nogil=True, cache=True)
def _median(values: Array, count: int) -> float:
    """Median of the first values, which are sorted in place."""
    for k in range(1, count):
        value = values[k]
        j = k - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    return float(0.5 * (values[(count - 1) // 2] + values[count // 2]))


@njit(nogil=True, cache=True)
def _outliers(values: Array, noise: Array, bits: Array, stacking: Stacking) -> int:
    """Drop the outliers among usable values: their bits become all bits. How many are usable."""
    usable = 0
    for k in range(values.size):
        if not bits[k] & stacking.unusable:
            stacking.scratch[usable] = values[k]
            usable += 1
    if usable > 2:
        centre = _median(stacking.scratch, usable)
        allowed = stacking.misfit * abs(centre)
        sigma2 = stacking.clip_sigma * stacking.clip_sigma
        for k in range(values.size):
            off = abs(values[k] - centre) - allowed
            if off > 0.0 and off * off > sigma2 * noise[k]:
                bits[k] = ALL_BITS
    return usable


@njit(nogil=True, cache=True)
def _load(layers: Layers, y: int, x: int, pixel: Planes) -> None:
    for k in range(pixel.sci.size):
        pixel.sci[k] = layers.sci[k, y, x]
        pixel.var[k] = layers.var[k, y, x]
        pixel.mask[k] = layers.mask[k, y, x]


@njit(nogil=True, cache=True)
def _average(layers: Layers, stacking: Stacking, place: tuple[int, int], out: Coadded) -> None:
    """One pixel: the weighted mean of the usable values that are no outliers."""
    y, x = place
    images = layers.sci.shape[0]
    values, noise = np.empty(images), np.empty(images)
    bits = np.empty(images, np.uint16)
    pixel = Planes(values, noise, bits)
    _load(layers, y, x, pixel)
    usable = _outliers(values, noise, bits, stacking)
    refused = stacking.unusable
    for attempt in range(3):
        total = value = spread = 0.0
        count = 0
        marks = np.uint16(0)
        for k in range(images):
            if not bits[k] & refused:
                weight = stacking.weight[k]
                total += weight
                value += weight * values[k]
                spread += weight * weight * noise[k]
                marks |= bits[k]
                count += 1
        if count:
            break
        _load(layers, y, x, pixel)
        refused = stacking.unusable if usable and attempt == 0 else NO_DATA
    total = max(total, 1e-100)
    out.sci[y, x] = value / total
    out.var[y, x] = spread / (total * total)
    out.mask[y, x] = marks if count else NO_DATA
    out.used[y, x] = count if usable else 0


# Each loop below has few arrays: with more the compiler would not see that they are apart.
@njit(nogil=True, cache=True)
def _add_values(values: Array, weight: float, sums: _Sums) -> None:
    for x in range(values.size):
        sums.value[x] += weight * values[x]
    for x in range(values.size):
        sums.total[x] += values[x]
    for x in range(values.size):
        value = np.float64(values[x])
        sums.squares[x] += value * value
    for x in range(values.size):
        value = np.float64(values[x])
        sums.low[x] = value if value < sums.low[x] else sums.low[x]
    for x in range(values.size):
        value = np.float64(values[x])
        sums.high[x] = value if value > sums.high[x] else sums.high[x]


@njit(nogil=True, cache=True)
def _add_noise(variances: Array, bits: Array, weight: float, sums: _Sums) -> None:
    for x in range(variances.size):
        sums.spread[x] += weight * weight * variances[x]
    for x in range(variances.size):
        noise = np.float64(variances[x])
        sums.quiet[x] = noise if noise < sums.quiet[x] else sums.quiet[x]
    for x in range(bits.size):
        sums.bits[x] |= bits[x]


@njit(nogil=True, cache=True)
def _clear(sums: _Sums) -> None:
    sums.value[:] = 0.0
    sums.spread[:] = 0.0
    sums.total[:] = 0.0
    sums.squares[:] = 0.0
    sums.low[:] = np.inf
    sums.high[:] = -np.inf
    sums.quiet[:] = np.inf
    sums.bits[:] = np.uint16(0)


@njit(nogil=True, cache=True)
def _find_plain(sums: _Sums, images: int, stacking: Stacking, plain: Array) -> None:
    """Where all values of a pixel are usable, and none can be an outlier.

    A median is no further from the mean than one standard deviation (Hotelling and Solomons
    1932, Annals of Mathematical Statistics 3, 141): no need to find it.
    """
    part, clip2 = 1.0 / images, stacking.clip_sigma * stacking.clip_sigma
    room, misfit = sums.total, stacking.misfit
    for x in range(plain.size):
        mean = sums.total[x] * part
        deviation = np.sqrt(max(sums.squares[x] * part - mean * mean, 0.0))
        room[x] = max(sums.high[x] - mean, mean - sums.low[x]) + deviation
    for x in range(plain.size):
        off = room[x] * _SLACK - misfit * max(sums.low[x], 0.0)
        plain[x] = (off <= 0.0) | (off * off <= clip2 * sums.quiet[x])
    for x in range(plain.size):
        plain[x] &= sums.bits[x] == 0


@njit(nogil=True, cache=True)
def _put_means(
    sums: _Sums, images: int, total: float, place: tuple[int, int], out: Coadded
) -> None:
    """The weighted means of all values of each pixel of a piece of a row."""
    y, x0 = place
    sci, var, factor = out.sci[y, x0:], out.var[y, x0:], 1.0 / total
    size = min(sums.bits.size, sci.size)
    for x in range(size):
        sci[x] = sums.value[x] * factor
    for x in range(size):
        var[x] = sums.spread[x] * (factor * factor)
    out.mask[y, x0 : x0 + size] = np.uint16(0)
    out.used[y, x0 : x0 + size] = np.uint16(images)


@njit(nogil=True, cache=True)
def coadd_rows(layers: Layers, stacking: Stacking, out: Coadded) -> None:
    """Weighted mean of the usable values of each pixel that are no outliers.

    Where none is usable, or all lie far from their median, of those that exist, with their
    masks.
    """
    images, rows, columns = layers.sci.shape
    room = np.empty((7, _CHUNK_PX))
    united, plain = np.empty(_CHUNK_PX, np.uint16), np.empty(_CHUNK_PX, np.bool_)
    sums = _Sums(room[0], room[1], room[2], room[3], room[4], room[5], room[6], united)
    total = stacking.weight.sum()
    for y in range(rows):
        for x0 in range(0, columns, _CHUNK_PX):
            x1 = min(x0 + _CHUNK_PX, columns)
            _clear(sums)
            for k in range(images):
                weight = stacking.weight[k]
                _add_values(layers.sci[k, y, x0:x1], weight, sums)
                _add_noise(layers.var[k, y, x0:x1], layers.mask[k, y, x0:x1], weight, sums)
            _find_plain(sums, images, stacking, plain)
            _put_means(sums, images, total, (y, x0), out)
            for x in range(x1 - x0):
                if not plain[x]:
                    _average(layers, stacking, (y, x0 + x), out)
