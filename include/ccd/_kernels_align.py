"""Compiled resampling of images with variance and mask."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

NO_DATA = np.uint16(16)
ALL_BITS = np.uint16(0xFFFF)
TAPS = 6
PHASES = 4096
# A masked pixel of less weight than this leaves no mark on the result.
_SMALL_WEIGHT = 0.01
_LEAST_WEIGHT = 0.3

Array = npt.NDArray[Any]


class Planes(NamedTuple):
    """Values, variances and masks (uint16) of rows (ny, nx)."""

    sci: Array
    var: Array
    mask: Array


class Source(NamedTuple):
    """What is resampled.

    `near` (uint16) is 0 where no pixel within ± 3 is masked; a pixel with one of the bits
    `unusable` has no weight; `table` is `lanczos_table`.
    """

    sci: Array
    var: Array
    mask: Array
    near: Array
    table: Array
    unusable: np.uint16


class Mesh(NamedTuple):
    """Where output pixels lie: places y, x in the source, and pixel areas, every `step` pixels."""

    y: Array
    x: Array
    area: Array
    step: int


def lanczos_table() -> npt.NDArray[np.float64]:
    """Weights (phases + 1, 6) of Lanczos-3, of sum 1 at each phase.

    Notes
    -----
    Duchon 1979, Journal of Applied Meteorology 18, 1016.
    """
    phase = np.arange(PHASES + 1)[:, None] / PHASES
    at = np.arange(-2, 4)[None, :] - phase
    weights = np.sinc(at) * np.sinc(at / 3.0) * (np.abs(at) < 3.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@njit(nogil=True, cache=True)
def _clean_sums(source: Source, y0: int, x0: int, wy: Array, wx: Array) -> tuple[float, float]:
    """Weighted sum of the values of a window, and its variance."""
    value = 0.0
    spread = 0.0
    for j in range(TAPS):
        line = 0.0
        noise = 0.0
        for i in range(TAPS):
            line += wx[i] * source.sci[y0 + j, x0 + i]
            noise += wx[i] * wx[i] * source.var[y0 + j, x0 + i]
        value += wy[j] * line
        spread += wy[j] * wy[j] * noise
    return value, spread


@njit(nogil=True, cache=True)
def _masked_sums(
    source: Source, corner: tuple[int, int], wy: Array, wx: Array
) -> tuple[float, float, np.uint16]:
    """As `_clean_sums` without unusable pixels, and the masks of all that have weight."""
    ny, nx = source.mask.shape
    value = 0.0
    spread = 0.0
    total = 0.0
    bits = np.uint16(0)
    for j in range(TAPS):
        for i in range(TAPS):
            weight = wy[j] * wx[i]
            y, x = corner[0] + j, corner[1] + i
            outside = y < 0 or x < 0 or y >= ny or x >= nx
            here = NO_DATA if outside else source.mask[y, x]
            if abs(weight) >= _SMALL_WEIGHT:
                bits |= here
            if not here & source.unusable:
                value += weight * source.sci[y, x]
                spread += weight * weight * source.var[y, x]
                total += weight
    if total < _LEAST_WEIGHT:
        return 0.0, 0.0, bits | NO_DATA
    return value / total, spread / (total * total), bits & ~NO_DATA if total > 0.5 else bits


@njit(nogil=True, cache=True)
def _between(mesh: Array, y: int, x: int, v: float, u: float) -> float:
    """Bilinear interpolation in a cell of a mesh."""
    low = (1.0 - u) * mesh[y, x] + u * mesh[y, x + 1]
    high = (1.0 - u) * mesh[y + 1, x] + u * mesh[y + 1, x + 1]
    return float((1.0 - v) * low + v * high)


@njit(nogil=True, cache=True)
def resample_rows(source: Source, mesh: Mesh, first: int, out: Planes) -> None:
    """Rows of an image seen through a transformation of pixels.

    Parameters
    ----------
    source : Source
    mesh : Mesh
    first : int
        Output row that the first row of `out` is.
    out : Planes
    """
    ny, nx = source.sci.shape
    rows, columns = out.sci.shape
    for n in range(rows):
        gy = (first + n) // mesh.step
        v = (first + n - gy * mesh.step) / mesh.step
        for x in range(columns):
            gx = x // mesh.step
            u = (x - gx * mesh.step) / mesh.step
            sy = _between(mesh.y, gy, gx, v, u)
            sx = _between(mesh.x, gy, gx, v, u)
            area = _between(mesh.area, gy, gx, v, u)
            iy, ix = int(np.floor(sy)), int(np.floor(sx))
            wy = source.table[int((sy - iy) * PHASES + 0.5)]
            wx = source.table[int((sx - ix) * PHASES + 0.5)]
            bits = np.uint16(0)
            inside = 2 <= iy < ny - 3 and 2 <= ix < nx - 3
            if inside and not source.near[iy, ix]:
                value, spread = _clean_sums(source, iy - 2, ix - 2, wy, wx)
            else:
                value, spread, bits = _masked_sums(source, (iy - 2, ix - 2), wy, wx)
            out.sci[n, x] = value * area
            out.var[n, x] = spread * area * area
            out.mask[n, x] = bits
