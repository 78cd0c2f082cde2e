"""Where the header-data units of a file are, computed from its headers and held against its size.

The common libraries open many broken files without a word. Here the size that every header
implies is computed before a pixel is read, and compared with what is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from include.ccd.errors import BadHeader, Incomplete, Malformed, Unusable
from include.ccd.fits_cards import BLOCK, CARD, PRINTABLE, Cards, is_end
from include.ccd.fits_file import GZIP_MAGIC, Source
from include.ccd.fits_slip import refuse_slipped

MAX_PIXELS: Final = 200_000_000
MAX_HEADER_BLOCKS: Final = 1000
MAX_UNITS: Final = 100
BITPIX: Final = frozenset({8, 16, 32, 64, -32, -64})

_SIMPLE: Final = b"SIMPLE  = "
_XTENSION: Final = b"XTENSION= "
_TABLES: Final = frozenset({"BINTABLE", "TABLE"})
# Axes, and columns of a table: FITS Standard 4.0, sections 4.4.1 and 7.
_MOST: Final = 999


@dataclass(frozen=True, slots=True)
class Unit:
    """One header-data unit.

    Attributes
    ----------
    index : int
        Position in the file, 0 is the primary one.
    raw : bytes
        Its header blocks, verbatim.
    cards : Cards
        The same, indexed; keywords it lacks are those of the primary header.
    kind : str
        'image', 'compressed' (a tile-compressed image), 'empty' or 'other'.
    bitpix : int
        Type of the stored pixels; of a compressed image, of what it unpacks to.
    shape : tuple of int
        Axes in numpy order, of the image itself when it is compressed. Axes of one pixel beyond
        the second, as of a series of one exposure, are left out.
    start, data_start, data_bytes : int
        Offsets in bytes from the beginning of the file; size without padding.
    """

    index: int
    raw: bytes
    cards: Cards
    kind: str
    bitpix: int
    shape: tuple[int, ...]
    start: int
    data_start: int
    data_bytes: int

    @property
    def name(self) -> str:
        """EXTNAME; empty when the unit has none that can be read."""
        try:
            return str(self.cards.get("EXTNAME") or "") if self.cards.states("EXTNAME") else ""
        except BadHeader:
            return ""

    @property
    def data_end(self) -> int:
        """Offset of the first byte behind its data."""
        return self.data_start + self.data_bytes

    @property
    def is_frame(self) -> bool:
        """Whether it holds an image of two dimensions."""
        return self.kind in {"image", "compressed"} and len(self.shape) == 2

    @property
    def end(self) -> int:
        """Offset of the next unit."""
        return self.data_start + -(-self.data_bytes // BLOCK) * BLOCK


@dataclass(frozen=True, slots=True)
class Layout:
    """All units of a file, and what is unusual about their arrangement."""

    units: tuple[Unit, ...]
    flags: frozenset[str]

    def image(self, hdu: int | str | None, *, expect_more: bool = False) -> Unit:
        """The unit that holds the image: the given one, or the first with two dimensions.

        Parameters
        ----------
        hdu : int, str or None
            Position in the file, or EXTNAME.
        expect_more : bool
            An extension belongs to this kind of file: without one it may still be arriving.

        Raises
        ------
        Unusable
            There is none, or the given unit is something else.
        Incomplete
            The extension that should hold it is not there yet.
        """
        candidates = self._candidates(hdu)
        for unit in candidates:
            if unit.is_frame:
                return unit
        if not candidates or (expect_more and len(self.units) == 1):
            raise Incomplete("no_image_yet", "the extension with the image is not there")
        seen = ", ".join(f"{unit.kind} {unit.shape}" for unit in self.units[:8])
        raise Unusable("no_image", f"no two-dimensional image among: {seen}")

    def is_ambiguous(self, hdu: int | str | None) -> bool:
        """Whether `image` takes one of several, and nobody has said that it is to be this one."""
        return sum(unit.is_frame for unit in self._candidates(hdu)) > 1

    def _candidates(self, hdu: int | str | None) -> tuple[Unit, ...]:
        if hdu is None:
            return self.units
        if isinstance(hdu, int):
            return self.units[hdu : hdu + 1]
        return tuple(unit for unit in self.units if unit.name == hdu)


def read_layout(
    source: Source, *, max_pixels: int = MAX_PIXELS, max_bytes: int = 1 << 40
) -> Layout:
    """The units of a file.

    Raises
    ------
    Malformed
        The bytes are not FITS.
    Incomplete
        The file ends before its headers say it should.
    Unusable
        A header announces more than `max_pixels` or `max_bytes`, or there are too many headers.
    """
    flags: set[str] = set()
    units = [unit for unit, _ in _walk(source, max_pixels, max_bytes, flags)]
    return Layout(tuple(units), frozenset(flags))


def read_lone_unit(
    source: Source, *, max_pixels: int = MAX_PIXELS, max_bytes: int = 1 << 40
) -> Layout | None:
    """The layout of a file that is one unit; None when another follows, which is not read.

    Raises
    ------
    BadFits
        As `read_layout`.
    """
    flags: set[str] = set()
    unit, is_last = next(_walk(source, max_pixels, max_bytes, flags))
    return Layout((unit,), frozenset(flags)) if is_last else None


def _walk(
    source: Source, max_pixels: int, max_bytes: int, flags: set[str]
) -> Iterator[tuple[Unit, bool]]:
    """Each unit, and whether it is the last."""
    primary: Cards | None = None
    start, blocks_left = 0, MAX_HEADER_BLOCKS
    for index in range(MAX_UNITS):
        raw = _read_header(source, start, blocks_left)
        blocks_left -= len(raw) // BLOCK
        unit = _unit(index, raw, primary, start)
        _refuse_bombs(unit, max_pixels, max_bytes)
        if raw.count(b"\0"):
            flags.add("null_padding")
        is_last = _is_last(source, unit, flags)
        yield unit, is_last
        if is_last:
            return
        start = unit.end
        primary = primary or unit.cards
    raise Unusable("too_many_units", f"more than {MAX_UNITS} header-data units")


def _is_last(source: Source, unit: Unit, flags: set[str]) -> bool:
    there = source.reaches(unit.end + BLOCK)
    if there < unit.data_end:
        _refuse_other_type(source, unit, there)
        message = f"unit {unit.index} needs {unit.data_end} bytes; {there} are there"
        raise Incomplete("truncated_data", message)
    if there < unit.end:
        if there > unit.data_end:
            refuse_slipped(source, unit, there)
        flags.add("padding_missing")
        return True
    if unit.kind == "image" and any(source.read(unit.data_end, unit.end - unit.data_end)):
        flags.add("padding_not_empty")
    if there == unit.end:
        return True
    following = bytes(source.read(unit.end, len(_XTENSION)))
    if following == _XTENSION:
        return False
    if len(following) < len(_XTENSION) and _XTENSION.startswith(following):
        raise Incomplete("truncated_header", "the next unit has only begun")
    there = source.reaches(unit.data_start + 8 * unit.data_bytes + BLOCK)
    _refuse_other_type(source, unit, there)
    refuse_slipped(source, unit, there)
    flags.add("trailing_bytes")
    return True


def _refuse_other_type(source: Source, unit: Unit, there: int) -> None:
    """The file has exactly the size that the same image has with pixels of another type."""
    if unit.kind != "image":
        return
    values = unit.data_bytes // (abs(unit.bitpix) // 8)
    for width in {1, 2, 4, 8} - {abs(unit.bitpix) // 8}:
        end = unit.data_start + values * width
        padding = -(-end // BLOCK) * BLOCK - end
        # data_start is whole blocks, so what is left of the last block is padding, of zeros
        if padding and there == end + padding and not any(source.read(end, padding)):
            message = f"BITPIX is {unit.bitpix}, the size of the file says {8 * width} bits"
            raise Malformed("bad_bitpix", message)


def _read_header(source: Source, start: int, most_blocks: int) -> bytes:
    """Header blocks from an offset up to and with the one that holds END."""
    blocks: list[bytes] = []
    while len(blocks) < most_blocks:
        block = bytes(source.read(start + len(blocks) * BLOCK, BLOCK))
        if not blocks:
            _check_beginning(block, first=start == 0)
        blocks.append(block)
        if _holds_end(block):
            if len(block) < BLOCK:
                raise Incomplete("truncated_header", "the last header block is not complete")
            return b"".join(blocks)
        if len(block) < BLOCK:
            _refuse_unended(block)
            raise Incomplete("truncated_header", "the file ends inside a header")
        _refuse_unended(block)
    raise Malformed("header_too_long", f"more than {MAX_HEADER_BLOCKS} blocks of headers")


def _check_beginning(block: bytes, *, first: bool) -> None:
    magic = _SIMPLE if first else _XTENSION
    if block.startswith(magic):
        return
    begun = (magic, GZIP_MAGIC) if first else (magic,)
    if any(len(block) < len(each) and each.startswith(block) for each in begun):
        raise Incomplete("truncated_header", "the file has only begun")
    if not block.strip(b"\0"):
        raise Incomplete("preallocated", "the file begins with zeros: nothing is written yet")
    raise Malformed("not_fits", f"begins with {block[:20]!r}, not with {magic.decode()!r}")


def _holds_end(block: bytes) -> bool:
    at = block.find(b"END")
    while at >= 0:
        if at % CARD == 0 and is_end(block[at : at + CARD].decode("latin-1")):
            return True
        at = block.find(b"END", at + 1)
    return False


def _refuse_unended(block: bytes) -> None:
    """A header block without END must still look like a header."""
    text = block.rstrip(b"\0")
    if len(text) < len(block) and text.isascii():
        raise Incomplete("preallocated", "a header is only half written")
    # control characters in one value are survivable; pixels are full of them
    strange = len(block.translate(None, PRINTABLE))
    if strange > len(block) // 10:
        raise Malformed("no_end", "the header has no END card")


def _unit(index: int, raw: bytes, primary: Cards | None, start: int) -> Unit:
    own = Cards(raw)
    try:
        return _describe(index, raw, own, primary, start)
    except BadHeader as error:
        raise Malformed(error.code, error.message) from error


def _describe(index: int, raw: bytes, own: Cards, primary: Cards | None, start: int) -> Unit:
    if index == 0 and own.get("SIMPLE") is not True:
        raise Malformed("not_simple", f"SIMPLE is {own.get('SIMPLE')!r:.40}, not T")
    if index == 0 and "XTENSION" in own:
        raise Malformed("two_headers", "the header of an extension runs on in the primary one")
    bitpix = _whole(own, "BITPIX")
    if bitpix not in BITPIX:
        raise Malformed("bad_bitpix", f"BITPIX is {bitpix}, which FITS does not know")
    axes = [_size(own, f"NAXIS{i + 1}") for i in range(_size(own, "NAXIS", at_most=_MOST))]
    values = 0 if not axes else math.prod(axes)
    if index > 0:
        values = _size(own, "GCOUNT", absent=1) * (_size(own, "PCOUNT", absent=0) + values)
    kind, shape, pixel = "other", tuple(reversed(axes)), bitpix
    extension = "IMAGE" if index == 0 else str(own.get("XTENSION")).strip()
    if extension == "IMAGE":
        kind = "image" if values else "empty"
        if values != (math.prod(axes) if axes else 0):
            raise Malformed("bad_pcount", "an image extension with groups or parameters")
    elif _is_packed_image(extension, own):
        kind, pixel = "compressed", _whole(own, "ZBITPIX")
        count = _size(own, "ZNAXIS", at_most=_MOST)
        shape = tuple(_size(own, f"ZNAXIS{i}") for i in range(count, 0, -1))
    cards = own.backed_by(primary)
    size = abs(bitpix) // 8 * values
    return Unit(index, raw, cards, kind, pixel, _plane(shape), start, start + len(raw), size)


def _is_packed_image(extension: str, own: Cards) -> bool:
    if extension in _TABLES:
        # Who reads a table looks for each column that is announced, be it ten thousand millions.
        _size(own, "TFIELDS", absent=0, at_most=_MOST)
    return extension == "BINTABLE" and own.get("ZIMAGE") is True


def _plane(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes without those of one pixel that stand before the last two."""
    extra = shape[:-2]
    return shape[len(extra) :] if set(extra) == {1} else shape


def _refuse_bombs(unit: Unit, max_pixels: int, max_bytes: int) -> None:
    pixels = math.prod(unit.shape)
    if unit.kind in {"image", "compressed"} and pixels > max_pixels:
        raise Unusable("too_many_pixels", f"{unit.shape} pixels; at most {max_pixels}")
    if unit.data_bytes > max_bytes:
        raise Unusable("too_large", f"unit {unit.index} announces {unit.data_bytes} bytes")
    if unit.kind == "compressed" and unit.bitpix not in BITPIX:
        raise Malformed("bad_bitpix", f"ZBITPIX is {unit.bitpix}, which FITS does not know")


def _whole(cards: Cards, keyword: str) -> int:
    value = cards.get(keyword)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad_structure(keyword, value)
    return value


def _size(cards: Cards, keyword: str, *, absent: int | None = None, at_most: int = 1 << 48) -> int:
    if absent is not None and keyword not in cards:
        return absent
    value = _whole(cards, keyword)
    if not 0 <= value <= at_most:
        raise _bad_structure(keyword, value)
    return value


def _bad_structure(keyword: str, value: object) -> Malformed:
    """The error of a structural keyword that is absent or is not a size."""
    code = f"bad_{keyword.rstrip('0123456789').lower()}"
    return Malformed(code, f"{keyword} is {value!r:.40}: not a whole number in range")
