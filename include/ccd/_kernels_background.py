"""Compiled statistics of the boxes of a mesh, and evaluation of the spline through them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_BINS = 1024
# |mean − median| above this fraction of the deviation: the box is crowded, the mode is a guess.
_CROWDED = 0.3
# Clipping has settled when no more than this fraction of the values changes sides.
_SETTLED = 1e-3

Array = npt.NDArray[Any]


@njit(nogil=True, cache=True)
def _gather(value: Array, mask: Array, room: Array) -> int:
    """Copy the unmasked finite values of a box into `room`; how many they are."""
    count = 0
    limit = np.float32(np.inf)
    for y in range(value.shape[0]):
        for x in range(value.shape[1]):
            room[count] = value[y, x]
            count += (mask[y, x] == 0) & (abs(value[y, x]) < limit)
    return count


# The order of a sum is the compiler's choice here, so that it can add many values at a time; the
# count is a float32 for the same reason, and exact in any box.
@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract"})
def _moments(values: Array, low: float, high: float) -> tuple[float, float, float]:
    """Number, sum and sum of squares, about the middle, of the values within the bounds."""
    zero, one = np.float32(0.0), np.float32(1.0)
    count = total = squares = zero
    lower, upper = np.float32(low), np.float32(high)
    centre = np.float32(0.5) * (lower + upper)
    for n in range(values.size):
        weight = one if (values[n] >= lower) & (values[n] <= upper) else zero
        offset = (values[n] - centre) * weight
        count += weight
        total += offset
        squares += offset * offset
    return float(count), float(total), float(squares)


@njit(nogil=True, cache=True)
def _median(values: Array, low: float, high: float, bins: Array) -> float:
    """Median of the values within the bounds, interpolated in a histogram between them."""
    bins[:] = 0
    count = 0
    lower, upper = np.float32(low), np.float32(high)
    scale = np.float32((_BINS - 1e-3) / (high - low))
    for value in values:
        if lower <= value <= upper:
            bins[int((value - lower) * scale)] += 1
            count += 1
    below = 0
    for n in range(_BINS):
        if 2 * (below + bins[n]) >= count:
            part = (0.5 * count - below) / bins[n] if bins[n] else 0.0
            return float(low + (n + part) / scale)
        below += bins[n]
    return high


@njit(nogil=True, cache=True)
def _mode(values: Array, sigma: float, max_iters: int, bins: Array) -> tuple[float, float]:
    """Mode and standard deviation of values clipped about their median until hardly any leaves."""
    low, high = float(values.min()), float(values.max())
    before = 0.0
    mean = median = low
    deviation = 0.0
    for _ in range(max_iters):
        count, total, squares = _moments(values, low, high)
        if count == 0.0 or high <= low or abs(before - count) <= _SETTLED * count:
            break
        before = count
        offset = total / count
        mean = 0.5 * (low + high) + offset
        deviation = np.sqrt(max(squares / count - offset * offset, 0.0))
        median = _median(values, low, high, bins)
        low, high = median - sigma * deviation, median + sigma * deviation
    if abs(mean - median) < _CROWDED * deviation:
        return 2.5 * median - 1.5 * mean, deviation
    return median, deviation


@njit(nogil=True, cache=True)
def measure_boxes(
    planes: tuple[Array, Array],
    edges: tuple[Array, Array],
    clipping: tuple[float, int],
    needed: float,
    outputs: tuple[Array, Array],
) -> None:
    """Level and deviation of every box of a mesh.

    Parameters
    ----------
    planes : tuple
        Values float32 and mask uint16, each (ny, nx).
    edges : tuple
        Bounds of the boxes along y and x, int64 (boxes + 1,).
    clipping : tuple
        Bound in deviations, and how many rounds at most.
    needed : float
        Fraction of a box that must be unmasked.
    outputs : tuple
        Level and deviation (boxes in y, boxes in x); NaN where less of the box is.
    """
    value, mask = planes
    rows, columns = edges
    level, deviation = outputs
    size = (rows[1:] - rows[:-1]).max() * (columns[1:] - columns[:-1]).max()
    room = np.empty(size + 1, np.float32)
    bins = np.empty(_BINS, np.int32)
    for j in range(rows.size - 1):
        for i in range(columns.size - 1):
            y0, y1, x0, x1 = rows[j], rows[j + 1], columns[i], columns[i + 1]
            count = _gather(value[y0:y1, x0:x1], mask[y0:y1, x0:x1], room)
            level[j, i] = deviation[j, i] = np.nan
            if count > 0 and count >= needed * (y1 - y0) * (x1 - x0):
                found = _mode(room[:count], clipping[0], clipping[1], bins)
                level[j, i], deviation[j, i] = found


@njit(nogil=True, cache=True)
def subtract_spline(values: Array, coefficients: Array, knots: Array, out: Array) -> None:
    """``out = values − spline``, row by row.

    Parameters
    ----------
    values : float32 (n, nx)
    coefficients : float32 (n, segments, 4)
        Of each row's cubics, highest power first, about the knot on the left.
    knots : float64 (segments + 1,)
        Their positions in pixels; the first and last cubic go on beyond them.
    out : float32 (n, nx)
        May be `values`.
    """
    nx = values.shape[1]
    segments = coefficients.shape[1]
    for y in range(values.shape[0]):
        source, target = values[y], out[y]
        start = 0
        for n in range(segments):
            stop = nx if n == segments - 1 else min(nx, int(np.ceil(knots[n + 1])))
            a, b, c, d = coefficients[y, n]
            origin = np.float32(knots[n])
            for x in range(start, stop):
                t = np.float32(x) - origin
                target[x] = source[x] - (((a * t + b) * t + c) * t + d)
            start = max(start, stop)
