"""Raw files made by hand, byte by byte, and the profiles that read them."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.ccd.profile import Profile, load_profile

PROFILES = Path(__file__).resolve().parents[3] / "include" / "toritos" / "profiles"

PLAIN_PROFILE = """
description = "a camera that writes what it means"
site = { name = "here", latitude_deg = -24.623, longitude_deg = -67.328, elevation_m = 4650 }
camera = { name = "plain" }
rules = [
    { kind = "bias", when = { IMAGETYP = "bias" } },
    { kind = "dark", when = { IMAGETYP = "dark" } },
    { kind = "flat", when = { IMAGETYP = "flat" } },
    { kind = "science", when = { IMAGETYP = "light" } },
]
[fields]
observed_at = [{ keywords = ["DATE-OBS"] }, { keywords = ["JD"], format = "jd" }]
exptime_s = { keywords = ["EXPTIME", "EXPOSURE"], convert = "number" }
filter = { keywords = ["FILTER"] }
x_binning = { keywords = ["XBINNING"], convert = "integer" }
temperature_c = { keywords = ["CCD-TEMP"], convert = "number" }
object = { keywords = ["OBJECT"] }
ra_deg = { keywords = ["RA"], convert = "hours" }
dec_deg = { keywords = ["DEC"], convert = "degrees" }
site_longitude_deg = { keywords = ["SITELONG"], convert = "degrees" }
[detector]
gain_e_per_adu = 1.5
read_noise_e = 8.0
saturation_adu = 65000
"""

HEADER = {
    "SIMPLE": "T",
    "BITPIX": "16",
    "NAXIS": "2",
    "NAXIS1": "64",
    "NAXIS2": "48",
    "BZERO": "32768",
    "BSCALE": "1",
    "DATE-OBS": "'2024-03-05T03:04:05.5'",
    "EXPTIME": "60.0",
    "IMAGETYP": "'Light   '",
    "FILTER": "'V       '",
    "XBINNING": "1",
    "OBJECT": "'M83     '",
}

MakeHeader = Callable[..., bytes]
MakeFits = Callable[..., bytes]


@pytest.fixture(scope="session")
def shipped_profile() -> Callable[[str], Profile]:
    """Load a profile that ships with TORITOS, by name."""
    return lambda name: load_profile(PROFILES / f"{name}.toml")


@pytest.fixture
def write_profile(tmp_path: Path) -> Callable[[str], Path]:
    """Write the text of a profile to a file of its own."""

    def write(text: str) -> Path:
        path = tmp_path / "camera.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def plain_text() -> str:
    """Text of a small, valid profile."""
    return PLAIN_PROFILE


@pytest.fixture
def plain_profile(write_profile: Callable[[str], Path]) -> Profile:
    """A small, valid profile."""
    return load_profile(write_profile(PLAIN_PROFILE))


@pytest.fixture(scope="session")
def raw_pixels() -> np.ndarray[Any, np.dtype[np.uint16]]:
    """48 rows of 64 pixels that use the whole range of a camera."""
    pixels = np.random.default_rng(7).integers(0, 65536, (48, 64)).astype(np.uint16)
    pixels[0, :2] = 0, 65535
    return pixels


@pytest.fixture(scope="session")
def make_header() -> MakeHeader:
    """Make header blocks from literal card texts: changes, keywords to drop, whole extra cards."""

    def make(
        changes: Mapping[str, str] | None = None,
        *,
        drop: Iterable[str] = (),
        extra: Iterable[str | bytes] = (),
        base: Mapping[str, str] = HEADER,
    ) -> bytes:
        values = {**base, **(changes or {})}
        cards = [f"{key:<8}= {text:>20}" for key, text in values.items() if key not in set(drop)]
        raw = [card.encode("latin-1") for card in cards]
        raw += [card.encode("latin-1") if isinstance(card, str) else card for card in extra]
        text = b"".join(card.ljust(80) for card in [*raw, b"END"])
        return text.ljust(-(-len(text) // 2880) * 2880)

    return make


@pytest.fixture(scope="session")
def make_fits(
    make_header: MakeHeader, raw_pixels: np.ndarray[Any, np.dtype[np.uint16]]
) -> MakeFits:
    """Make a whole file: the header of `make_header`, then pixels as a camera stores them."""
    data = (raw_pixels ^ 0x8000).astype(">u2").tobytes()

    def make(*args: Any, data: bytes = data, **kwargs: Any) -> bytes:
        return make_header(*args, **kwargs) + data.ljust(-(-len(data) // 2880) * 2880, b"\0")

    return make


@pytest.fixture(scope="session")
def read_manifest() -> Callable[[Path], Iterator[tuple[dict[str, str], bytes, tuple[int, int]]]]:
    """Give each real frame of a folder: its manifest row, its header blocks, its shape."""

    def read(folder: Path) -> Iterator[tuple[dict[str, str], bytes, tuple[int, int]]]:
        with (folder / "MANIFEST.csv").open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                path = folder / row["file"]
                opener = gzip.open if path.suffix == ".gz" else open
                with opener(path, "rb") as file:
                    raw = file.read(2880)
                    while b"END".ljust(80) not in raw:
                        raw += file.read(2880)
                width, height = row["dims"].split("x")
                yield row, raw, (int(height), int(width))

    return read
