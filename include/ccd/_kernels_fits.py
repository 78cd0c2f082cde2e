"""Compiled turning of pixels into the order of bytes that FITS stores, and sums of them.

FITS stores the highest byte first, every processor that this runs on the lowest. All of it works
on whole numbers: no pattern of bits, NaN ones included, is changed on the way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_EIGHT, _OFFSET = np.uint16(8), np.uint16(32768)
_LOW, _HIGH = np.uint32(0xFF00), np.uint32(0xFF0000)
_BYTE, _THREE = np.uint32(8), np.uint32(24)

Array = npt.NDArray[Any]


@njit(nogil=True, cache=True)
def store_words(words: Array, stored: Array) -> None:
    """32-bit words (n,) uint32 in FITS order."""
    for n in range(words.size):
        word = words[n]
        outer = (word >> _THREE) | (word << _THREE)
        stored[n] = outer | ((word >> _BYTE) & _LOW) | ((word << _BYTE) & _HIGH)


@njit(nogil=True, cache=True)
def store_unsigned(values: Array, stored: Array) -> None:
    """Values (n,) uint16 in FITS order, by the offset convention (BZERO = 32768)."""
    for n in range(values.size):
        value = values[n] ^ _OFFSET
        stored[n] = (value >> _EIGHT) | (value << _EIGHT)


@njit(nogil=True, cache=True)
def load_unsigned(stored: Array) -> None:
    """The inverse of `store_unsigned`, in place."""
    for n in range(stored.size):
        value = stored[n]
        stored[n] = ((value >> _EIGHT) | (value << _EIGHT)) ^ _OFFSET


@njit(nogil=True, cache=True)
def sum_words(words: Array) -> np.uint64:
    """Sum of the words that `store_words` stores; exact for up to 2³² of them."""
    total = np.uint64(0)
    for word in words:
        total += np.uint64(word)
    return total


@njit(nogil=True, cache=True)
def sum_unsigned(values: Array) -> np.uint64:
    """Sum of the 32-bit words that `store_unsigned` stores, two values to each."""
    high = low = np.uint64(0)
    for n in range(values.size // 2):
        high += np.uint64(values[2 * n] ^ _OFFSET)
        low += np.uint64(values[2 * n + 1] ^ _OFFSET)
    if values.size % 2:
        high += np.uint64(values[values.size - 1] ^ _OFFSET)
    return high * np.uint64(65536) + low
