"""Compiled matched filter: how significant a point source at each pixel would be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(nogil=True, cache=True)
def _weigh_row(value: Array, variance: Array, mask: Array, hidden: int, out: Array) -> None:
    """Value over variance, and one over variance; 0 for what is hidden or has no variance."""
    zero, one, limit = np.float32(0), np.float32(1), np.float32(np.inf)
    bits = np.uint16(hidden)
    weighted, weights = out[0], out[1]
    for x in range(value.size):
        known = (variance[x] > zero) & (variance[x] < limit) & (abs(value[x]) < limit)
        usable = known & ((mask[x] & bits) == 0)
        weight = one / variance[x] if usable else zero
        weights[x] = weight
        weighted[x] = value[x] * weight if usable else zero


@njit(nogil=True, cache=True)
def _add_shifted(source: Array, shift: int, tap: float, out: Array) -> None:
    """``out[x] += tap · source[x + shift]`` where that exists."""
    factor = np.float32(tap)
    size = source.size
    first, last = max(0, -shift), min(size, size - shift)
    taken, added = source[first + shift : last + shift], out[first:last]
    for x in range(added.size):
        added[x] += factor * taken[x]


@njit(nogil=True, cache=True)
def _filter_row(row: Array, taps: Array, out: Array) -> None:
    """Both rows of `row`, filtered along x with the taps and with their squares."""
    radius = taps.size // 2
    out[:] = 0
    for n in range(taps.size):
        _add_shifted(row[0], n - radius, taps[n], out[0])
        _add_shifted(row[1], n - radius, taps[n] ** 2, out[1])


@njit(nogil=True, cache=True)
def _divide(light: Array, weight: Array, out: Array) -> None:
    zero = np.float32(0)
    for x in range(out.size):
        out[x] = light[x] / np.sqrt(weight[x]) if weight[x] > zero else zero


@njit(nogil=True, cache=True)
def significance(planes: tuple[Array, Array, Array], hidden: int, taps: Array, out: Array) -> None:
    """Signal to noise of a source at every pixel: ``Σ K d / V / √(Σ K² / V)``.

    Parameters
    ----------
    planes : tuple
        Value without sky, variance (float32) and mask (uint16), each (ny, nx).
    hidden : int
        Mask bits of pixels that take no part.
    taps : float64 (odd,)
        The separable kernel K = taps × taps.
    out : float32 (ny, nx)
        0 where no pixel takes part.
    """
    value, variance, mask = planes
    ny, nx = value.shape
    size = taps.size
    radius = size // 2
    ring = np.zeros((size, 2, nx), np.float32)
    row = np.empty((2, nx), np.float32)
    sums = np.empty((2, nx), np.float32)
    for y in range(-radius, ny):
        ahead = y + radius
        if ahead < ny:
            _weigh_row(value[ahead], variance[ahead], mask[ahead], hidden, row)
            _filter_row(row, taps, ring[ahead % size])
        else:
            ring[ahead % size] = 0
        if y < 0:
            continue
        sums[:] = 0
        for n in range(size):
            filtered = ring[(y + n - radius) % size]
            _add_shifted(filtered[0], 0, taps[n], sums[0])
            _add_shifted(filtered[1], 0, taps[n] ** 2, sums[1])
        _divide(sums[0], sums[1], out[y])
