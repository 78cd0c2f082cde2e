"""A calibrated image or a master: values, variance, mask, and what is said of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt

from include.ccd.errors import BadHeader, Malformed, Unusable
from include.ccd.fits_cards import Cards
from include.ccd.fits_decode import UNSIGNED_ZERO, Encoding
from include.ccd.fits_digest import UnitSums
from include.ccd.fits_file import PlainSource, open_regular
from include.ccd.fits_layout import Layout, Unit, read_layout
from include.ccd.fits_writer import (
    STRIPE,
    Card,
    CardValue,
    check_keyword,
    format_card,
    write_plane,
    write_primary,
)
from include.ccd.provenance import is_provenance, provenance_cards
from include.ccd.provenance import read_provenance as _read_provenance

__all__ = ["Card", "CardValue", "Image", "read_provenance"]

MAX_PRODUCT_BYTES: Final = 1 << 36
MAX_PRODUCT_PIXELS: Final = 1 << 31

_STRUCTURE: Final = frozenset({"SIMPLE", "BITPIX", "NAXIS", "EXTEND", "CHECKSUM", "DATASUM"})
_METRIC: Final = "METRIC "
_METRIC_NAME: Final = re.compile(r"[a-z0-9_]{1,40}")
_PLANES: Final = {"SCI": "f4", "VAR": "f4", "MASK": "u2", "COUNT": "u2", "PSF": "f4"}


@dataclass(slots=True)
class Image:
    """One calibrated image or master.

    Attributes
    ----------
    sci : float32 (ny, nx)
        Values in `unit`.
    var : float32 (ny, nx) or None
        Variance of `sci`, in unit squared.
    mask : uint16 (ny, nx) or None
        Bits of `include.ccd.mask.MaskBit`.
    count : uint16 (ny, nx) or None
        For masters: how many inputs made each pixel.
    unit : str
        'adu', 'electron', or '' for a flat.
    cards : dict
        Keyword to value, or to (value, comment): a fresh header, never a raw one.
    metrics : dict of str to float
        Numbers measured on this image; names carry their units.
    psf : float32 (side, side) or None
        For differences: what a star of flux 1 looks like.
    """

    suffix: ClassVar[str] = ".fits"

    sci: npt.NDArray[np.float32]
    var: npt.NDArray[np.float32] | None = None
    mask: npt.NDArray[np.uint16] | None = None
    count: npt.NDArray[np.uint16] | None = None
    unit: str = "adu"
    cards: dict[str, Card] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    psf: npt.NDArray[np.float32] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the planes; the file has some thousand more."""
        planes = (self.sci, self.var, self.mask, self.count, self.psf)
        return sum(plane.nbytes for plane in planes if plane is not None)

    def write(self, stream: BinaryIO, provenance: Mapping[str, Any]) -> None:
        """Write the image as FITS: the same content gives the same bytes, wherever and whenever.

        A primary unit with the cards, then the extensions SCI, VAR, MASK, COUNT and PSF as far
        as they exist. If the process dies inside, the stream holds part of a file: the caller
        publishes a name for it only afterwards.

        Parameters
        ----------
        stream : binary file
        provenance : mapping
            What made it, see `include.ccd.provenance.provenance_cards`.

        Raises
        ------
        ValueError
            A plane has another type or shape, or a card has a keyword that it cannot have.
        """
        planes = self._planes()
        write_primary(stream, [*self._header(), *provenance_cards(provenance)])
        for name, plane in planes.items():
            unit = {"SCI": self.unit, "VAR": f"{self.unit}**2" if self.unit else ""}.get(name, "")
            write_plane(stream, name, plane, unit=unit)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The image in a file that `write` made; its checksums hold.

        Raises
        ------
        BadFits
            The file is incomplete, corrupt, or not one of ours.
        """
        with open_regular(path, max_bytes=MAX_PRODUCT_BYTES) as plain:
            layout = product_layout(plain)
            planes = {name: _read_plane(plain, unit) for name, unit in named_units(layout).items()}
            primary = layout.units[0]
            sums = UnitSums(primary)
            sums.see(0, memoryview(primary.raw))
            sums.verify()
        cards, metrics = cards_and_metrics(primary.cards)
        unit = named_units(layout)["SCI"].cards.get("BUNIT")
        return cls(
            sci=planes["SCI"],
            var=planes.get("VAR"),
            mask=planes.get("MASK"),
            count=planes.get("COUNT"),
            psf=planes.get("PSF"),
            unit=str(unit or ""),
            cards=cards,
            metrics=metrics,
        )

    def _planes(self) -> dict[str, npt.NDArray[Any]]:
        planes = {
            "SCI": self.sci,
            "VAR": self.var,
            "MASK": self.mask,
            "COUNT": self.count,
            "PSF": self.psf,
        }
        found = {name: plane for name, plane in planes.items() if plane is not None}
        for name, plane in found.items():
            if plane.dtype != np.dtype(_PLANES[name]) or plane.ndim != 2:
                raise ValueError(f"{name} must be {_PLANES[name]} (ny, nx), not {plane.dtype}")
            alike = name == "PSF" or plane.shape == self.sci.shape
            if not alike or not plane.size:
                raise ValueError(f"{name} is {plane.shape}, SCI is {self.sci.shape}")
        return found

    def _header(self) -> list[str]:
        cards = []
        for keyword, card in self.cards.items():
            check_keyword(keyword)
            if is_provenance(keyword) or keyword.startswith(_METRIC):
                raise ValueError(f"keyword {keyword} is written for you")
            cards.append(format_card(keyword, card))
        for name, value in self.metrics.items():
            if not _METRIC_NAME.fullmatch(name):
                raise ValueError(f"metric must be named in lower case with its unit: {name!r}")
            cards.append(format_card(f"{_METRIC}{name.upper()}", float(value)))
        return cards


def read_provenance(path: Path) -> dict[str, Any]:
    """What made a product, from its own header.

    Raises
    ------
    BadFits
        The file is incomplete, corrupt, or not one of ours.
    """
    with open_regular(path, max_bytes=MAX_PRODUCT_BYTES) as plain:
        return _read_provenance(product_layout(plain).units[0].cards)


def product_layout(plain: PlainSource) -> Layout:
    """Units of a product's file."""
    return read_layout(plain, max_pixels=MAX_PRODUCT_PIXELS, max_bytes=MAX_PRODUCT_BYTES)


def named_units(layout: Layout) -> dict[str, Unit]:
    """Planes of a product by name.

    Raises
    ------
    Unusable
        The file is none that `Image.write` made.
    """
    units = {str(unit.cards.get("EXTNAME")): unit for unit in layout.units[1:]}
    if "SCI" not in units or not set(units) <= set(_PLANES):
        raise Unusable("not_a_product", f"extensions {list(units)!r:.80}: not written here")
    return units


def _read_plane(plain: PlainSource, unit: Unit) -> npt.NDArray[Any]:
    """One plane in native byte order, read, summed and turned stripe by stripe."""
    encoding = plane_encoding(unit)
    stored = np.empty(math.prod(unit.shape), dtype=encoding.stored)
    sums = UnitSums(unit)
    sums.see(unit.start, memoryview(unit.raw))
    for first in range(0, stored.size, STRIPE):
        part = stored[first : first + STRIPE]
        offset = unit.data_start + first * stored.itemsize
        buffer = part.data.cast("B")
        plain.read_into(buffer, offset)
        sums.see(offset, buffer)
        part.byteswap(inplace=True)
    sums.verify()
    return native_values(stored, encoding).reshape(unit.shape)


def plane_encoding(unit: Unit) -> Encoding:
    """How the pixels of a plane are stored.

    Raises
    ------
    Unusable
        Not as `Image.write` does.
    """
    encoding = Encoding.of(unit)
    if unit.kind != "image" or len(unit.shape) != 2 or not (encoding.unsigned or encoding.plain):
        raise Unusable("not_a_product", f"{unit.cards.get('EXTNAME')}: not float32 or uint16")
    return encoding


def native_values(swapped: npt.NDArray[Any], encoding: Encoding) -> npt.NDArray[Any]:
    """Values of stored pixels whose bytes were swapped; in the same memory."""
    native: npt.NDArray[Any] = swapped.view(swapped.dtype.newbyteorder("="))
    if encoding.unsigned:
        native = native.view(np.uint16)
        native ^= UNSIGNED_ZERO
    return native


def cards_and_metrics(header: Cards) -> tuple[dict[str, Card], dict[str, float]]:
    """What the primary header of a product says of it, without structure and provenance.

    Raises
    ------
    Malformed
        A card is unreadable.
    """
    cards: dict[str, Card] = {}
    metrics: dict[str, float] = {}
    try:
        for keyword, value, comment in header.items():
            if keyword.startswith(_METRIC):
                measured = isinstance(value, int | float)
                name = keyword.removeprefix(_METRIC).lower()
                metrics[name] = float(value) if measured else math.nan  # type: ignore[arg-type]
            elif keyword not in _STRUCTURE and not is_provenance(keyword):
                cards[keyword] = (value, comment) if comment else value
    except BadHeader as error:
        raise Malformed(error.code, error.message) from error
    return cards, metrics
