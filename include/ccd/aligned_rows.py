"""Files of images as layers of a stack: rows are read and resampled when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_align as kernels
from include.ccd.align import PixelMap, Resampled, Rows
from include.ccd.image_rows import ImageRows
from include.ccd.mask import MaskBit

_MARGIN_PX: Final = kernels.TAPS + 2
_EDGE_STEP_PX: Final = 16

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class AlignedRows:
    """An open file on the pixels of another image; a `include.ccd.coadd.Layer`.

    Of the file no more is in memory than what the rows that are asked for are made of.

    Attributes
    ----------
    source : ImageRows
        With variance.
    transform : callable
        Points (n, 2) as (x, y) of the output to points of the file's image.
    shape : tuple of int
        (ny, nx) of the output.
    """

    source: ImageRows
    transform: PixelMap
    shape: tuple[int, int]

    def read_rows(self, y0: int, y1: int) -> Rows:
        """Rows y0 ≤ y < y1; NO_DATA where the file has none.

        Raises
        ------
        AlignError
            The file has no variance, or the transformation is not finite.
        """
        first, last = self._span(y0, y1)
        size = (y1 - y0, self.shape[1])
        if first >= last:
            empty = np.zeros(size, np.float32)
            return Rows(empty, empty.copy(), np.full(size, MaskBit.NO_DATA, np.uint16))

        start, offset = np.array([0.0, y0]), np.array([0.0, first])

        def within(points: Array) -> Array:
            return np.asarray(self.transform(points + start) - offset)

        part = self.source.read(first, last)
        return Resampled(part, within, shape=size).read_rows(0, y1 - y0)

    def _span(self, y0: int, y1: int) -> tuple[int, int]:
        """Rows of the file that the output rows are made of."""
        across = np.append(np.arange(0, self.shape[1], _EDGE_STEP_PX), self.shape[1] - 1)
        down = np.append(np.arange(y0, y1, _EDGE_STEP_PX), y1 - 1)
        x, y = (each.reshape(-1).astype(np.float64) for each in np.meshgrid(across, down))
        places = self.transform(np.column_stack([x, y]))[:, 1]
        low, high = float(places.min()) - _MARGIN_PX, float(places.max()) + _MARGIN_PX
        height = self.source.shape[0]
        return int(np.clip(low, 0, height)), int(np.clip(high + 1, 0, height))
