"""Compiled first pass of L.A.Cosmic: which pixels could be cosmic rays at all.

One stream over the frame in single precision; nothing of its size is allocated.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

NO_DATA = np.uint16(16)
EXCLUDED = np.uint16(0xFFFF ^ (8 | 64))  # all but COSMIC and INTERPOLATED
SMALLEST_VARIANCE = np.float32(1e-5)
# Single precision throughout: twice as many pixels at a time.
_ZERO, _QUARTER = np.float32(0), np.float32(0.25)
_NAN, _INFINITY = np.float32(np.nan), np.float32(np.inf)
_CHUNK = 64

Array = npt.NDArray[Any]


class Frame(NamedTuple):
    """Value, variance (float32) and mask (uint16), each (ny, nx); changed in place."""

    value: Array
    variance: Array
    mask: Array


# Minimum and maximum are vectorised only where the compiler may assume that there is no NaN.
@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def _least(values: Array) -> Any:
    least = values[0]
    for n in range(values.size):
        least = values[n] if values[n] < least else least
    return least


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def _largest(values: Array) -> Any:
    largest = values[0]
    for n in range(values.size):
        largest = values[n] if values[n] > largest else largest
    return largest


@njit(nogil=True, cache=True)
def _load_row(frame: Frame, y: int, row: Array, spread: Array) -> None:
    """Row y, and its variance, with NaN and infinity for what is excluded or outside."""
    row[:] = _NAN
    spread[:] = _INFINITY
    if y < 0 or y >= frame.value.shape[0]:
        return
    value, variance, mask = frame.value[y], frame.variance[y], frame.mask[y]
    inner = row[1 : value.size + 1]
    unknown = 0
    for x in range(value.size):
        known = (abs(value[x]) < _INFINITY) & (variance[x] >= _ZERO) & (variance[x] < _INFINITY)
        usable = known & ((mask[x] & EXCLUDED) == 0)
        inner[x] = value[x] if usable else _NAN
        spread[x] = variance[x] if usable else _INFINITY
        unknown += not known
    if unknown:
        _mark_unknown(frame, y)


@njit(nogil=True, cache=True)
def _mark_unknown(frame: Frame, y: int) -> None:
    for x in range(frame.value.shape[1]):
        value, variance = frame.value[y, x], frame.variance[y, x]
        if not (abs(value) < _INFINITY and variance >= 0 and variance < _INFINITY):
            frame.mask[y, x] |= NO_DATA


@njit(nogil=True, cache=True)
def _floors(spread: Array, floors: Array) -> None:
    """The least variance of each chunk of a row, never zero; infinite on either side."""
    floors[:] = _INFINITY
    for start in range(0, spread.size, _CHUNK):
        least = _least(spread[start : start + _CHUNK])
        floors[start // _CHUNK + 1] = max(least, SMALLEST_VARIANCE)


@njit(nogil=True, cache=True)
def _laplacian_row(above: Array, row: Array, below: Array, out: Array) -> None:
    """L+ of a row: the mean of the four subpixels' positive Laplacians; 0 where excluded."""
    size = out.size
    centre, lefts, rights = row[1 : size + 1], row[:size], row[2 : size + 2]
    ups, downs = above[1 : size + 1], below[1 : size + 1]
    for x in range(size):
        v = centre[x]
        left = lefts[x] if lefts[x] == lefts[x] else v
        right = rights[x] if rights[x] == rights[x] else v
        up = ups[x] if ups[x] == ups[x] else v
        down = downs[x] if downs[x] == downs[x] else v
        twice = v + v
        a = twice - left - up
        b = twice - right - up
        c = twice - left - down
        d = twice - right - down
        total = (a if a > _ZERO else _ZERO) + (b if b > _ZERO else _ZERO)
        total += (c if c > _ZERO else _ZERO) + (d if d > _ZERO else _ZERO)
        out[x] = _QUARTER * total


@njit(nogil=True, cache=True)
def _append(found: Array, count: int, item: int) -> Array:
    """`found` with one more item, in twice the room when it was full."""
    if count == found.size:
        larger = np.empty(2 * count, found.dtype)
        larger[:count] = found
        found = larger
    found[count] = item
    return found


@njit(nogil=True, cache=True)
def find_candidates(frame: Frame, clip: float) -> Array:
    """Flat indices of pixels whose Laplacian exceeds `clip` times the least noise around.

    Pixels that are not finite, or whose variance is not, become NO_DATA.
    """
    ny, nx = frame.value.shape
    rows = np.empty((5, nx + 2), np.float32)
    floors = np.empty((5, (nx + _CHUNK - 1) // _CHUNK + 2), np.float32)
    spread = np.empty(nx, np.float32)
    laplacian = np.empty(nx, np.float32)
    found = np.empty(1024, np.int64)
    count = 0
    for y in range(-4, ny):
        _load_row(frame, y + 2, rows[(y + 2) % 5], spread)
        _floors(spread, floors[(y + 2) % 5])
        if y < 0:
            continue
        _laplacian_row(rows[(y - 1) % 5], rows[y % 5], rows[(y + 1) % 5], laplacian)
        for start in range(0, nx, _CHUNK):
            chunk = start // _CHUNK
            limit = 2.0 * clip * np.sqrt(floors[:, chunk : chunk + 3].min())
            strengths = laplacian[start : start + _CHUNK]
            if _largest(strengths) <= limit:
                continue
            for x in range(strengths.size):
                if strengths[x] > limit:
                    found = _append(found, count, y * nx + start + x)
                    count += 1
    return found[:count]
