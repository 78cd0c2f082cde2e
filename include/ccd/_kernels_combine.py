"""Compiled statistics of many planes, pixel by pixel, with the pixels of a block side by side.

A block is (n planes, lanes) values small enough for the first-level cache. Its columns are
sorted by one sorting network whose every comparator works on all lanes at once, so that sorting
is minimum and maximum of vectors and has no branches. Invalid values are +inf and end up last.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

# `fastmath` stays off: infinities and comparisons with them carry meaning here.
_BLOCK_BYTES = 32 * 1024
_MIN_LANES = 64
_MAX_LANES = 512
_MAD_TO_SIGMA = 1.482602218505602  # 1 / quantile(3/4) of the normal distribution
_MEDIAN_VARIANCE = np.pi / 2  # variance of a median over that of a mean, normal, many values
NO_DATA = np.uint16(16)

Array = npt.NDArray[Any]


class Limits(NamedTuple):
    """What `include.ccd.combine.Clipping` says, as the kernel takes it."""

    lower: float
    upper: float
    max_iters: int
    use_mad: bool
    floor: float


class Moments(NamedTuple):
    """Of each lane: how many values, their mean, the sum of their squared deviations."""

    used: Array
    mean: Array
    squares: Array


class Outputs(NamedTuple):
    """Value, variance of the value, mask and count (pixels,)."""

    mean: Array
    var: Array
    mask: Array
    used: Array


def sorting_network(size: int) -> npt.NDArray[np.int64]:
    """Comparators (m, 2) that sort any `size` values: Batcher's odd-even merge sort.

    Notes
    -----
    Knuth, The Art of Computer Programming 3, section 5.2.2, algorithm M, for any size.
    """
    pairs: list[tuple[int, int]] = []
    merged = 1
    while merged < size:
        step = merged
        while step >= 1:
            for start in range(step % merged, size - step, 2 * step):
                pairs += [
                    (first, first + step)
                    for first in range(start, min(start + step, size - step))
                    if first // (2 * merged) == (first + step) // (2 * merged)
                ]
            step //= 2
        merged *= 2
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def needed_comparators(network: npt.NDArray[np.int64], places: set[int]) -> npt.NDArray[np.int64]:
    """The comparators of a network that decide what ends up at some places."""
    needed, kept = set(places), []
    for low, high in reversed(network.tolist()):
        if low in needed or high in needed:
            needed |= {low, high}
            kept.append((low, high))
    return np.array(kept[::-1], dtype=np.int64).reshape(-1, 2)


def new_block(planes: int, dtype: npt.DTypeLike) -> Array:
    """Scratch space (planes, lanes) that fits the first-level cache where it can."""
    lanes = _BLOCK_BYTES // (planes * np.dtype(dtype).itemsize)
    lanes = min(max(lanes // 64 * 64, _MIN_LANES), _MAX_LANES)
    return np.empty((planes, lanes), dtype=dtype)


@njit(nogil=True, cache=True)
def _sort_columns(block: Array, network: Array) -> None:
    for pair in range(network.shape[0]):
        low = block[network[pair, 0]]
        high = block[network[pair, 1]]
        for lane in range(low.size):
            a = low[lane]
            b = high[lane]
            low[lane] = a if a < b else b
            high[lane] = b if a < b else a


@njit(nogil=True, cache=True)
def new_moments(lanes: int) -> Moments:
    """Room for the moments of a block."""
    return Moments(np.empty(lanes, np.int32), np.empty(lanes), np.empty(lanes))


@njit(nogil=True, cache=True)
def _take(stack: Array, start: int, width: int, block: Array, moments: Moments) -> None:
    """Copy lanes of the stack into the block, and measure them."""
    # Whole numbers: all are finite, and sums of them exact.
    if block.itemsize == 2:
        for plane in range(stack.shape[0]):
            source = stack[plane, start : start + width]
            target = block[plane]
            for lane in range(width):
                target[lane] = source[lane]
        moments.used[:] = stack.shape[0]
        _measure_whole(block, moments)
    else:
        _load(stack, start, width, block, moments.used)
        _measure(block, moments)


@njit(nogil=True, cache=True)
def _load(stack: Array, start: int, width: int, block: Array, count: Array) -> None:
    """Copy lanes of the stack into the block; count the finite ones, make the rest +inf."""
    count[:] = 0
    for plane in range(stack.shape[0]):
        source = stack[plane, start : start + width]
        target = block[plane]
        for lane in range(width):
            value = source[lane]
            finite = abs(np.float32(value)) < np.float32(np.inf)
            target[lane] = value if finite else np.float32(np.inf)
            count[lane] += 1 if finite else 0


@njit(nogil=True, cache=True)
def _measure(block: Array, moments: Moments) -> None:
    """Mean and sum of squared deviations of the finite values, in float64 and two passes."""
    mean = moments.mean
    squares = moments.squares
    mean[:] = 0.0
    squares[:] = 0.0
    for plane in range(block.shape[0]):
        values = block[plane]
        for lane in range(values.size):
            value = np.float64(values[lane])
            mean[lane] += value if value < np.inf else 0.0
    for lane in range(mean.size):
        mean[lane] /= max(moments.used[lane], 1)
    for plane in range(block.shape[0]):
        values = block[plane]
        for lane in range(values.size):
            value = np.float64(values[lane])
            deviation = value - mean[lane] if value < np.inf else 0.0
            squares[lane] += deviation * deviation


@njit(nogil=True, cache=True)
def _measure_whole(block: Array, moments: Moments) -> None:
    """As `_measure` for uint16, about the nearest whole number: that changes nothing but speed."""
    planes, lanes = block.shape
    total = np.zeros(lanes, np.uint32)
    centre = np.empty(lanes, np.int32)
    mean, squares = moments.mean, moments.squares
    for plane in range(planes):
        values = block[plane]
        for lane in range(lanes):
            total[lane] += np.uint32(values[lane])
    for lane in range(lanes):
        mean[lane] = total[lane] / planes
        centre[lane] = np.int32(mean[lane] + 0.5)
        squares[lane] = 0.0
    for plane in range(planes):
        values = block[plane]
        for lane in range(lanes):
            deviation = np.float64(np.int32(values[lane]) - centre[lane])
            squares[lane] += deviation * deviation
    for lane in range(lanes):
        shift = mean[lane] - centre[lane]
        squares[lane] -= planes * shift * shift


@njit(nogil=True, cache=True)
def _median(block: Array, lane: int, first: int, last: int) -> float:
    """Median of the sorted values first ≤ i < last of a lane."""
    middle = first + last
    low = np.float64(block[(middle - 1) // 2, lane])
    high = np.float64(block[middle // 2, lane])
    return 0.5 * (low + high)


@njit(nogil=True, cache=True)
def _mad(block: Array, lane: int, first: int, last: int, centre: float) -> float:
    """Median absolute deviation from `centre`: the two sorted flanks merged from the middle."""
    size = last - first
    right = first
    while right < last and block[right, lane] < centre:
        right += 1
    left = right - 1
    previous = current = 0.0
    for _ in range(size // 2 + 1):
        previous = current
        below = centre - block[left, lane] if left >= first else np.inf
        above = block[right, lane] - centre if right < last else np.inf
        if below < above:
            current = below
            left -= 1
        else:
            current = above
            right += 1
    return current if size % 2 else 0.5 * (previous + current)


@njit(nogil=True, cache=True)
def _std(block: Array, lane: int, first: int, last: int) -> float:
    """Population standard deviation about the mean, as numpy.std."""
    mean = 0.0
    for plane in range(first, last):
        mean += block[plane, lane]
    mean /= last - first
    squares = 0.0
    for plane in range(first, last):
        squares += (block[plane, lane] - mean) ** 2
    return float(np.sqrt(squares / (last - first)))


@njit(nogil=True, cache=True)
def _within(
    block: Array, lane: int, span: tuple[int, int], bounds: tuple[float, float]
) -> tuple[int, int]:
    """The part of a span of sorted values that lies within the bounds."""
    first, last = span
    low, high = bounds
    while first < last and block[first, lane] < low:
        first += 1
    while first < last and block[last - 1, lane] > high:
        last -= 1
    return first, last


@njit(nogil=True, cache=True)
def _clip(block: Array, lane: int, count: int, limits: Limits) -> tuple[int, int]:
    """Span of the sorted values of a lane that the last bounds leave in."""
    first, last = 0, count
    bounds = (-np.inf, np.inf)
    for _ in range(limits.max_iters):
        if first == last:
            break
        centre = _median(block, lane, first, last)
        if limits.use_mad:
            sigma = _MAD_TO_SIGMA * _mad(block, lane, first, last, centre)
        else:
            sigma = _std(block, lane, first, last)
        sigma = max(sigma, limits.floor)
        bounds = (centre - limits.lower * sigma, centre + limits.upper * sigma)
        before = last - first
        first, last = _within(block, lane, (first, last), bounds)
        if last - first == before:
            break
    # Like astropy, the last bounds judge every value, also one that an earlier round put aside.
    return _within(block, lane, (0, count), bounds)


@njit(nogil=True, cache=True)
def _remeasure(block: Array, lane: int, span: tuple[int, int], moments: Moments) -> None:
    """Moments of what is left in a lane after clipping."""
    first, last = span
    mean = 0.0
    for plane in range(first, last):
        mean += block[plane, lane]
    mean /= max(last - first, 1)
    squares = 0.0
    for plane in range(first, last):
        squares += (block[plane, lane] - mean) ** 2
    moments.used[lane] = last - first
    moments.mean[lane] = mean
    moments.squares[lane] = squares


@njit(nogil=True, cache=True)
def _find_outliers(block: Array, moments: Moments, limits: Limits, found: Array) -> None:
    """Mark the lanes that may lose a value in the first round: few, as a rule."""
    used = moments.used
    squares = moments.squares
    for lane in range(found.size):
        last = max(used[lane], 1)
        sigma = 0.0 if limits.use_mad else np.sqrt(squares[lane] / last)
        sigma = max(sigma, limits.floor)
        # With arrays as arguments a call here would cost more than the work itself.
        low = np.float64(block[(last - 1) // 2, lane])
        high = np.float64(block[last // 2, lane])
        centre = 0.5 * (low + high)
        below = np.float64(block[0, lane]) < centre - limits.lower * sigma
        above = np.float64(block[last - 1, lane]) > centre + limits.upper * sigma
        found[lane] = (below or above) and used[lane] > 0


@njit(nogil=True, cache=True)
def _store(start: int, width: int, factor: float, moments: Moments, outputs: Outputs) -> None:
    """Write value, variance of the value, mask and count of one block."""
    for lane in range(width):
        left = moments.used[lane]
        pairs = left * (left - 1)
        scale = factor if left > 2 else 1.0
        outputs.mean[start + lane] = moments.mean[lane]
        outputs.var[start + lane] = scale * moments.squares[lane] / pairs if left > 1 else 0.0
        outputs.used[start + lane] = left
    for lane in range(width):
        # Touch the mask only where it is not zero: its other pages then cost no memory.
        if moments.used[lane] == 0:
            outputs.mask[start + lane] |= NO_DATA


@njit(nogil=True, cache=True)
def mean_planes(stack: Array, block: Array, outputs: Outputs) -> None:
    """Mean of the finite values of each column of `stack` (planes, pixels)."""
    lanes = block.shape[1]
    moments = new_moments(lanes)
    for start in range(0, stack.shape[1], lanes):
        width = min(lanes, stack.shape[1] - start)
        _take(stack, start, width, block, moments)
        _store(start, width, 1.0, moments, outputs)


@njit(nogil=True, cache=True)
def median_planes(stack: Array, block: Array, network: Array, outputs: Outputs) -> None:
    """Median of the finite values of each column of `stack` (planes, pixels)."""
    lanes = block.shape[1]
    moments = new_moments(lanes)
    for start in range(0, stack.shape[1], lanes):
        width = min(lanes, stack.shape[1] - start)
        _take(stack, start, width, block, moments)
        _sort_columns(block, network)
        for lane in range(width):
            if moments.used[lane] > 0:
                moments.mean[lane] = _median(block, lane, 0, moments.used[lane])
        _store(start, width, _MEDIAN_VARIANCE, moments, outputs)


@njit(nogil=True, cache=True)
def clip_planes(
    stack: Array, block: Array, network: Array, limits: Limits, outputs: Outputs
) -> None:
    """Sigma-clipped mean of the finite values of each column of `stack` (planes, pixels)."""
    lanes = block.shape[1]
    moments = new_moments(lanes)
    outlying = np.empty(lanes, np.bool_)
    for start in range(0, stack.shape[1], lanes):
        width = min(lanes, stack.shape[1] - start)
        _take(stack, start, width, block, moments)
        _sort_columns(block, network)
        _find_outliers(block, moments, limits, outlying)
        for lane in range(width):
            if outlying[lane]:
                span = _clip(block, lane, moments.used[lane], limits)
                _remeasure(block, lane, span, moments)
        _store(start, width, 1.0, moments, outputs)
