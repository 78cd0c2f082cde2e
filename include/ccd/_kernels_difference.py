"""Compiled passes of image subtraction: holes, peaks, convolution block by block."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from include.ccd.mask import MaskBit

# Values are finite here: masked pixels were filled before. Sums may then be reordered and fused.
_FAST = {"contract", "reassoc", "nsz"}

NO_DATA: Final = np.uint16(MaskBit.NO_DATA)

Array = npt.NDArray[Any]


@njit(nogil=True, cache=True)
def _smear_line(mask: Array, bits: int, reach: int, out: Array) -> bool:
    """OR every mask into the ± `reach` pixels beside it in its row; whether there was any."""
    nx = mask.size
    united = np.uint16(0)
    for x in range(nx):
        united |= mask[x]
    if not united & bits:
        return False
    out[:] = np.uint16(0)
    for x in range(nx):
        found = mask[x] & bits
        if found:
            for i in range(max(0, x - reach), min(nx, x + reach + 1)):
                out[i] |= found
    return True


@njit(nogil=True, cache=True)
def smear_mask(mask: Array, bits: int, reach: int, out: Array) -> None:
    """OR those of `bits` that a mask (uint16) has into the ± `reach` pixels around it in `out`."""
    ny, nx = mask.shape
    line = np.empty(nx, np.uint16)
    for y in range(ny):
        if _smear_line(mask[y], bits, reach, line):
            for j in range(max(0, y - reach), min(ny, y + reach + 1)):
                target = out[j]
                for x in range(nx):
                    target[x] |= line[x]


@njit(nogil=True, cache=True)
def count_holes(sci: Array, var: Array, mask: Array, kept: int) -> int:
    """How many pixels have no value, no variance, or a mask with none of the bits `kept`.

    A mask with NO_DATA as well as one of `kept` counts, too.
    """
    ny, nx = sci.shape
    holes = 0
    for y in range(ny):
        values, variances, bits = sci[y], var[y], mask[y]
        for x in range(nx):
            # NaN fails every comparison, and infinity the last one.
            known = (variances[x] > 0.0) & (variances[x] < np.inf) & (abs(values[x]) < np.inf)
            sound = (bits[x] == 0) | ((bits[x] & kept != 0) & (bits[x] & NO_DATA == 0))
            holes += 1 - (known & sound)
    return holes


@njit(nogil=True, cache=True)
def find_holes(sci: Array, var: Array, mask: Array, kept: int, out: Array) -> None:
    """Mark the pixels of `count_holes` in `out` (bool); those without a value get NO_DATA."""
    ny, nx = sci.shape
    for y in range(ny):
        for x in range(nx):
            if not (var[y, x] > 0.0 and var[y, x] < np.inf and abs(sci[y, x]) < np.inf):
                mask[y, x] |= NO_DATA
            bits = mask[y, x]
            out[y, x] = bits & NO_DATA or (bits and not bits & kept)


@njit(nogil=True, cache=True)
def fill_holes(sci: Array, holes: Array, reach: int, fallback: float) -> None:
    """Give holes (bool) the mean of the other pixels within ± `reach`, in place.

    With none there, they get `fallback`.
    """
    ny, nx = sci.shape
    for y in range(ny):
        for x in range(nx):
            if not holes[y, x]:
                continue
            total = 0.0
            count = 0
            for j in range(max(0, y - reach), min(ny, y + reach + 1)):
                for i in range(max(0, x - reach), min(nx, x + reach + 1)):
                    if not holes[j, i]:
                        total += sci[j, i]
                        count += 1
            sci[y, x] = total / count if count else fallback


@njit(nogil=True, cache=True)
def _is_peak(sci: Array, y: int, x: int) -> bool:
    value = sci[y, x]
    for j in range(y - 1, y + 2):
        for i in range(x - 1, x + 2):
            if sci[j, i] > value or (sci[j, i] == value and (j, i) < (y, x)):
                return False
    return True


@njit(nogil=True, cache=True)
def _is_clear(mask: Array, y: int, x: int, reach: int) -> bool:
    ny, nx = mask.shape
    for j in range(max(0, y - reach), min(ny, y + reach + 1)):
        for i in range(max(0, x - reach), min(nx, x + reach + 1)):
            if mask[j, i]:
                return False
    return True


@njit(nogil=True, cache=True, fastmath=_FAST | {"nnan"})
def _highest(line: Array) -> float:
    top = line[0]
    for x in range(line.size):
        top = max(top, line[x])
    return float(top)


@njit(nogil=True, cache=True)
def brightest_peaks(sci: Array, mask: Array, cell: int, distances: Any, floors: Array) -> Array:
    """The brightest clean local maximum of each cell, as rows (y, x); −1 where there is none.

    Parameters
    ----------
    sci : float32 (ny, nx)
    mask : uint16 (ny, nx)
    cell : int
        Side of a cell; the last ones take what is left over.
    distances : tuple of int
        How far a maximum is from the border of the image, and from masked pixels.
    floors : float32 (cells in y, cells in x)
        What a maximum must exceed.
    """
    ny, nx = sci.shape
    rows, columns = floors.shape
    margin, clear = distances
    found = np.full((rows * columns, 2), -1, np.int64)
    best = floors.copy()
    for y in range(margin, ny - margin):
        row = min(y // cell, rows - 1)
        for column in range(columns):
            x0 = max(column * cell, margin)
            x1 = min((column + 1) * cell if column < columns - 1 else nx, nx - margin)
            if x0 >= x1 or _highest(sci[y, x0:x1]) <= best[row, column]:
                continue
            for x in range(x0, x1):
                higher = sci[y, x] > best[row, column]
                if higher and _is_peak(sci, y, x) and _is_clear(mask, y, x, clear):
                    best[row, column] = sci[y, x]
                    found[row * columns + column] = y, x
    return found


@njit(nogil=True, cache=True, fastmath=_FAST)
def cut_window(image: Array, level: float, corner: tuple[int, int], out: Array) -> None:
    """A part of an image less a level; beyond the border its outermost pixels go on."""
    ny, nx = image.shape
    y0, x0 = corner
    rows, columns = out.shape
    inside = x0 >= 0 and x0 + columns <= nx
    for j in range(rows):
        y = min(max(y0 + j, 0), ny - 1)
        target = out[j]
        if inside:
            source = image[y, x0 : x0 + columns]
            for i in range(columns):
                target[i] = source[i] - level
        else:
            for i in range(columns):
                target[i] = image[y, min(max(x0 + i, 0), nx - 1)] - level


@njit(nogil=True, cache=True, fastmath=_FAST)
def _add_rows(window: Array, first: int, weights: Array, line: Array) -> None:
    """Add the weighted sum of rows from the first on, four at a time: fewer loads and stores."""
    fours = weights.size // 4 * 4
    for j in range(0, fours, 4):
        a, b, c, d = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        s0, s1 = window[first + j], window[first + j + 1]
        s2, s3 = window[first + j + 2], window[first + j + 3]
        for x in range(line.size):
            line[x] += a * s0[x] + b * s1[x] + c * s2[x] + d * s3[x]
    for j in range(fours, weights.size):
        weight = weights[j]
        source = window[first + j]
        for x in range(line.size):
            line[x] += weight * source[x]


@njit(nogil=True, cache=True, fastmath=_FAST)
def add_shifts(source: Array, weights: Array, step: int, line: Array) -> None:
    """Add the weighted sum of shifts of a row, by `step` pixels each, to a line."""
    fours = weights.size // 4 * 4
    # An index that may be negative would be checked at each pixel, one by one.
    columns = np.uintp(line.size)
    for i in range(0, fours, 4):
        a, b, c, d = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        i0, i1 = np.uintp(i * step), np.uintp((i + 1) * step)
        i2, i3 = np.uintp((i + 2) * step), np.uintp((i + 3) * step)
        for x in range(columns):
            line[x] += (
                a * source[x + i0] + b * source[x + i1] + c * source[x + i2] + d * source[x + i3]
            )
    for i in range(fours, weights.size):
        weight, shift = weights[i], np.uintp(i * step)
        for x in range(columns):
            line[x] += weight * source[x + shift]


@njit(nogil=True, cache=True, fastmath=_FAST)
def convolve_block(
    image: Array,
    factors: tuple[Array, Array],
    level: float,
    block: tuple[int, int, int, int],
    out: Array,
) -> None:
    """Convolve a block of an image, less a level, with a sum of separable kernels.

    Parameters
    ----------
    image : float32 (ny, nx)
        Beyond its border the outermost pixels go on.
    factors : tuple of float32 (r, 2h + 1)
        Along y and along x, of the r terms of the kernel, each in reverse order.
    level : float
    block : tuple of int
        First row and last, first column and last, the last ones exclusive.
    out : float32 (ny, nx)
        Gets the block.
    """
    along_y, along_x = factors
    taps = along_y.shape[1]
    y0, y1, x0, x1 = block
    # All is done in small contiguous arrays: of a part of `out` the compiler knows no stride.
    window = np.empty((y1 - y0 + taps - 1, x1 - x0 + taps - 1), np.float32)
    cut_window(image, level, (y0 - taps // 2, x0 - taps // 2), window)
    line, total = np.empty(window.shape[1], np.float32), np.empty(x1 - x0, np.float32)
    for y in range(y1 - y0):
        total[:] = np.float32(0.0)
        for r in range(along_y.shape[0]):
            line[:] = np.float32(0.0)
            _add_rows(window, y, along_y[r], line)
            add_shifts(line, along_x[r], 1, total)
        out[y0 + y, x0:x1] = total


@njit(nogil=True, cache=True, fastmath=_FAST)
def subtract_polynomial(sci: Array, along_y: Array, along_x: Array) -> None:
    """Subtract a sum of products, along_y[y] · along_x[:, x], in place.

    Parameters
    ----------
    sci : float32 (ny, nx)
    along_y, along_x : float32 (ny, n), (n, nx)
    """
    line = np.empty(sci.shape[1], np.float32)
    for y in range(sci.shape[0]):
        line[:] = np.float32(0.0)
        for n in range(along_x.shape[0]):
            weight, term = along_y[y, n], along_x[n]
            for x in range(line.size):
                line[x] += weight * term[x]
        target = sci[y]
        for x in range(line.size):
            target[x] -= line[x]
