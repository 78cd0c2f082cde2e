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


class _Row(NamedTuple):
    """Where the pixels of an output row lie: window corners and phases (2, nx), areas (nx,)."""

    first: Array
    phase: Array
    area: Array


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
def _masked_sums(
    source: Source, corner: tuple[int, int], wy: Array, wx: Array
) -> tuple[float, float, np.uint16]:
    """Weighted sums of the usable pixels of a window, and the masks of all that have weight."""
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
def _places(mesh: Array, y: int, step: int, out: Array) -> None:
    """Bilinear interpolation of a mesh along an output row."""
    gy = y // step
    v = (y - gy * step) / step
    for x0 in range(0, out.size, step):
        gx = x0 // step
        left = (1.0 - v) * mesh[gy, gx] + v * mesh[gy + 1, gx]
        right = (1.0 - v) * mesh[gy, gx + 1] + v * mesh[gy + 1, gx + 1]
        for x in range(x0, min(x0 + step, out.size)):
            out[x] = left + (x - x0) / step * (right - left)


@njit(nogil=True, cache=True)
def _split(places: Array, first: Array, phase: Array) -> None:
    """Places as the first pixel of the window around them, and the phase within a pixel."""
    for x in range(places.size):
        whole = np.floor(places[x])
        first[x] = int(whole) - 2
        phase[x] = int((places[x] - whole) * PHASES + 0.5)


@njit(nogil=True, cache=True)
def _find_plain(near: Array, first_y: Array, first_x: Array, plain: Array) -> None:
    """Where a window lies within the image, far from masked pixels."""
    ny, nx = near.shape
    for x in range(plain.size):
        y0, x0 = first_y[x], first_x[x]
        inside = 0 <= y0 <= ny - TAPS and 0 <= x0 <= nx - TAPS
        plain[x] = inside and near[y0 + 2, x0 + 2] == 0


@njit(nogil=True, cache=True)
def _run_end(first_y: Array, first_x: Array, plain: Array, x: int) -> tuple[int, int]:
    """The end of a run of plain pixels side by side in one row of the source, and its direction."""
    step = 0
    end = x + 1
    while end < plain.size and plain[end] and first_y[end] == first_y[x]:
        further = first_x[end] - first_x[end - 1]
        if abs(further) != 1 or further == -step:
            break
        step = further
        end += 1
    return end, step or 1


@njit(nogil=True, cache=True)
def _take_weights(table: Array, phase: Array, x: int, step: int, out: Array) -> None:
    """Weights (6, n) of n pixels from x on, in steps."""
    for k in range(out.shape[1]):
        weights = table[phase[x + k * step]]
        for i in range(TAPS):
            out[i, k] = weights[i]


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _run_sums(plane: Array, corner: tuple[int, int], weights: Array, out: Array) -> None:
    """Weighted sums of windows side by side, under weights (12, n) along y and x."""
    y0, x0 = corner
    size = out.size
    out[:] = 0.0
    a, b, c = weights[TAPS], weights[TAPS + 1], weights[TAPS + 2]
    d, e, f = weights[TAPS + 3], weights[TAPS + 4], weights[TAPS + 5]
    for j in range(TAPS):
        along_y, source = weights[j], plane[y0 + j, x0 : x0 + size + TAPS]
        s0, s1, s2, s3 = source, source[1:], source[2:], source[3:]
        s4, s5 = source[4:], source[5:]
        for k in range(size):
            line = a[k] * s0[k] + b[k] * s1[k] + c[k] * s2[k]
            line += d[k] * s3[k] + e[k] * s4[k] + f[k] * s5[k]
            out[k] += along_y[k] * line


@njit(nogil=True, cache=True)
def resample_rows(source: Source, mesh: Mesh, first_row: int, out: Planes) -> None:
    """Rows of an image seen through a transformation of pixels.

    Parameters
    ----------
    source : Source
    mesh : Mesh
    first_row : int
        Output row that the first row of `out` is.
    out : Planes
    """
    columns = out.sci.shape[1]
    at = np.empty((3, columns))
    row = _Row(np.empty((2, columns), np.int64), np.empty((2, columns), np.int64), at[2])
    plain = np.empty(columns, np.bool_)
    room = np.empty((2 * TAPS + 1) * columns)
    for n in range(out.sci.shape[0]):
        for k, plane in enumerate((mesh.y, mesh.x, mesh.area)):
            _places(plane, first_row + n, mesh.step, at[k])
        for k in range(2):
            _split(at[k], row.first[k], row.phase[k])
        _find_plain(source.near, row.first[0], row.first[1], plain)
        x = 0
        while x < columns:
            if plain[x]:
                end, step = _run_end(row.first[0], row.first[1], plain, x)
                _resample_run(source, row, (n, x, end, step), room, out)
            else:
                end = x + 1
                _resample_pixel(source, row, (n, x), out)
            x = end


@njit(nogil=True, cache=True)
def _resample_run(
    source: Source, row: _Row, run: tuple[int, int, int, int], room: Array, out: Planes
) -> None:
    """Pixels side by side in one row of the source: the same arithmetic for all at once."""
    n, x, end, step = run
    size = end - x
    # The run is walked as the source's pixels go: from its end if they go back.
    start = x if step > 0 else end - 1
    corner = row.first[0, start], row.first[1, start]
    weights = room[: 2 * TAPS * size].reshape(2 * TAPS, size)
    sums = room[2 * TAPS * size : (2 * TAPS + 1) * size]
    _take_weights(source.table, row.phase[0], start, step, weights[:TAPS])
    _take_weights(source.table, row.phase[1], start, step, weights[TAPS:])
    _run_sums(source.sci, corner, weights, sums)
    for k in range(size):
        out.sci[n, start + k * step] = sums[k] * row.area[start + k * step]
    flat = weights.reshape(-1)
    for k in range(flat.size):
        flat[k] *= flat[k]
    _run_sums(source.var, corner, weights, sums)
    for k in range(size):
        out.var[n, start + k * step] = sums[k] * row.area[start + k * step] ** 2
    out.mask[n, x:end] = np.uint16(0)


@njit(nogil=True, cache=True)
def _resample_pixel(source: Source, row: _Row, place: tuple[int, int], out: Planes) -> None:
    """A pixel whose window has masked pixels, or lies across the border."""
    n, x = place
    wy, wx = source.table[row.phase[0, x]], source.table[row.phase[1, x]]
    value, spread, bits = _masked_sums(source, (row.first[0, x], row.first[1, x]), wy, wx)
    out.sci[n, x] = value * row.area[x]
    out.var[n, x] = spread * row.area[x] * row.area[x]
    out.mask[n, x] = bits
