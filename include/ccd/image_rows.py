"""Part of a product's file: some rows of its planes, without reading the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from include.ccd.fits_file import PlainSource, open_regular
from include.ccd.fits_layout import Unit
from include.ccd.image import (
    MAX_PRODUCT_BYTES,
    Card,
    Image,
    cards_and_metrics,
    named_units,
    native_values,
    plane_encoding,
    product_layout,
)


@dataclass(frozen=True, slots=True)
class ImageRows:
    """An open product, of which rows are read when asked for; sums are not verified.

    Attributes
    ----------
    shape : tuple of int
        (ny, nx) of the image.
    unit : str
        Of its values.
    cards : dict
        Keyword to value, or to (value, comment).
    """

    shape: tuple[int, int]
    unit: str
    cards: dict[str, Card]
    _plain: PlainSource
    _units: dict[str, Unit]

    def read(self, y0: int, y1: int) -> Image:
        """Rows y0 ≤ y < y1 as an image of their own, with all planes that there are.

        Raises
        ------
        Incomplete
            The file ends before them.
        ValueError
            There are no such rows.
        """
        if not 0 <= y0 < y1 <= self.shape[0]:
            raise ValueError(f"rows {y0} to {y1} of an image with {self.shape[0]}")
        names = self._units.keys() - {"PSF"}
        planes = {name: self._part(self._units[name], y0, y1) for name in names}
        return Image(
            sci=planes["SCI"],
            var=planes.get("VAR"),
            mask=planes.get("MASK"),
            count=planes.get("COUNT"),
            unit=self.unit,
        )

    def psf(self) -> npt.NDArray[np.float64] | None:
        """What a star of flux 1 looks like (side, side), of sum 1; None where none is kept."""
        if "PSF" not in self._units:
            return None
        values = self._part(self._units["PSF"], 0, self._units["PSF"].shape[0])
        return np.asarray(values / values.sum(dtype=np.float64), np.float64)

    def _part(self, unit: Unit, y0: int, y1: int) -> npt.NDArray[Any]:
        encoding, width = plane_encoding(unit), unit.shape[1]
        stored = np.empty((y1 - y0, width), dtype=encoding.stored)
        self._plain.read_into(
            stored.reshape(-1).data.cast("B"), unit.data_start + y0 * width * stored.itemsize
        )
        return native_values(stored.byteswap(inplace=True), encoding)


@contextlib.contextmanager
def open_rows(path: Path) -> Iterator[ImageRows]:
    """A file that `Image.write` made, open until the block ends.

    Raises
    ------
    BadFits
        The file is incomplete or not one of ours.
    """
    with open_regular(path, max_bytes=MAX_PRODUCT_BYTES) as plain:
        layout = product_layout(plain)
        units = named_units(layout)
        cards, _ = cards_and_metrics(layout.units[0].cards)
        height, width = units["SCI"].shape
        unit = str(units["SCI"].cards.get("BUNIT") or "")
        yield ImageRows((height, width), unit, cards, plain, units)
