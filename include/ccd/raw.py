"""A raw frame whose pixels are read when they are needed, and only the rows that are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from include.ccd.errors import Malformed
from include.ccd.fits_file import open_regular
from include.ccd.fits_reader import Place, locate
from include.ccd.header import FrameHeader
from include.ccd.safe_reader import read_pixels_safely

Pixels = npt.NDArray[Any]


@dataclass(slots=True)
class RawFrame:
    """One raw frame: its logical header now, its pixels on demand.

    Attributes
    ----------
    path : Path or None
        The file; None for a frame that lives in memory only.
    header : FrameHeader
    hdu : int
        Which header-data unit holds the image.
    """

    path: Path | None
    header: FrameHeader
    hdu: int = 0
    _array: Pixels | None = field(default=None, repr=False)
    _place: Place | None = field(default=None, repr=False)

    @classmethod
    def of(cls, array: Pixels, header: FrameHeader) -> Self:
        """A frame whose pixels are already in memory, uint16 or float32 (ny, nx)."""
        return cls(None, header, 0, np.asarray(array))

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of the raw array."""
        return self.header.shape

    def pixels(self) -> Pixels:
        """The whole raw array (ny, nx), uint16 or float32, native byte order, in ADU.

        Raises
        ------
        BadFits
            The file is no longer what it was when it was inspected.
        """
        return self.read_rows(0, self.shape[0])

    def read_rows(self, y0: int, y1: int) -> Pixels:
        """Rows y0 ≤ y < y1, (y1 − y0, nx), uint16 or float32, native byte order, in ADU.

        Of an uncompressed file only those rows are read, each time; a compressed one is unpacked
        whole at the first call and kept.

        Raises
        ------
        ValueError
            There are no such rows.
        BadFits
            The file is no longer what it was when it was inspected.
        """
        if not 0 <= y0 <= y1 <= self.shape[0]:
            raise ValueError(f"rows must lie in 0 to {self.shape[0]}: {y0} to {y1}")
        if self._array is None and self._place is None:
            self._find()
        if self._array is not None:
            return self._array[y0:y1]
        return self._read(y0, y1)

    def _find(self) -> None:
        if self.path is None:
            raise ValueError("a frame needs a path or an array")
        found: Place | Pixels | None = locate(self.path, hdu=self.hdu)
        if found is None:
            found = read_pixels_safely(self.path, hdu=self.hdu)
        if found.shape != self.shape:
            raise Malformed("changed", f"the image is {found.shape}, it was {self.shape}")
        if isinstance(found, Place):
            self._place = found
        else:
            self._array = found

    def _read(self, y0: int, y1: int) -> Pixels:
        assert self.path is not None
        assert self._place is not None
        encoding = self._place.encoding
        stored = np.empty((y1 - y0, self.shape[1]), dtype=encoding.stored)
        if stored.size:
            row_bytes = self.shape[1] * encoding.stored.itemsize
            with open_regular(self.path) as plain:
                plain.read_into(stored.data.cast("B"), self._place.start + y0 * row_bytes)
        if not encoding.unsigned:
            return encoding.decode(stored)
        from include.ccd import _kernels_fits as kernels

        values = stored.view(np.uint16)
        kernels.load_unsigned(values.reshape(-1))
        return values
