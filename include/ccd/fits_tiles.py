"""Whether the table of a tile-compressed image can hold the image that its header tells of.

Decoders believe the header: from a table of more tiles than the image has they take the first,
what lies beyond the heap they leave out, and one tile twice is two tiles to them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from include.ccd.errors import BadHeader, Malformed, Unusable
from include.ccd.fits_cards import Cards
from include.ccd.fits_layout import Unit

SAFE_COMPRESSION: Final = frozenset({"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2"})

_MOST_PARAMETERS: Final = 9
_RICE: Final = frozenset({"RICE_1", "RICE_ONE"})
_FORM: Final = re.compile(
    r"(\d{0,6})([LBIJKAEDCMPQ])(?:(?<=[PQ])([LBIJKAEDCM]))?(?:\(\d*\))? *", re.ASCII
)
_BYTES: Final = dict(zip("LBIJKAEDCMPQ", (1, 1, 2, 4, 8, 1, 4, 8, 8, 16, 8, 16), strict=True))

Numbers = npt.NDArray[np.int64]


def check_compression(unit: Unit) -> None:
    """Refuse tile compression that is not known to be safe to unpack.

    Only RICE and GZIP: the others have a record of memory errors in their decoders.

    Raises
    ------
    Unusable
        Another algorithm, or tiles that do not fit the image.
    Malformed
        They hold wider numbers than the image.
    """
    cards = unit.cards.backed_by(None)
    name = cards.get("ZCMPTYPE")
    if name not in SAFE_COMPRESSION:
        allowed = ", ".join(sorted(SAFE_COMPRESSION))
        raise Unusable("compression_not_allowed", f"ZCMPTYPE is {name!r:.40}; allowed: {allowed}")
    _check_width(cards, unit.bitpix)
    for axis, length in enumerate(reversed(unit.shape), start=1):
        tile = cards.get(f"ZTILE{axis}")
        if tile is not None and not (isinstance(tile, int) and 1 <= tile <= length):
            raise Unusable("bad_tiles", f"ZTILE{axis} is {tile!r:.40} for {length} pixels")


def _check_width(cards: Cards, bitpix: int) -> None:
    """Refuse tiles of numbers wider than the image's: what does not fit would be cut off."""
    for number in range(1, _MOST_PARAMETERS + 1):
        if cards.get(f"ZNAME{number}") == "BYTEPIX":
            width = cards.get(f"ZVAL{number}")
            if isinstance(width, int) and width * 8 > abs(bitpix):
                message = f"ZBITPIX is {bitpix}, the tiles hold {width} bytes for each pixel"
                raise Malformed("bad_bitpix", message)


def check_table(content: bytes | bytearray | memoryview, unit: Unit) -> None:
    """Refuse a table that does not hold each tile of the image once.

    Parameters
    ----------
    content : bytes-like
        The whole file.
    unit : Unit
        Of kind 'compressed'.

    Raises
    ------
    Malformed
        It has more or fewer rows than the image has tiles; the bytes of a tile lie outside the
        heap, or are another's too; or real numbers were made whole and nobody says how.
    """
    cards = unit.cards.backed_by(None)
    try:
        rows, row_bytes, heap = (_whole(cards, key) for key in ("NAXIS2", "NAXIS1", "PCOUNT"))
        table = rows * row_bytes
        gap = _whole(cards, "THEAP") - table if "THEAP" in cards else 0
        columns = _columns(cards)
    except (BadHeader, ValueError) as error:
        raise _corrupt(f"its table makes no sense ({error!s:.80})") from error
    tiles = _number_of_tiles(unit, cards)
    if rows != tiles:
        raise _corrupt(f"the image has {tiles} tiles, the table {rows} rows")
    if unit.bitpix < 0 and cards.get("ZCMPTYPE") in _RICE:
        names = {column.name for column in columns}
        if not all(key in names or key in cards for key in ("ZSCALE", "ZZERO")):
            raise _corrupt("real numbers as whole ones, without ZSCALE and ZZERO")
    data = np.frombuffer(content, np.uint8, table, unit.data_start).reshape(rows, row_bytes)
    spans = np.concatenate([column.spans(data) for column in columns if column.size])
    _check_spans(spans, heap - gap)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its name, its place in a row; of what is in the heap, bytes per element, else 0."""

    name: str
    start: int
    form: str
    size: int

    def spans(self, data: npt.NDArray[np.uint8]) -> Numbers:
        """First and last byte in the heap, (n, 2), of each row that has some."""
        width = _BYTES[self.form]
        part = np.ascontiguousarray(data[:, self.start : self.start + width])
        pairs = part.view(">i4" if self.form == "P" else ">i8").astype(np.int64)
        pairs = pairs[pairs[:, 0] != 0]
        if np.any((pairs < 0) | (pairs > 1 << 48)):
            raise _corrupt("a tile has an impossible place in the heap")
        return np.stack([pairs[:, 1], pairs[:, 1] + self.size * pairs[:, 0]], axis=1)


def _columns(cards: Cards) -> list[_Column]:
    found, start = [], 0
    for number in range(1, _whole(cards, "TFIELDS") + 1):
        form = str(cards.get(f"TFORM{number}"))
        match = _FORM.fullmatch(form)
        if match is None:
            raise ValueError(f"TFORM{number} is {form!r:.40}")
        repeat, code, element = match.groups()
        size = _BYTES[element or "B"] if code in "PQ" else 0
        found.append(_Column(str(cards.get(f"TTYPE{number}")), start, code, size))
        start += int(repeat or 1) * _BYTES[code]
    if start != _whole(cards, "NAXIS1") or not any(column.size for column in found):
        raise ValueError("its columns do not make its rows, or none holds tiles")
    return found


def _number_of_tiles(unit: Unit, cards: Cards) -> int:
    tiles = 1
    for axis, length in enumerate(reversed(unit.shape), start=1):
        tile = cards.get(f"ZTILE{axis}")
        side = tile if isinstance(tile, int) else length if axis == 1 else 1
        tiles *= math.ceil(length / side)
    return tiles


def _check_spans(spans: Numbers, heap_bytes: int) -> None:
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    if np.any(spans[:, 1] > heap_bytes):
        raise _corrupt(f"a tile lies beyond the heap of {heap_bytes} bytes")
    if np.any(spans[1:, 0] < spans[:-1, 1]):
        raise _corrupt("two tiles share bytes of the heap")


def _whole(cards: Cards, keyword: str) -> int:
    value = cards.get(keyword)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{keyword} is {value!r:.40}")
    return value


def _corrupt(what: str) -> Malformed:
    return Malformed("corrupt_tiles", f"the compressed image cannot be read: {what}")
