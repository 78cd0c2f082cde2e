"""FITS written so that the same content is the same bytes, at nearly the speed of a raw write.

No clock, no host name, fixed order; every unit carries CHECKSUM and DATASUM. What is not
printable ASCII becomes '?': a header from a camera cannot break a header of ours.
"""

from __future__ import annotations

import errno
import io
import math
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from include.ccd.fits_cards import BLOCK, CARD
from include.ccd.fits_checksum import UNSET, add_sum, encode, fold

CardValue = str | int | float | bool | None
Card = CardValue | tuple[CardValue, str]

STRIPE: Final = 1 << 18
HIERARCH: Final = "HIERARCH"

_SHORT: Final = re.compile(r"[A-Z0-9_-]{1,8}")
_LONG: Final = re.compile(r"[A-Z0-9_-]+( [A-Z0-9_-]+)*")
_SPOKEN_FOR: Final = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|EXTNAME|[PG]COUNT|GROUPS|B(SCALE|ZERO|UNIT)|BLANK"
    r"|END|CHECKSUM|DATASUM|COMMENT|HISTORY|CONTINUE|HIERARCH"
)
_BITPIX: Final = {"f4": -32, "u2": 16}
_LONGEST_TEXT: Final = CARD - 12
_WORTH_RESERVING_BYTES: Final = 1 << 20
# File systems, devices and pipes in which room cannot be taken beforehand.
_CANNOT_RESERVE: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV, errno.ESPIPE})


def check_keyword(keyword: str) -> None:
    """Refuse a keyword that a product's card cannot have.

    Raises
    ------
    ValueError
        Not upper-case letters, digits, '-' and '_', or one that the format itself uses.
    """
    if _SPOKEN_FOR.fullmatch(keyword):
        raise ValueError(f"keyword {keyword} belongs to the FITS format")
    if not (_SHORT.fullmatch(keyword) or (_LONG.fullmatch(keyword) and len(keyword) <= 40)):
        raise ValueError(f"keyword must be of A-Z, 0-9, '-', '_', at most 40 long: {keyword!r}")


def format_card(keyword: str, card: Card) -> str:
    """Text of one card, a multiple of 80 characters.

    Parameters
    ----------
    keyword : str
        One of more than eight letters becomes a HIERARCH card.
    card : value, or (value, comment)
        Long text is continued (CONTINUE); NaN, infinities and None have no value in FITS and
        leave it blank; a comment that does not fit is cut.

    Raises
    ------
    ValueError
        Text too long for a HIERARCH card, which cannot be continued.
    """
    value, comment = card if isinstance(card, tuple) else (card, "")
    if isinstance(value, str):
        return _text_card(keyword, _ascii(value), _ascii(comment))
    return _finish(f"{_start(keyword)}{_literal(value):>20}", _ascii(comment))


def header_bytes(cards: Iterable[str]) -> bytes:
    """Header blocks of formatted cards."""
    text = "".join(cards) + "END".ljust(CARD)
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("ascii")


def write_primary(stream: BinaryIO, cards: list[str]) -> None:
    """Write a primary unit without data."""
    structure = [
        format_card("SIMPLE", (True, "FITS Standard 4.0")),
        format_card("BITPIX", 8),
        format_card("NAXIS", 0),
        format_card("EXTEND", True),
    ]
    stream.write(_with_checksum([*structure, *cards], 0))


def write_plane(stream: BinaryIO, name: str, plane: npt.NDArray[Any], *, unit: str = "") -> None:
    """Write an image extension.

    Parameters
    ----------
    stream : binary file
    name : str
        EXTNAME.
    plane : float32 or uint16 (ny, nx)
        uint16 is stored by the offset convention, BZERO = 32768.
    unit : str
        BUNIT; none when empty.
    """
    cards = [
        format_card("XTENSION", "IMAGE"),
        format_card("BITPIX", _BITPIX[plane.dtype.str[1:]]),
        format_card("NAXIS", 2),
        format_card("NAXIS1", plane.shape[1]),
        format_card("NAXIS2", plane.shape[0]),
        format_card("PCOUNT", 0),
        format_card("GCOUNT", 1),
        format_card("EXTNAME", name),
    ]
    if plane.dtype == np.uint16:
        cards += [format_card("BSCALE", 1), format_card("BZERO", 32768)]
    if unit:
        cards.append(format_card("BUNIT", unit))
    header = _with_checksum(cards, _datasum(plane))
    padding = bytes(-plane.nbytes % BLOCK)
    _reserve(stream, len(header) + plane.nbytes + len(padding))
    stream.write(header)
    for block in _stored(plane):
        stream.write(block)
    stream.write(padding)


def _reserve(stream: BinaryIO, size_bytes: int) -> None:
    """Take the room on the disk in one piece.

    Faster than having each page looked for when it is written, and a full disk says so first.
    """
    if size_bytes < _WORTH_RESERVING_BYTES or not isinstance(stream, io.BufferedWriter | io.FileIO):
        return
    try:
        os.posix_fallocate(stream.fileno(), stream.tell(), size_bytes)
    except OSError as error:
        if error.errno not in _CANNOT_RESERVE:
            raise


def _words(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The plane in one row of native whole numbers with the same bits: uint32 or uint16."""
    native = np.ascontiguousarray(plane, plane.dtype.newbyteorder("=")).reshape(-1)
    return native if native.dtype == np.uint16 else native.view(np.uint32)


def _datasum(plane: npt.NDArray[Any]) -> int:
    from include.ccd import _kernels_fits as kernels

    words = _words(plane)
    add = kernels.sum_unsigned if words.dtype == np.uint16 else kernels.sum_words
    return fold(int(add(words)))


def _stored(plane: npt.NDArray[Any]) -> Iterator[memoryview]:
    """The plane as FITS stores it, stripe by stripe; each is gone when the next is asked for."""
    from include.ccd import _kernels_fits as kernels

    words = _words(plane)
    store = kernels.store_unsigned if words.dtype == np.uint16 else kernels.store_words
    stripe = np.empty(min(STRIPE, words.size), words.dtype)
    for start in range(0, words.size, STRIPE):
        part = words[start : start + STRIPE]
        target = stripe[: part.size]
        store(part, target)
        yield target.data.cast("B")


def _with_checksum(cards: list[str], datasum: int) -> bytes:
    """Header blocks whose CHECKSUM brings the unit to all ones. No comment holds a time."""
    cards = [*cards, format_card("DATASUM", (str(datasum), "sum of the data, 1's complement"))]
    unset = header_bytes([*cards, format_card("CHECKSUM", UNSET)])
    return header_bytes([*cards, format_card("CHECKSUM", encode(add_sum(unset, datasum)))])


def _ascii(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def _literal(value: CardValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "T" if value else "F"
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float):
        return repr(number).upper() if math.isfinite(number) else ""
    return str(number)


def _start(keyword: str) -> str:
    return f"{keyword:<8}= " if len(keyword) <= 8 else f"{HIERARCH} {keyword} = "


def _finish(card: str, comment: str) -> str:
    if comment:
        card = f"{card} / {comment}"
    return card[:CARD].ljust(CARD)


def _text_card(keyword: str, text: str, comment: str) -> str:
    start = _start(keyword)
    pieces = _pieces(text.replace("'", "''"), CARD - len(start) - 2)
    if len(pieces) > 1 and len(keyword) > 8:
        raise ValueError(f"text too long for the keyword {keyword}: {text[:40]!r}")
    if len(pieces) == 1:
        return _finish(f"{start}{_quoted(pieces[0]):<20}", comment)
    first, *middle, last = pieces
    lines = [f"{start}'{first}&'", *(f"CONTINUE  '{piece}&'" for piece in middle)]
    continued = "".join(line.ljust(CARD) for line in lines)
    return continued + _finish(f"CONTINUE  '{last}'", comment)


def _quoted(text: str) -> str:
    return f"'{text:<8}'"


def _pieces(escaped: str, room: int) -> list[str]:
    """Text cut so that each piece fits a card and no doubled quote is torn apart."""
    if len(escaped) <= room:
        return [escaped]
    pieces = []
    room = min(room, _LONGEST_TEXT) - 1
    while len(escaped) > room:
        cut = room
        quotes = len(escaped[:cut]) - len(escaped[:cut].rstrip("'"))
        cut -= quotes % 2
        pieces.append(escaped[:cut])
        escaped = escaped[cut:]
    return [*pieces, escaped]
