"""Raw frames made card by card and byte by byte, in the dialect of the profiles beside this."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.profile import Profile, load_profile

Pixels = npt.NDArray[Any]
Random = np.random.Generator

BLOCK: Final = 2880
CARD: Final = 80
SHAPE: Final = (48, 64)
PROFILES: Final = Path(__file__).parent / "profiles"

CARDS: Final = {
    "SIMPLE": "T",
    "BITPIX": "16",
    "NAXIS": "2",
    "NAXIS1": "64",
    "NAXIS2": "48",
    "BZERO": "32768",
    "BSCALE": "1",
    "DATE-OBS": "'2024-03-05T03:04:05.500'",
    "EXPTIME": "60.0",
    "IMAGETYP": "'Light Frame'",
    "FILTER": "'V       '",
    "XBINNING": "1",
    "YBINNING": "1",
    "CCD-TEMP": "-20.1",
    "OBJECT": "'M83     '",
    "OBJCTRA": "'13 37 00'",
    "OBJCTDEC": "'-29 52 00'",
    "JD": "2460374.6278414",
}


@functools.cache
def profile(name: str) -> Profile:
    """One of the profiles beside this module."""
    return load_profile(PROFILES / f"{name}.toml")


def random(seed: int) -> Random:
    """The generator of a seed."""
    return np.random.default_rng(seed)


def scene(rng: Random, *, shape: tuple[int, int] = SHAPE, level: float = 1000.0) -> Pixels:
    """Counts (ny, nx), uint16: a level with noise, and a few stars, one of them saturated."""
    counts = rng.normal(level, 10.0, shape)
    for _ in range(5):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        counts[y, x] += rng.uniform(500, 40_000)
    counts[rng.integers(0, shape[0]), rng.integers(0, shape[1])] = 65_535
    return np.clip(counts, 0, 65_535).astype(np.uint16)


def header(
    changes: Mapping[str, str] | None = None,
    *,
    drop: Iterable[str] = (),
    extra: Iterable[str | bytes] = (),
    base: Mapping[str, str] = CARDS,
    end: bytes = b"END",
) -> bytes:
    """Header blocks from literal card texts: changes, keywords to drop, whole extra cards."""
    dropped = set(drop)
    values = {**base, **(changes or {})}
    cards = [
        f"{key:<8}= {text:>20}".encode("latin-1")
        for key, text in values.items()
        if key not in dropped
    ]
    cards += [card if isinstance(card, bytes) else card.encode("latin-1") for card in extra]
    return pad(b"".join(card.ljust(CARD) for card in [*cards, end]), b" ")


def pad(content: bytes, filler: bytes = b"\0") -> bytes:
    """The content, filled up to whole blocks."""
    return content.ljust(-(-len(content) // BLOCK) * BLOCK, filler)


def store(pixels: Pixels) -> bytes:
    """Pixels as FITS stores them: uint16 by offset, everything else big-endian as it is."""
    if pixels.dtype == np.uint16:
        pixels = (pixels ^ np.uint16(32768)).view(np.int16)
    return pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()


def frame(
    rng: Random,
    changes: Mapping[str, str] | None = None,
    *,
    pixels: Pixels | None = None,
    **kwargs: Any,
) -> bytes:
    """A whole file with one image; other arguments as of `header`."""
    pixels = scene(rng) if pixels is None else pixels
    size = {"NAXIS1": str(pixels.shape[1]), "NAXIS2": str(pixels.shape[0])}
    return header({**size, **(changes or {})}, **kwargs) + pad(store(pixels))


def extension(
    rng: Random,
    changes: Mapping[str, str] | None = None,
    *,
    pixels: Pixels | None = None,
    drop: Iterable[str] = (),
) -> bytes:
    """An image extension, to be put behind a primary unit."""
    cards = {"XTENSION": "'IMAGE   '", **CARDS, "PCOUNT": "0", "GCOUNT": "1"}
    del cards["SIMPLE"]
    pixels = scene(rng) if pixels is None else pixels
    return header(changes, base=cards, drop=drop) + pad(store(pixels))


def empty_primary(**more: str) -> bytes:
    """A primary unit without data."""
    return header(base={"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0", "EXTEND": "T", **more})


def packed(
    rng: Random,
    *,
    kind: str = "RICE_1",
    checksum: bool = False,
    pixels: Pixels | None = None,
    drop: Iterable[str] = ("BZERO", "BSCALE"),
    changes: Mapping[str, str] | None = None,
) -> bytes:
    """A frame tile-compressed by astropy, as fpack would."""
    from astropy.io import fits

    cards = fits.Header.fromstring(header(changes, drop=drop).decode("latin-1"))
    pixels = scene(rng) if pixels is None else pixels
    unit = fits.CompImageHDU(pixels, cards, compression_type=kind)
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(file, checksum=checksum)
    return file.getvalue()


def summed(rng: Random) -> bytes:
    """A frame with CHECKSUM and DATASUM, by astropy."""
    from astropy.io import fits

    file = io.BytesIO()
    with fits.open(io.BytesIO(frame(rng)), do_not_scale_image_data=True) as units:
        units.writeto(file, checksum=True)
    return file.getvalue()
