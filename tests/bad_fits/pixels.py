"""Catalogue B6.4, the pixels: a perfect header above an image that is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from tests.bad_fits.case import Case
from tests.bad_fits.frames import SHAPE, Pixels, Random, frame, packed, scene

KINDS: Final = {
    "science": {},
    "bias": {"IMAGETYP": "'Bias Frame'", "EXPTIME": "0"},
    "dark": {"IMAGETYP": "'Dark Frame'"},
    "flat": {"IMAGETYP": "'Flat Field'"},
}
FLOAT: Final = {"BITPIX": "-32", "BZERO": "0"}


def nothing(rng: Random) -> Pixels:
    """Not a number, all over."""
    return np.full(SHAPE, np.nan, dtype=np.float32)


def zero(rng: Random) -> Pixels:
    """The shutter, the cable or the disk."""
    return np.zeros(SHAPE, dtype=np.uint16)


def saturated(rng: Random) -> Pixels:
    """Daylight."""
    return rng.integers(65_000, 65_536, SHAPE).astype(np.uint16)


def constant(rng: Random) -> Pixels:
    """One number."""
    return np.full(SHAPE, rng.integers(1, 60_000), dtype=np.uint16)


def half_written(rng: Random) -> Pixels:
    """As on a disk where the room was there before the pixels: stored zeros behind."""
    pixels = scene(rng)
    pixels[30:] = 32_768
    return pixels


def holed(rng: Random) -> Pixels:
    """What was in the middle never came; the room for it did."""
    pixels = scene(rng)
    pixels[10:14] = 32_768
    return pixels


EMPTY: Final[dict[str, tuple[Callable[[Random], Pixels], str, str]]] = {
    "not a number": (nothing, "no_valid_pixels", "no_valid_pixels"),
    "zero": (zero, "constant_pixels", "constant_pixels"),
    "saturated": (saturated, "all_saturated", "all_saturated"),
    "constant": (constant, "constant_pixels", "constant_pixels"),
    "half written": (half_written, "blank_end", "blank_end"),
    "with a hole": (holed, "blank_part", "blank_part"),
}


def _frames(kind: str, what: str) -> Case:
    pixels, code, flag = EMPTY[what]
    changes = {**KINDS[kind], **(FLOAT if what == "not a number" else {})}

    def make(rng: Random) -> bytes:
        return frame(rng, changes, pixels=pixels(rng))

    if kind == "science":
        return Case(79, f"science {what}", "FLAG", make, flag)
    return Case(79, f"{kind} {what}", "QUARANTINE", make, code)


def sized(shape: tuple[int, int], **changes: str) -> Callable[[Random], bytes]:
    """A frame of another size."""
    return lambda rng: frame(rng, changes, pixels=scene(rng, shape=shape))


def some_invalid(rng: Random) -> bytes:
    """Real numbers with a hole."""
    pixels = scene(rng).astype(np.float32)
    pixels[3, 4:9] = np.nan
    pixels[5, 5] = np.inf
    return frame(rng, FLOAT, pixels=pixels)


def blank(rng: Random) -> bytes:
    """Whole numbers, one of which means none."""
    pixels = np.minimum(scene(rng), 30_000).astype(np.int16)
    pixels[3, 4] = -32_768
    return frame(rng, {"BLANK": "-32768"}, drop=["BZERO", "BSCALE"], pixels=pixels)


def last_row(rng: Random) -> bytes:
    """The last row is not there."""
    pixels = scene(rng)
    pixels[-1] = 32_768
    return frame(rng, pixels=pixels)


def refused(name: str, why: str, make: Any) -> Case:
    """A frame that is not this camera's."""
    return Case(80, name, "QUARANTINE", make, why, profile="strict")


PIXELS: Final = [
    *[_frames(kind, what) for what in EMPTY for kind in KINDS],
    Case(
        79,
        "packed science zero",
        "FLAG",
        lambda rng: packed(rng, pixels=zero(rng)),
        "constant_pixels",
        file_name="frame.fits.fz",
    ),
    Case(79, "some pixels invalid", "FLAG", some_invalid, "invalid_pixels"),
    Case(79, "some pixels BLANK", "FLAG", blank, "invalid_pixels"),
    Case(79, "last row blank", "FLAG", last_row, "blank_end"),
    refused("window", "wrong_shape", sized((24, 32))),
    refused("another camera", "wrong_shape", sized((64, 48))),
    refused("binned and does not say so", "wrong_shape", sized((24, 32), XBINNING="1")),
    refused(
        "binning of another camera", "wrong_binning", sized((16, 21), XBINNING="3", YBINNING="3")
    ),
    refused("binned in one direction", "wrong_binning", sized((48, 32), XBINNING="2")),
    Case(
        80,
        "binned as the camera may",
        "OK",
        sized((24, 32), XBINNING="2", YBINNING="2"),
        profile="strict",
    ),
]
