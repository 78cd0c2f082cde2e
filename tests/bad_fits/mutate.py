"""Damage that no catalogue lists: good files, and what bits, disks, cables and people do to them.

Every mutation is a name and a number, and gives the same bytes for ever: a failing example can
be written down in one line and tried again.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from tests.bad_fits.compressed import quantised
from tests.bad_fits.frames import (
    BLOCK,
    CARD,
    Random,
    empty_primary,
    extension,
    frame,
    packed,
    random,
    scene,
    summed,
)

Mutation = tuple[str, int]

KEYWORDS: Final = [
    *("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "BZERO", "BSCALE", "BLANK", "EXTEND"),
    *("DATE-OBS", "JD", "EXPTIME", "EXPOSURE", "IMAGETYP", "FILTER", "XBINNING", "YBINNING"),
    *("CCD-TEMP", "OBJECT", "OBJCTRA", "OBJCTDEC", "AIRMASS", "END", "CONTINUE", "HIERARCH A"),
    *("PCOUNT", "GCOUNT", "TFIELDS", "ZIMAGE", "ZCMPTYPE", "ZBITPIX", "ZNAXIS1", "ZTILE1"),
    *("ZVAL1", "TFORM1", "THEAP", "CHECKSUM", "DATASUM", "XTENSION", "COMMENT", ""),
]
VALUES: Final = [
    *("T", "F", "0", "1", "-1", "2", "3", "8", "16", "32", "-32", "17", "64", "48", "65536"),
    *("1E5", "6D1", "1e-3", "1.", ".5", "+7", "- 7", "1E999", "NaN", "nan", "inf", "60,5", "0x10"),
    *("1_000", "9" * 19, "9" * 60, "(1,2)", "''", "'  '", "'a", "a'", "'a''b'", "'a&'", "'a' b"),
    *("'2024-03-05T03:04:05'", "'2024-03-05'", "'1970-01-01T00:00:00'", "'05/03/24'", "2460374.63"),
    *("'Light Frame'", "'Bias Frame'", "'Dark Frame'", "'Flat Field'", "'RICE_1'", "'HCOMPRESS_1'"),
    *("'1PB(99999999)'", "'1PJ'", "/ only a comment", "", "'\xff\xfe'", "'a\nb'", "\0\0\0"),
]


def _plain(rng: Random) -> bytes:
    return frame(rng)


def _bias(rng: Random) -> bytes:
    return frame(rng, {"IMAGETYP": "'Bias Frame'", "EXPTIME": "0"})


def _float(rng: Random) -> bytes:
    return frame(rng, {"BITPIX": "-32", "BZERO": "0"}, pixels=scene(rng).astype(np.float32))


def _scaled(rng: Random) -> bytes:
    stored = scene(rng).astype(np.int32)
    return frame(rng, {"BITPIX": "32", "BZERO": "-3.5", "BSCALE": "0.25"}, pixels=stored)


def _extensions(rng: Random) -> bytes:
    return empty_primary() + extension(rng) + extension(rng, {"EXTNAME": "'SECOND'"})


def _zipped(rng: Random) -> bytes:
    return gzip.compress(frame(rng), 1, mtime=0)


def _simulated(rng: Random) -> bytes:
    """A science frame of the simulator, in the dialect of MaxIm DL."""
    import tempfile

    from include.toritos.simulator import NightPlan, simulate_night

    plan = NightPlan(
        night=date(2024, 3, 4),
        size_px=64,
        biases=0,
        darks={},
        flats={},
        science={"V": 1},
        exptime_s=60.0,
        seed=11,
    )
    with tempfile.TemporaryDirectory() as folder:
        simulate_night(plan, Path(folder))
        (path,) = Path(folder).rglob("*.fit*")
        return path.read_bytes()


BASES: Final[dict[str, tuple[str, Callable[[Random], bytes]]]] = {
    "plain": ("a.fits", _plain),
    "bias": ("a.fits", _bias),
    "simulated": ("a.fits", _simulated),
    "float": ("a.fits", _float),
    "scaled": ("a.fits", _scaled),
    "summed": ("a.fits", summed),
    "extensions": ("a.fits", _extensions),
    "gzip": ("a.fits.gz", _zipped),
    "rice": ("a.fits.fz", packed),
    "rice summed": ("a.fits.fz", lambda rng: packed(rng, checksum=True)),
    "gzip tiles": ("a.fits.fz", lambda rng: packed(rng, kind="GZIP_2")),
    "quantised": ("a.fits.fz", quantised),
}


@functools.cache
def base(name: str) -> bytes:
    """A good file."""
    return BASES[name][1](random(7))


def _somewhere(rng: Random, content: bytearray) -> int:
    """An offset, half of the time in the first header."""
    end = len(content) if rng.random() < 0.5 else min(len(content), BLOCK)
    return int(rng.integers(0, max(end, 1)))


def _card(rng: Random, content: bytearray) -> int:
    """Offset of a card that says something, or of anything like a card."""
    cards = [
        at for at in range(0, min(len(content), 4 * BLOCK), CARD) if content[at : at + 2].isalpha()
    ]
    return int(rng.choice(cards)) if cards else 0


def flip(rng: Random, content: bytearray) -> None:
    """Some bits."""
    for _ in range(int(rng.integers(1, 9))):
        at = _somewhere(rng, content)
        content[at : at + 1] = bytes([content[at] ^ (1 << int(rng.integers(8)))])


def scribble(rng: Random, content: bytearray) -> None:
    """Random bytes over some others."""
    at, size = _somewhere(rng, content), int(rng.integers(1, 60))
    content[at : at + size] = rng.bytes(len(content[at : at + size]))


def blank(rng: Random, content: bytearray) -> None:
    """Zeros over some bytes: a hole in a sparse file."""
    at, size = _somewhere(rng, content), int(rng.integers(1, 5000))
    content[at : at + size] = bytes(len(content[at : at + size]))


def splice(rng: Random, content: bytearray) -> None:
    """A piece of the file over another."""
    source, target, size = (
        _somewhere(rng, content),
        _somewhere(rng, content),
        int(rng.integers(1, 4000)),
    )
    content[target : target + size] = content[source : source + size]


def insert(rng: Random, content: bytearray) -> None:
    """Some bytes more."""
    at = _somewhere(rng, content)
    content[at:at] = rng.bytes(int(rng.integers(1, 100)))


def delete(rng: Random, content: bytearray) -> None:
    """Some bytes less."""
    at = _somewhere(rng, content)
    del content[at : at + int(rng.integers(1, 100))]


def cut(rng: Random, content: bytearray) -> None:
    """The end is not there."""
    del content[int(rng.integers(0, len(content) + 1)) :]


def cut_block(rng: Random, content: bytearray) -> None:
    """The end is not there, from a block on."""
    del content[int(rng.integers(0, len(content) // BLOCK + 1)) * BLOCK :]


def swap_cards(rng: Random, content: bytearray) -> None:
    """Two cards in each other's place."""
    one, other = _card(rng, content), _card(rng, content)
    first, second = content[one : one + CARD], content[other : other + CARD]
    content[one : one + CARD], content[other : other + CARD] = second, first


def repeat_card(rng: Random, content: bytearray) -> None:
    """A card a second time, over another."""
    one, other = _card(rng, content), _card(rng, content)
    content[other : other + CARD] = content[one : one + CARD]


def write_card(rng: Random, content: bytearray) -> None:
    """A card that says something that cards say, or should not."""
    keyword, value = str(rng.choice(KEYWORDS)), str(rng.choice(VALUES))
    text = f"{keyword:<8}= {value}" if rng.random() < 0.5 else f"{keyword:<8}= {value:>20}"
    at = _card(rng, content)
    content[at : at + CARD] = text[:CARD].ljust(CARD).encode("latin-1")


def write_value(rng: Random, content: bytearray) -> None:
    """Another value for a keyword that is there."""
    at = _card(rng, content)
    if content[at + 8 : at + 10] == b"= ":
        value = str(rng.choice(VALUES)).encode("latin-1")
        content[at + 10 : at + CARD] = value.rjust(20).ljust(CARD - 10)[: CARD - 10]


def write_digit(rng: Random, content: bytearray) -> None:
    """Another digit in a value."""
    at = _card(rng, content)
    digits = [i for i in range(at + 10, at + 31) if content[i : i + 1].isdigit()]
    if digits:
        content[int(rng.choice(digits))] = int(rng.integers(48, 58))


def repeat_block(rng: Random, content: bytearray) -> None:
    """A block twice."""
    at = int(rng.integers(0, len(content) // BLOCK + 1)) * BLOCK
    content[at:at] = content[at : at + BLOCK]


def drop_block(rng: Random, content: bytearray) -> None:
    """A block not at all."""
    at = int(rng.integers(0, len(content) // BLOCK + 1)) * BLOCK
    del content[at : at + BLOCK]


def swap_bytes(rng: Random, content: bytearray) -> None:
    """A stretch in the other byte order."""
    at, size = 2 * (_somewhere(rng, content) // 2), 2 * int(rng.integers(1, 2000))
    part = content[at : at + size]
    part = part[: len(part) // 2 * 2]
    content[at : at + len(part)] = np.frombuffer(bytes(part), "u2").byteswap().tobytes()


def append(rng: Random, content: bytearray) -> None:
    """Something behind."""
    content += rng.bytes(int(rng.integers(1, 4000))) if rng.random() < 0.5 else bytes(BLOCK)


def zip_again(rng: Random, content: bytearray) -> None:
    """The damaged file, compressed."""
    content[:] = gzip.compress(bytes(content), 1, mtime=0)


MUTATIONS: Final[dict[str, Callable[[Random, bytearray], None]]] = {
    each.__name__: each
    for each in (
        *(flip, scribble, blank, splice, insert, delete, cut, cut_block, swap_cards, repeat_card),
        *(write_card, write_value, write_digit, repeat_block, drop_block, swap_bytes, append),
        zip_again,
    )
}


def mutated(content: bytes, mutations: Sequence[Mutation]) -> bytes:
    """The content after some mutations, in order."""
    damaged = bytearray(content)
    for name, seed in mutations:
        if damaged:
            MUTATIONS[name](random(seed), damaged)
    return bytes(damaged)
