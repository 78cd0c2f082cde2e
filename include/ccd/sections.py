"""Rectangles of pixels, and how an amplifier's rectangles make an image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_FITS_SECTION = re.compile(r"\s*\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]\s*")


@dataclass(frozen=True, slots=True)
class Section:
    """A rectangle of pixels, 0-based and half-open, in numpy order.

    Attributes
    ----------
    y0, y1, x0, x1 : int
        Rows y0 ≤ y < y1 and columns x0 ≤ x < x1, in pixels.
    """

    y0: int
    y1: int
    x0: int
    x1: int

    def __post_init__(self) -> None:
        if not (0 <= self.y0 < self.y1 and 0 <= self.x0 < self.x1):
            raise ValueError(f"section must be a non-empty rectangle from (0, 0) on: {self!r}")

    @classmethod
    def from_fits(cls, text: str) -> Self:
        """Section from the FITS convention, 1-based, inclusive, x first: ``[1:1024,1:512]``.

        Raises
        ------
        ValueError
            The text is not such a section, or runs backwards.
        """
        match = _FITS_SECTION.fullmatch(text)
        if match is None:
            raise ValueError(f"section must look like [x1:x2,y1:y2]: {text[:40]!r}")
        x1, x2, y1, y2 = (int(group) for group in match.groups())
        return cls(y1 - 1, y2, x1 - 1, x2)

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> Self:
        """Section that covers an array of shape (ny, nx)."""
        return cls(0, shape[0], 0, shape[1])

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index for a numpy array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) in pixels."""
        return self.y1 - self.y0, self.x1 - self.x0

    def fits(self) -> str:
        """Text in the FITS convention, the inverse of `from_fits`."""
        return f"[{self.x0 + 1}:{self.x1},{self.y0 + 1}:{self.y1}]"

    def within(self, shape: tuple[int, int]) -> bool:
        """Whether the section lies inside an array of shape (ny, nx)."""
        return self.y1 <= shape[0] and self.x1 <= shape[1]


@dataclass(frozen=True, slots=True)
class Amplifier:
    """One readout: where its pixels and its overscan are, and its electronics.

    Attributes
    ----------
    data, overscan : Section
        In the raw array; no overscan is None.
    placed : Section
        Where `data` goes in the trimmed image; same shape as `data`.
    gain_e_per_adu, read_noise_e : float or None
        None when nobody knows.
    pedestal_adu : float
        Level without light, taken off where no overscan tells it.
    """

    data: Section
    overscan: Section | None
    placed: Section
    gain_e_per_adu: float | None
    read_noise_e: float | None
    pedestal_adu: float = 0.0

    def __post_init__(self) -> None:
        if self.data.shape != self.placed.shape:
            raise ValueError(
                f"placed {self.placed.fits()} must have the shape of data {self.data.fits()}"
            )
