"""Compiled medians of few values."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(nogil=True, cache=True)
def _select(values: Array, count: int, rank: int) -> float:
    """The value of a rank (from 0) among the first `count`; smaller ones end up before it."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return float(values[rank])


@njit(nogil=True, cache=True)
def _in_order(a: float, b: float, c: float) -> tuple[float, float, float]:
    low, high = min(a, b), max(a, b)
    return min(low, c), max(low, min(high, c)), max(high, c)


@njit(nogil=True, cache=True)
def _median_of_nine(v: Array) -> float:
    """Of three sorted threes: the median of largest low, median middle and smallest high."""
    a, b, c = _in_order(v[0], v[1], v[2]), _in_order(v[3], v[4], v[5]), _in_order(v[6], v[7], v[8])
    low, high = max(a[0], b[0], c[0]), min(a[2], b[2], c[2])
    return float(_in_order(low, _in_order(a[1], b[1], c[1])[1], high)[1])


@njit(nogil=True, cache=True)
def median(values: Array, count: int) -> float:
    """Median of the first `count` values, which are reordered; 0 without any."""
    if count == 0:
        return 0.0
    if count == 9:
        return _median_of_nine(values)
    upper = _select(values, count, count // 2)
    if count % 2:
        return upper
    lower = values[0]
    for i in range(1, count // 2):
        lower = max(lower, values[i])
    return 0.5 * (float(lower) + upper)
