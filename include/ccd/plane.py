"""Images whose rows are read when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt


class Plane(Protocol):
    """What can be combined: rows of an image, on demand."""

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) in pixels."""

    def read_rows(self, y0: int, y1: int) -> npt.NDArray[Any]:
        """Rows y0 ≤ y < y1 as uint16 or float32 (y1 − y0, nx); a pixel to be ignored is NaN."""


@dataclass(frozen=True, slots=True)
class ArrayPlane:
    """A plane that is in memory already.

    Attributes
    ----------
    array : uint16 or float32 (ny, nx)
    """

    array: npt.NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) in pixels."""
        return self.array.shape[0], self.array.shape[1]

    def read_rows(self, y0: int, y1: int) -> npt.NDArray[Any]:
        """Rows y0 ≤ y < y1 (y1 − y0, nx)."""
        return self.array[y0:y1]
