"""Catalogue B6.3: compression, and the sums that say whether bytes are what they were."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from tests.bad_fits.case import Case
from tests.bad_fits.frames import Random, frame, header, packed, scene, summed
from tests.bad_fits.tiles import with_card, with_places


def zipped(rng: Random) -> bytes:
    """A good frame, gzip."""
    return gzip.compress(frame(rng), mtime=0)


def cut_at(make: Callable[[Random], bytes], low: float, high: float) -> Callable[[Random], bytes]:
    """The beginning of a file, a random part of it."""

    def cut(rng: Random) -> bytes:
        content = make(rng)
        return content[: int(len(content) * rng.uniform(low, high))]

    return cut


def spoilt(make: Callable[[Random], bytes], offset: int) -> Callable[[Random], bytes]:
    """A file in which one byte is another, counted from the end."""

    def spoil(rng: Random) -> bytes:
        content = bytearray(make(rng))
        content[-offset] ^= 0x55
        return bytes(content)

    return spoil


def bomb(rng: Random) -> bytes:
    """A frame, and a gigabyte of zeros that nobody announced: 1 MB of file."""
    return zipped(rng) + gzip.compress(bytes(16 << 20), 9) * 64


def announced_bomb(rng: Random) -> bytes:
    """A header that announces 400 million pixels, and zeros."""
    announced = header({"NAXIS1": "20000", "NAXIS2": "20000"})
    return gzip.compress(announced) + gzip.compress(bytes(16 << 20), 9) * 50


def tiles(**kwargs: Any) -> Callable[[Random], bytes]:
    """A tile-compressed frame."""
    return lambda rng: packed(rng, **kwargs)


def broken_tile(rng: Random) -> bytes:
    """A gzip stream inside a tile that is no more one."""
    content = bytearray(packed(rng, kind="GZIP_1"))
    heap = content.rindex(b"\x1f\x8b\x08")
    content[heap : heap + 40] = bytes(40)
    return bytes(content)


def renamed(old: bytes, new: bytes, **kwargs: Any) -> Callable[[Random], bytes]:
    """A packed frame in whose header something else stands."""
    return lambda rng: packed(rng, **kwargs).replace(old.ljust(len(new)), new.ljust(len(old)), 1)


def series_of_one(rng: Random) -> bytes:
    """A packed image with a third axis of one pixel."""
    return packed(rng, pixels=scene(rng)[np.newaxis], drop=("BZERO", "BSCALE", "NAXIS1", "NAXIS2"))


def quantised(rng: Random) -> bytes:
    """Real numbers, packed with loss: readable, and nobody says what by how much."""
    return packed(
        rng,
        pixels=scene(rng).astype(np.float32),
        changes={"BITPIX": "-32"},
    )


def other(keyword: str, value: object) -> Callable[[Random], bytes]:
    """A packed frame whose table is said to be another."""
    return lambda rng: with_card(packed(rng), keyword, value)


def tile_twice(rng: Random) -> bytes:
    """A packed frame in which one tile stands in two places."""
    return with_places(packed(rng), lambda pairs: pairs.__setitem__(7, pairs[6]))


FZ: Final = "frame.fits.fz"
GZ: Final = "frame.fits.gz"

COMPRESSED: Final = [
    Case(0, "fewer tiles said than there are", "QUARANTINE", other("ZNAXIS2", 40), "corrupt_tiles"),
    Case(0, "tiles said to be higher", "QUARANTINE", other("ZTILE2", 2), "corrupt_tiles"),
    Case(0, "heap said to be shorter", "QUARANTINE", other("PCOUNT", 900), "corrupt_tiles"),
    Case(0, "one tile twice", "QUARANTINE", tile_twice, "corrupt_tiles"),
    Case(67, "gzip", "OK", zipped, file_name=GZ),
    Case(67, "gzip named as plain", "OK", zipped),
    Case(67, "plain named as gzip", "OK", frame, file_name=GZ),
    Case(
        67,
        "gzip in several members",
        "OK",
        lambda rng: b"".join(gzip.compress(part) for part in _halves(frame(rng))),
        file_name=GZ,
    ),
    Case(67, "gzip with zeros behind", "OK", lambda rng: zipped(rng) + bytes(512), file_name=GZ),
    Case(
        67,
        "gzip with garbage behind",
        "FLAG",
        lambda rng: zipped(rng) + b"garbage",
        "trailing_bytes",
        file_name=GZ,
    ),
    Case(
        67,
        "gzip with garbage within",
        "FLAG",
        lambda rng: gzip.compress(frame(rng) + b"garbage"),
        "trailing_bytes",
        file_name=GZ,
    ),
    Case(
        67,
        "gzip of a page",
        "QUARANTINE",
        lambda rng: gzip.compress(b"<html>" * 900),
        "not_fits",
        file_name=GZ,
    ),
    Case(
        67,
        "gzip in gzip",
        "QUARANTINE",
        lambda rng: gzip.compress(zipped(rng)),
        "not_fits",
        file_name=GZ,
    ),
    Case(68, "first byte of a gzip", "WAIT", lambda rng: b"\x1f", "truncated_header", file_name=GZ),
    Case(68, "gzip cut", "WAIT", cut_at(zipped, 0.3, 0.9), "truncated_gzip", file_name=GZ),
    Case(
        68,
        "gzip cut in its trailer",
        "WAIT",
        lambda rng: zipped(rng)[:-3],
        "truncated_gzip",
        file_name=GZ,
    ),
    Case(
        68, "gzip with a wrong sum", "QUARANTINE", spoilt(zipped, 6), "corrupt_gzip", file_name=GZ
    ),
    Case(
        68, "gzip with a wrong size", "QUARANTINE", spoilt(zipped, 2), "corrupt_gzip", file_name=GZ
    ),
    Case(70, "gzip bomb", "QUARANTINE", bomb, "too_large", file_name=GZ),
    Case(70, "announced gzip bomb", "QUARANTINE", announced_bomb, "too_many_pixels", file_name=GZ),
    Case(71, "RICE", "OK", tiles(), file_name=FZ),
    Case(71, "GZIP_1", "OK", tiles(kind="GZIP_1"), file_name=FZ),
    Case(71, "GZIP_2 with sums", "OK", tiles(kind="GZIP_2", checksum=True), file_name=FZ),
    Case(71, "tiles named as plain", "OK", tiles()),
    Case(
        72,
        "heap spoilt under a sum",
        "QUARANTINE",
        spoilt(tiles(checksum=True), 4000),
        "bad_checksum",
        file_name=FZ,
    ),
    Case(
        72,
        "heap spoilt inside a gzip tile",
        "QUARANTINE",
        broken_tile,
        "corrupt_tiles",
        file_name=FZ,
    ),
    Case(73, "tiles cut", "WAIT", cut_at(tiles(), 0.65, 0.8), "truncated_data", file_name=FZ),
    Case(
        73,
        "table not there yet",
        "WAIT",
        lambda rng: packed(rng)[:2880],
        "no_image_yet",
        file_name=FZ,
    ),
    Case(
        75,
        "HCOMPRESS",
        "QUARANTINE",
        tiles(kind="HCOMPRESS_1"),
        "compression_not_allowed",
        file_name=FZ,
    ),
    Case(
        75,
        "PLIO",
        "QUARANTINE",
        lambda rng: packed(rng, kind="PLIO_1", pixels=(scene(rng) >> 4).astype(np.int16)),
        "compression_not_allowed",
        file_name=FZ,
    ),
    Case(
        75,
        "not compressed at all",
        "QUARANTINE",
        tiles(kind="NOCOMPRESS"),
        "compression_not_allowed",
        file_name=FZ,
    ),
    Case(
        75,
        "unknown compression",
        "QUARANTINE",
        renamed(b"'RICE_1  '", b"'ZSTD_9  '"),
        "compression_not_allowed",
        file_name=FZ,
    ),
    Case(
        75,
        "tile larger than the image",
        "QUARANTINE",
        renamed(b"ZTILE1  =                   64", b"ZTILE1  =               999999"),
        "bad_tiles",
        file_name=FZ,
    ),
    Case(
        75,
        "tiles of numbers wider than the image's",
        "QUARANTINE",
        renamed(b"ZBITPIX =                   16", b"ZBITPIX =                    8"),
        "bad_bitpix",
        file_name=FZ,
    ),
    Case(
        75,
        "more columns than a table may have",
        "QUARANTINE",
        renamed(b"TFIELDS =                    1", b"TFIELDS =           9999999999"),
        "bad_tfields",
        file_name=FZ,
    ),
    Case(75, "cube of one image", "OK", series_of_one, file_name=FZ),
    Case(
        75,
        "packed bomb",
        "QUARANTINE",
        renamed(b"ZNAXIS1 =                   64", b"ZNAXIS1 =           9999999999"),
        "too_many_pixels",
        file_name=FZ,
    ),
    Case(77, "sums that hold", "OK", summed),
    Case(77, "data changed under their sum", "QUARANTINE", spoilt(summed, 3000), "bad_checksum"),
    Case(
        77,
        "header changed under its sum",
        "QUARANTINE",
        lambda rng: summed(rng).replace(b"'M83     '", b"'M84     '"),
        "bad_checksum",
    ),
    Case(
        77,
        "wrong sum of a camera known for it",
        "OK",
        lambda rng: frame(rng, {"DATASUM": "'12345   '", "DATE-OBS": "'05/03/24 03:04:05'"}),
        profile="careless",
    ),
    Case(
        77,
        "sum unreadable",
        "QUARANTINE",
        lambda rng: frame(rng, {"DATASUM": "NaN"}),
        "bad_checksum",
    ),
    Case(78, "real numbers quantised", "OK", quantised, file_name=FZ),
]


def _halves(content: bytes) -> tuple[bytes, bytes]:
    return content[:5000], content[5000:]
