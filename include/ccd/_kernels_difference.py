"""Compiled passes of image subtraction: stamps, basis images, convolution block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

# Values are finite here: masked pixels were filled before. Sums may then be reordered and fused.
_FAST = {"contract", "reassoc", "nsz"}

Array = npt.NDArray[Any]


@njit(nogil=True, cache=True)
def _smear_line(bits: Array, reach: int, out: Array) -> bool:
    """OR every mask into the ± `reach` pixels beside it in its row; whether there was any."""
    nx = bits.size
    found = False
    for x in range(nx):
        if bits[x]:
            if not found:
                out[:] = np.uint16(0)
                found = True
            for i in range(max(0, x - reach), min(nx, x + reach + 1)):
                out[i] |= bits[x]
    return found


@njit(nogil=True, cache=True)
def smear_mask(mask: Array, reach: int, out: Array) -> None:
    """OR every mask (uint16) into the square of ± `reach` pixels around it, in `out`."""
    ny, nx = mask.shape
    line = np.empty(nx, np.uint16)
    for y in range(ny):
        if _smear_line(mask[y], reach, line):
            for j in range(max(0, y - reach), min(ny, y + reach + 1)):
                target = out[j]
                for x in range(nx):
                    target[x] |= line[x]


@njit(nogil=True, cache=True)
def take_level(sci: Array, var: Array, mask: Array, level: float, bits: tuple[int, int]) -> int:
    """Subtract a level and mark what has no value, in place; the number of holes.

    Parameters
    ----------
    sci, var : float32 (ny, nx)
    mask : uint16 (ny, nx)
        Gets the first of `bits` where a value or its variance is none.
    level : float
    bits : tuple of int
        That bit, and those with which a value is good enough to stay.
    """
    ny, nx = sci.shape
    no_data, kept = np.uint16(bits[0]), np.uint16(bits[1])
    holes = 0
    for y in range(ny):
        for x in range(nx):
            # NaN fails every comparison, and infinity the last one.
            if not (var[y, x] > 0.0 and var[y, x] < np.inf and abs(sci[y, x]) < np.inf):
                mask[y, x] |= no_data
            sci[y, x] -= np.float32(level)
            if mask[y, x] & no_data or (mask[y, x] and not mask[y, x] & kept):
                holes += 1
    return holes


@njit(nogil=True, cache=True)
def fill_masked(sci: Array, mask: Array, bits: int, reach: int, fallback: float) -> None:
    """Give pixels with one of `bits` the mean of the others within ± `reach`, in place.

    With none there, they get `fallback`.
    """
    ny, nx = sci.shape
    for y in range(ny):
        for x in range(nx):
            if not mask[y, x] & bits:
                continue
            total = 0.0
            count = 0
            for j in range(max(0, y - reach), min(ny, y + reach + 1)):
                for i in range(max(0, x - reach), min(nx, x + reach + 1)):
                    if not mask[j, i] & bits:
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
def brightest_peaks(sci: Array, unusable: Array, cell: int, margin: int, floors: Array) -> Array:
    """The brightest usable local maximum of each cell, as rows (y, x); −1 where there is none.

    Parameters
    ----------
    sci : float32 (ny, nx)
    unusable : uint16 (ny, nx)
        Not 0 where a maximum does not count.
    cell, margin : int
        Side of a cell; distance kept from the border of the image.
    floors : float32 (cells in y, cells in x)
        What a maximum must exceed.
    """
    ny, nx = sci.shape
    rows, columns = floors.shape
    found = np.full((rows * columns, 2), -1, np.int64)
    best = floors.copy()
    for y in range(margin, ny - margin):
        row = min(y // cell, rows - 1)
        for x in range(margin, nx - margin):
            column = min(x // cell, columns - 1)
            if sci[y, x] <= best[row, column] or unusable[y, x] or not _is_peak(sci, y, x):
                continue
            best[row, column] = sci[y, x]
            found[row * columns + column, 0] = y
            found[row * columns + column, 1] = x
    return found


@njit(nogil=True, cache=True, fastmath=_FAST)
def _along_row(source: Array, weights: Array, line: Array) -> None:
    """Add the convolution of a row to a line that is zero."""
    for k in range(weights.size):
        weight = weights[weights.size - 1 - k]
        for x in range(line.size):
            line[x] += weight * source[x + k]


@njit(nogil=True, cache=True, fastmath=_FAST)
def _along_column(plane: Array, weights: Array, out: Array) -> None:
    """The convolution of columns."""
    for y in range(out.shape[0]):
        line = out[y]
        line[:] = 0.0
        for k in range(weights.size):
            weight = weights[weights.size - 1 - k]
            source = plane[y + k]
            for x in range(line.size):
                line[x] += weight * source[x]


@njit(nogil=True, cache=True, fastmath=_FAST)
def basis_stamp(
    padded: Array, corner: tuple[int, int], filters: Array, pairs: Array, out: Array
) -> None:
    """One stamp convolved with every separable basis function.

    Parameters
    ----------
    padded : float32 (ny + 2h, nx + 2h)
        The image with a border of the half-width h of the filters.
    corner : tuple of int
        (y, x) of the first pixel of the stamp, in the image without border.
    filters : float64 (f, 2h + 1)
        One-dimensional functions.
    pairs : int (b, 2)
        The filters along y and x that make each basis function.
    out : float64 (b, side, side)
    """
    taps = filters.shape[1]
    side = out.shape[1]
    y0, x0 = corner
    lines = np.zeros((filters.shape[0], side + taps - 1, side))
    for f in range(filters.shape[0]):
        for y in range(side + taps - 1):
            _along_row(padded[y0 + y, x0 : x0 + side + taps - 1], filters[f], lines[f, y])
    for b in range(pairs.shape[0]):
        _along_column(lines[pairs[b, 1]], filters[pairs[b, 0]], out[b])


@njit(nogil=True, cache=True, fastmath=_FAST)
def lagged_sums(padded: Array, corner: tuple[int, int], weight: Array, out: Array) -> None:
    """Sum of weight × image under every shift that a kernel applies.

    Parameters
    ----------
    padded : float32 (ny + 2h, nx + 2h)
        The image with a border of the half-width h of the kernel.
    corner : tuple of int
        (y, x) of the first pixel of the stamp, in the image without border.
    weight : float64 (side, side)
        Of the pixels of the stamp.
    out : float64 (2h + 1, 2h + 1)
        By the place in the kernel.
    """
    taps = out.shape[0]
    side = weight.shape[0]
    y0, x0 = corner
    for j in range(taps):
        for i in range(taps):
            total = 0.0
            for y in range(side):
                line = weight[y]
                source = padded[y0 + y + taps - 1 - j, x0 + taps - 1 - i : x0 + taps - 1 - i + side]
                for x in range(side):
                    total += line[x] * source[x]
            out[j, i] = total


@njit(nogil=True, cache=True, fastmath=_FAST)
def weighted_products(rows: Array, weight: Array, out: Array) -> None:
    """Sums over k of rows[i, k] weight[k] rows[j, k], for all i and j (float64).

    Small products one after the other, where a threaded BLAS would mostly wait.
    """
    weighted = np.empty(rows.shape[1])
    for i in range(rows.shape[0]):
        for k in range(weighted.size):
            weighted[k] = rows[i, k] * weight[k]
        for j in range(i, rows.shape[0]):
            other = rows[j]
            total = 0.0
            for k in range(weighted.size):
                total += weighted[k] * other[k]
            out[i, j] = total
            out[j, i] = total


@njit(nogil=True, cache=True, fastmath=_FAST)
def _add_columns(padded: Array, y0: int, x0: int, weights: Array, line: Array) -> None:
    """Add the weighted sum of rows from y0 on, four at a time: fewer loads and stores of a line."""
    fours = weights.size // 4 * 4
    x1 = x0 + line.size
    # Rows are cut one by one: of a cut in two dimensions the compiler knows no stride.
    for j in range(0, fours, 4):
        a, b, c, d = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        s0, s1 = padded[y0 + j, x0:x1], padded[y0 + j + 1, x0:x1]
        s2, s3 = padded[y0 + j + 2, x0:x1], padded[y0 + j + 3, x0:x1]
        for x in range(line.size):
            line[x] += a * s0[x] + b * s1[x] + c * s2[x] + d * s3[x]
    for j in range(fours, weights.size):
        weight = weights[j]
        source = padded[y0 + j, x0:x1]
        for x in range(line.size):
            line[x] += weight * source[x]


@njit(nogil=True, cache=True, fastmath=_FAST)
def _add_row(source: Array, weights: Array, line: Array) -> None:
    """Add the weighted sum of shifts of a row to a line, four at a time."""
    fours = weights.size // 4 * 4
    for i in range(0, fours, 4):
        a, b, c, d = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for x in range(line.size):
            line[x] += (
                a * source[x + i]
                + b * source[x + i + 1]
                + c * source[x + i + 2]
                + d * source[x + i + 3]
            )
    for i in range(fours, weights.size):
        weight = weights[i]
        for x in range(line.size):
            line[x] += weight * source[x + i]


@njit(nogil=True, cache=True, fastmath=_FAST)
def convolve_block(
    padded: Array, along_y: Array, along_x: Array, corner: tuple[int, int], out: Array
) -> None:
    """Convolve a block of an image with a sum of separable kernels.

    Parameters
    ----------
    padded : float32 (ny + 2h, nx + 2h)
        The image with a border of the half-width h of the kernel.
    along_y, along_x : float32 (r, 2h + 1)
        Factors of the r terms of the kernel, each in reverse order.
    corner : tuple of int
        (y, x) of the first pixel of the block, in the image without border.
    out : float32 (rows, columns)
        The block.
    """
    taps = along_y.shape[1]
    rows, columns = out.shape
    y0, x0 = corner
    line = np.empty(columns + taps - 1, np.float32)
    for y in range(rows):
        target = out[y]
        target[:] = np.float32(0.0)
        for r in range(along_y.shape[0]):
            line[:] = np.float32(0.0)
            _add_columns(padded, y0 + y, x0, along_y[r], line)
            _add_row(line, along_x[r], target)


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
