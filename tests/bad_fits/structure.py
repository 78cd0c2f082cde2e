"""Catalogue B6.1: files whose arrangement is wrong, and what only has the name of a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from tests.bad_fits.case import Case
from tests.bad_fits.frames import (
    BLOCK,
    CARDS,
    Random,
    empty_primary,
    extension,
    frame,
    header,
    pad,
    scene,
    store,
)

TABLE: Final = {
    "XTENSION": "'BINTABLE'",
    "BITPIX": "8",
    "NAXIS": "2",
    "NAXIS1": "80",
    "NAXIS2": "10",
    "PCOUNT": "0",
    "GCOUNT": "1",
    "TFIELDS": "1",
    "TFORM1": "'80A     '",
}
LONG_HEADER: Final = [f"NOTE{i:<4}= {i:>20}" for i in range(60)]


def with_cards(**changes: str) -> Callable[[Random], bytes]:
    """A frame whose structural cards say something else than its size."""
    return lambda rng: header({**CARDS, **changes}) + pad(store(scene(rng)))


def without(keyword: str) -> Callable[[Random], bytes]:
    """A frame that lacks a card."""
    return lambda rng: frame(rng, drop=[keyword])


def cut(where: Callable[[Random, bytes], int], **kwargs: Any) -> Callable[[Random], bytes]:
    """A frame of which only the beginning is there."""

    def make(rng: Random) -> bytes:
        content = frame(rng, **kwargs)
        return content[: where(rng, content)]

    return make


def series(*axes: int) -> Callable[[Random], bytes]:
    """As cameras write that take series: an axis for the number of the exposure."""

    def make(rng: Random) -> bytes:
        extra = [f"NAXIS{number}  = {length:>20}" for number, length in enumerate(axes, start=3)]
        pixels = b"".join(store(scene(rng)) for _ in range(math.prod(axes)))
        return header({"NAXIS": str(2 + len(axes))}, extra=extra) + pad(pixels)

    return make


def groups(rng: Random) -> bytes:
    """The oldest way to keep several arrays in one file: the first axis has no length."""
    extra = ["NAXIS3  = 48", "GROUPS  = T", "PCOUNT  = 2", "GCOUNT  = 1"]
    return header({"NAXIS": "3", "NAXIS1": "0", "NAXIS2": "64"}, extra=extra) + pad(
        store(scene(rng))
    )


def row_lost(rng: Random) -> bytes:
    """The header counts a row less than there are, and the last hides where padding should be."""
    return header({"NAXIS2": "47"}) + pad(store(scene(rng)))


def slipped(number: int) -> Callable[[Random], bytes]:
    """A frame that has lost bytes on its way, or has got some."""

    def make(rng: Random) -> bytes:
        content, at = frame(rng), BLOCK + int(rng.integers(9, 4000))
        return content[:at] + rng.bytes(max(number, 0)) + content[at + max(-number, 0) :]

    return make


def cube(rng: Random) -> bytes:
    """Two images in one array."""
    size = {"NAXIS": "3", "NAXIS3": "2"}
    cards = {**CARDS, **size}
    return header(base=cards) + pad(store(np.stack([scene(rng), scene(rng)])))


def with_table(rng: Random) -> bytes:
    """A primary unit and a table, no image."""
    table = header(base=TABLE)
    return empty_primary() + table + pad(rng.bytes(800))


def split_over_blocks(rng: Random) -> bytes:
    """A frame with two blocks of header, cut between them."""
    return frame(rng, extra=LONG_HEADER)[:BLOCK]


def plain(rng: Random) -> bytes:
    """A good frame."""
    return frame(rng)


def refused(number: int, name: str, why: str, **changes: str) -> Case:
    """A structural card that makes no sense."""
    return Case(number, name, "QUARANTINE", with_cards(**changes), why)


def _sized(changes: Mapping[str, str], pixels: Any) -> Callable[[Random], bytes]:
    return lambda rng: frame(rng, changes, pixels=pixels(scene(rng)))


STRUCTURE: Final = [
    Case(0, "good frame", "OK", plain),
    Case(
        0,
        "good 8 bit",
        "OK",
        _sized({"BITPIX": "8", "BZERO": "0"}, lambda s: (s >> 8).astype("u1")),
    ),
    Case(0, "good 32 bit", "OK", _sized({"BITPIX": "32", "BZERO": "0"}, lambda s: s.astype("i4"))),
    Case(0, "good 64 bit", "OK", _sized({"BITPIX": "64", "BZERO": "0"}, lambda s: s.astype("i8"))),
    Case(0, "good float", "OK", _sized({"BITPIX": "-32", "BZERO": "0"}, lambda s: s.astype("f4"))),
    Case(0, "good double", "OK", _sized({"BITPIX": "-64", "BZERO": "0"}, lambda s: s.astype("f8"))),
    Case(1, "zero bytes", "WAIT", lambda rng: b"", "empty"),
    Case(
        2,
        "cut inside the header",
        "WAIT",
        cut(lambda rng, content: int(rng.integers(1, BLOCK))),
        "truncated_header",
    ),
    Case(2, "cut inside the first word", "WAIT", cut(lambda rng, content: 5), "truncated_header"),
    Case(2, "cut between header blocks", "WAIT", split_over_blocks, "truncated_header"),
    Case(3, "cut after the header", "WAIT", cut(lambda rng, content: BLOCK), "truncated_data"),
    Case(
        4,
        "cut in the data",
        "WAIT",
        cut(lambda rng, content: int(rng.integers(BLOCK + 1, BLOCK + 64 * 48 * 2))),
        "truncated_data",
    ),
    Case(
        4,
        "cut at a block in the data",
        "WAIT",
        cut(lambda rng, content: 2 * BLOCK),
        "truncated_data",
    ),
    Case(
        5,
        "padding missing",
        "FLAG",
        cut(lambda rng, content: BLOCK + 64 * 48 * 2),
        "padding_missing",
    ),
    Case(5, "a row in the padding", "FLAG", row_lost, "padding_not_empty"),
    Case(
        5,
        "padding cut",
        "FLAG",
        cut(lambda rng, content: int(rng.integers(BLOCK + 64 * 48 * 2 + 1, len(content)))),
        "padding_missing",
    ),
    Case(4, "bytes lost in the data", "QUARANTINE", slipped(-5), "bytes_lost"),
    Case(4, "bytes added in the data", "QUARANTINE", slipped(6), "bytes_added"),
    Case(6, "END missing", "QUARANTINE", lambda rng: frame(rng, end=b""), "no_end"),
    Case(7, "END in lower case", "QUARANTINE", lambda rng: frame(rng, end=b"end"), "no_end"),
    Case(7, "END beside its place", "QUARANTINE", lambda rng: frame(rng, end=b"   END"), "no_end"),
    Case(8, "SIMPLE missing", "QUARANTINE", without("SIMPLE"), "not_fits"),
    refused(8, "SIMPLE is F", "not_simple", SIMPLE="F"),
    refused(10, "BITPIX is 17", "bad_bitpix", BITPIX="17"),
    refused(10, "BITPIX is 0", "bad_bitpix", BITPIX="0"),
    Case(10, "BITPIX missing", "QUARANTINE", without("BITPIX"), "bad_bitpix"),
    refused(11, "BITPIX too large for the size", "bad_bitpix", BITPIX="64"),
    refused(11, "BITPIX of floats on a smaller image", "bad_bitpix", BITPIX="-32"),
    refused(11, "BITPIX too small for the size", "bad_bitpix", BITPIX="8"),
    refused(11, "BITPIX written as a float", "bad_bitpix", BITPIX="16.0"),
    Case(11, "NAXIS2 larger than the size", "WAIT", with_cards(NAXIS2="480"), "truncated_data"),
    Case(
        11,
        "NAXIS2 smaller than the size",
        "FLAG",
        with_cards(NAXIS2="20"),
        "padding_not_empty trailing_bytes",
    ),
    refused(12, "NAXIS1 a float", "bad_naxis", NAXIS1="64.0"),
    refused(12, "NAXIS1 a text", "bad_naxis", NAXIS1="'64      '"),
    refused(12, "NAXIS1 in an exponent", "bad_naxis", NAXIS1="6.4E1"),
    refused(13, "NAXIS2 negative", "bad_naxis", NAXIS2="-48"),
    refused(13, "NAXIS negative", "bad_naxis", NAXIS="-1"),
    Case(15, "NAXIS1 missing", "QUARANTINE", without("NAXIS1"), "bad_naxis"),
    Case(15, "NAXIS missing", "QUARANTINE", without("NAXIS"), "bad_naxis"),
    Case(16, "no axes", "QUARANTINE", lambda rng: header({"NAXIS": "0"}), "no_image"),
    refused(16, "an axis of no length", "no_image", NAXIS1="0"),
    Case(17, "cube", "QUARANTINE", cube, "no_image"),
    Case(17, "cube of one image", "OK", series(1)),
    Case(17, "cube of one image in five axes", "OK", series(1, 1, 1)),
    Case(17, "cube of two images", "QUARANTINE", series(2), "no_image"),
    Case(17, "random groups", "QUARANTINE", groups, "no_image"),
    refused(17, "line", "no_image", NAXIS="1"),
    refused(18, "image of 238 GiB", "too_many_pixels", NAXIS1="357913941", NAXIS2="357"),
    refused(18, "image beyond 64 bits", "bad_naxis", NAXIS1="9" * 20, NAXIS2="9" * 20),
    refused(18, "a thousand axes", "bad_naxis", NAXIS="1000"),
    Case(20, "trailing garbage", "FLAG", lambda rng: frame(rng) + rng.bytes(777), "trailing_bytes"),
    Case(
        21,
        "an extra block of zeros",
        "FLAG",
        lambda rng: frame(rng) + bytes(BLOCK),
        "trailing_bytes",
    ),
    Case(
        22,
        "null padding in the header",
        "FLAG",
        lambda rng: pad(header().rstrip(b" ").ljust(1500)) + pad(store(scene(rng))),
        "null_padding",
    ),
    Case(24, "table only", "QUARANTINE", with_table, "no_image"),
    Case(25, "image in an extension", "OK", lambda rng: empty_primary() + extension(rng)),
    Case(
        25,
        "an offset in the primary header is not that of the image behind",
        "FLAG",
        lambda rng: (
            empty_primary(BSCALE="2", BZERO="32768", BLANK="0")
            + extension(rng, drop=("BSCALE", "BZERO"))
        ),
        "negative_pixels",
    ),
    Case(25, "image behind a table", "OK", lambda rng: with_table(rng) + extension(rng)),
    Case(
        25,
        "an image for each of sixteen amplifiers",
        "FLAG",
        lambda rng: empty_primary() + b"".join(extension(rng) for _ in range(16)),
        "several_images",
    ),
    Case(
        25,
        "a guide image before the one",
        "FLAG",
        lambda rng: frame(rng) + extension(rng, {"EXTNAME": "'GUIDE'"}),
        "several_images",
    ),
    Case(25, "next unit only begun", "WAIT", lambda rng: frame(rng) + b"XTENS", "truncated_header"),
    Case(
        25,
        "extension cut",
        "WAIT",
        lambda rng: (frame(rng) + extension(rng))[:-4000],
        "truncated_data",
    ),
    Case(
        27,
        "error page",
        "QUARANTINE",
        lambda rng: b"<!DOCTYPE html><html>502</html>\n" * 50,
        "not_fits",
    ),
    Case(27, "empty error", "QUARANTINE", lambda rng: b"null\n", "not_fits"),
    Case(28, "program", "QUARANTINE", lambda rng: b"\x7fELF" + rng.bytes(9000), "not_fits"),
    Case(28, "archive", "QUARANTINE", lambda rng: b"PK\x03\x04" + rng.bytes(9000), "not_fits"),
    Case(28, "random bytes", "QUARANTINE", lambda rng: b"\xff" + rng.bytes(9000), "not_fits"),
    Case(28, "preallocated", "WAIT", lambda rng: bytes(9000), "preallocated"),
    Case(
        28,
        "header half preallocated",
        "WAIT",
        lambda rng: frame(rng)[:700] + bytes(8000),
        "preallocated",
    ),
]
