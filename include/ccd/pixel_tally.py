"""What the pixels of a raw frame are like as a whole, gathered while the bytes go by.

A header can be perfect above pixels that never left the camera: all zero, all saturated, all
NaN, wrapped, or only the first half of them written into a file of the right size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.fits_decode import Encoding

Pixels = npt.NDArray[Any]

SLICE: Final = 1 << 19
_NONE: Final = np.empty(0, np.intp)
LARGEST: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class PixelStatistics:
    """Numbers about all raw pixels of an image, in ADU.

    Attributes
    ----------
    minimum, maximum, mean : float or None
        Of the pixels that have a value; None when there is none, or no float32 holds it.
    valid_fraction : float
        Pixels that have a value: finite, and not BLANK.
    negative_fraction : float
        Pixels below zero.
    blank_end_fraction : float
        How much of the end of the array is stored as zeros without a gap.
    blank_fraction : float
        The longest part that is, wherever it lies.
    """

    minimum: float | None
    maximum: float | None
    mean: float | None
    valid_fraction: float
    negative_fraction: float
    blank_end_fraction: float
    blank_fraction: float


class PixelTally:
    """Statistics of pixels that are seen in order, part by part.

    Parameters
    ----------
    encoding : Encoding
    start, end : int
        Where the pixels are in the file, in bytes.
    """

    def __init__(self, encoding: Encoding, *, start: int = 0, end: int = 0) -> None:
        self._encoding = encoding
        self._start = start
        self._end = end
        self._minimum = np.inf
        self._maximum = -np.inf
        self._sum = 0.0
        self._count = 0
        self._valid = 0
        self._negative = 0
        self._blank_end = 0
        self._blank = 0

    def see(self, offset: int, chunk: memoryview) -> None:
        """Take what of a chunk lies among the pixels. Chunks begin and end at FITS blocks."""
        part = chunk[max(self._start - offset, 0) : max(min(self._end - offset, len(chunk)), 0)]
        if part:
            self.add(np.frombuffer(part, dtype=self._encoding.stored))

    def add(self, stored: Pixels) -> None:
        """Take stored pixels, of either byte order."""
        flat = stored.reshape(-1)
        # numbers near the largest there are may overflow: they become None, not a warning
        with np.errstate(over="ignore", invalid="ignore"):
            for at in range(0, flat.size, SLICE):
                part = flat[at : at + SLICE]
                self._add(part.astype(part.dtype.newbyteorder("="), copy=False))

    def _add(self, stored: Pixels) -> None:
        self._count += stored.size
        values = self._valid_of(stored)
        has_zeros = True
        if values.size:
            ends = values.min(), values.max()
            low, high = sorted((self._physical(ends[0]), self._physical(ends[1])))
            has_zeros = self._encoding.blank == 0 or bool(ends[0] <= 0 <= ends[1])
            self._minimum = min(self._minimum, low)
            self._maximum = max(self._maximum, high)
            self._sum += float(values.sum(dtype=np.float64))
            self._valid += values.size
            if low < 0:
                self._negative += int(np.count_nonzero(self._physical(values) < 0))
        self._note_blank(stored, has_zeros=has_zeros)

    def _valid_of(self, stored: Pixels) -> Pixels:
        if stored.dtype.kind == "f":
            finite = np.isfinite(stored)
            return stored if finite.all() else stored[finite]
        blank = self._encoding.blank
        return stored if blank is None else stored[stored != blank]

    def _note_blank(self, stored: Pixels, *, has_zeros: bool) -> None:
        """Measure runs of zeros; one may begin in the part before and go on in the next."""
        zeros = np.flatnonzero(stored == 0) if has_zeros else _NONE
        if not zeros.size:
            self._blank_end = 0
            return
        last = np.append(np.flatnonzero(np.diff(zeros) != 1), zeros.size - 1)
        lengths = np.diff(last, prepend=-1)
        if zeros[0] == 0:
            lengths[0] += self._blank_end
        self._blank_end = int(lengths[-1]) if zeros[-1] == stored.size - 1 else 0
        self._blank = max(self._blank, int(lengths.max()))

    def _physical(self, stored: Any) -> Any:
        if isinstance(stored, np.ndarray):
            return self._encoding.bzero + self._encoding.bscale * stored.astype(np.float64)
        return self._encoding.bzero + self._encoding.bscale * float(stored)

    def statistics(self) -> PixelStatistics:
        """Numbers about all that has been seen, at least one pixel."""
        mean = self._physical(self._sum / self._valid) if self._valid else math.nan
        return PixelStatistics(
            minimum=_finite(self._minimum),
            maximum=_finite(self._maximum),
            mean=_finite(mean),
            valid_fraction=self._valid / self._count,
            negative_fraction=self._negative / self._count,
            blank_end_fraction=self._blank_end / self._count,
            blank_fraction=self._blank / self._count,
        )


def _finite(value: float) -> float | None:
    return float(value) if abs(value) <= LARGEST else None
