"""Tile-compressed images whose table says something else than their tiles do."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.ccd.fits_layout import Unit, read_layout

Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Memory:
    """A file that was never written."""

    content: bytes

    def reaches(self, end: int) -> int:
        """Its size."""
        return len(self.content)

    def read(self, offset: int, size: int) -> bytes:
        """Some of it."""
        return self.content[offset : offset + size]


def packed(pixels: Pixels, **kwargs: Any) -> tuple[bytes, Unit]:
    """A file with a compressed image by astropy, and the unit that holds it."""
    from astropy.io import fits

    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, **kwargs)]).writeto(file)
    return file.getvalue(), unit_in(file.getvalue())


def unit_in(content: bytes) -> Unit:
    """The compressed image of a file."""
    return read_layout(Memory(content)).image(None)


def with_card(content: bytes, keyword: str, value: object) -> bytes:
    """The file with another value on a card of its extension; without it when that is None."""
    at = content.index(f"{keyword:<8}=".encode(), 2880)
    card = "COMMENT" if value is None else f"{keyword:<8}= {value!s:>20}"
    return content[:at] + card.ljust(80).encode() + content[at + 80 :]


def with_places(content: bytes, change: Callable[[Pixels], None]) -> bytes:
    """The file with other (length, offset) pairs in the first column of its table, (tiles, 2)."""
    unit = unit_in(content)
    rows, width = (int(str(unit.cards.get(key))) for key in ("NAXIS2", "NAXIS1"))
    end = unit.data_start + rows * width
    table = np.frombuffer(content[unit.data_start : end], np.uint8).reshape(rows, width).copy()
    pairs = table[:, :8].copy().view(">i4")
    change(pairs)
    table[:, :8] = pairs.view(np.uint8)
    return content[: unit.data_start] + table.tobytes() + content[end:]
