"""FITS CHECKSUM and DATASUM: sums in 1's complement, and their text.

Method: FITS Standard 4.0, section 4.4.2.7 and appendix J (Seaman, Pence and Rots).
"""

from __future__ import annotations

from typing import Final

import numpy as np

ALL_ONES: Final = 0xFFFFFFFF
UNSET: Final = "0" * 16

_PUNCTUATION: Final = frozenset((*range(0x3A, 0x41), *range(0x5B, 0x61)))


def add_sum(data: bytes | bytearray | memoryview, total: int = 0) -> int:
    """1's complement sum of big-endian 32-bit words, added to an earlier one.

    Parameters
    ----------
    data : bytes-like
        Any length; a last incomplete word is filled with zeros, as FITS padding is.
    total : int
        Sum of what came before, which must have been whole words.
    """
    view = memoryview(data).cast("B")
    whole = len(view) // 4 * 4
    total += int(np.add.reduce(np.frombuffer(view[:whole], dtype=">u4"), dtype=np.uint64))
    if whole < len(view):
        total += int.from_bytes(bytes(view[whole:]).ljust(4, b"\0"), "big")
    return fold(total)


def encode(total: int) -> str:
    """The 16 characters that, in a CHECKSUM card, bring a unit's sum of `total` to all ones.

    Parameters
    ----------
    total : int
        Sum of the unit with CHECKSUM set to sixteen zeros.
    """
    complement = ALL_ONES - total
    columns = [_four_characters(byte) for byte in complement.to_bytes(4, "big")]
    text = "".join(chr(columns[byte][row]) for row in range(4) for byte in range(4))
    return text[-1] + text[:-1]


def _four_characters(byte: int) -> list[int]:
    """Four letters or digits whose codes, less 48 each, add up to a byte."""
    quarter, rest = divmod(byte, 4)
    codes = [quarter + rest + 0x30, quarter + 0x30, quarter + 0x30, quarter + 0x30]
    while any(code in _PUNCTUATION for code in codes):
        for first in (0, 2):
            if codes[first] in _PUNCTUATION or codes[first + 1] in _PUNCTUATION:
                codes[first] += 1
                codes[first + 1] -= 1
    return codes


def fold(total: int) -> int:
    """A sum of any size in 32 bits, the carry added from below as 1's complement has it."""
    while total > ALL_ONES:
        total = (total & ALL_ONES) + (total >> 32)
    return total
