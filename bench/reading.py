"""How fast frames from the outside are read: here, by the reader process, and by astropy.

astropy opens the file and touches header and data; it computes no digest and checks nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import resource
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.table import Report, Table

WRAPPINGS = ("plain", "gzip", "tiles")
CAMERA = Path(__file__).resolve().parents[1] / "include" / "toritos" / "profiles" / "toritos.toml"


def make_frames(folder: Path, *, frames: int, size: int) -> dict[str, list[Path]]:
    """Write frames of size × size in the dialect of TORITOS, in every wrapping."""
    from astropy.io import fits

    rng = np.random.default_rng(1)
    found: dict[str, list[Path]] = {wrapping: [] for wrapping in WRAPPINGS}
    for number in range(frames):
        header = fits.Header(
            {
                "IMAGETYP": "Light Frame",
                "DATE-OBS": f"2024-03-05T03:{number // 60 % 60:02}:{number % 60:02}",
                "EXPTIME": 60.0,
                "FILTER": "V",
                "XBINNING": 1,
                "YBINNING": 1,
                "CCD-TEMP": -20.0,
            }
        )
        header.update({f"NOTE{i}": f"a card like any other {i}" for i in range(30)})
        pixels = rng.normal(1000, 10, (size, size)).astype(np.uint16)
        stream = io.BytesIO()
        fits.PrimaryHDU(pixels, header).writeto(stream)
        path = folder / f"{number:05}.fits"
        path.write_bytes(stream.getvalue())
        packed = path.with_suffix(".fits.gz")
        packed.write_bytes(gzip.compress(stream.getvalue(), 1))
        tiles = path.with_suffix(".fits.fz")
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, header)]).writeto(tiles)
        for wrapping, made in zip(WRAPPINGS, (path, packed, tiles), strict=True):
            found[wrapping].append(made)
    return found


def readers() -> dict[str, Callable[[Path], object]]:
    """The contenders by name."""
    from astropy.io import fits

    from include.ccd.fits_reader import inspect
    from include.ccd.profile import load_profile
    from include.ccd.safe_reader import inspect_safely

    camera, now = load_profile(CAMERA), datetime(2024, 3, 6, tzinfo=UTC)

    def by_astropy(path: Path) -> object:
        with fits.open(path, memmap=False) as units:
            image = units[-1]
            return image.header["EXPTIME"], int(image.data.max())

    def digest_only(path: Path) -> object:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    return {
        "inspect": lambda path: inspect(path, profile=camera, now=now),
        "inspect_safely": lambda path: inspect_safely(path, profile=camera, now=now),
        "astropy": by_astropy,
        "sha256 alone": digest_only,
    }


def processor_seconds() -> float:
    """Of this process and of the readers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(read: Callable[[Path], object], paths: Sequence[Path], *, repeats: int) -> list[str]:
    """Files and megabytes per second and microseconds of the processor: the best of some rounds."""
    from include.ccd.safe_reader import shared_reader

    read(paths[0])
    rounds = []
    for _ in range(repeats):
        began, used = time.perf_counter(), processor_seconds()
        for path in paths:
            read(path)
        wall = time.perf_counter() - began
        shared_reader().close()
        rounds.append((wall, processor_seconds() - used))
        read(paths[0])
    wall, used = min(rounds)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    return [
        f"{len(paths) / wall:.0f}",
        f"{megabytes / wall:.0f}",
        f"{1e6 * used / len(paths):.0f}",
    ]


def run(*, quick: bool) -> Report:
    """Small frames in three wrappings."""
    warnings.simplefilter("ignore")
    frames, size = (50 if quick else 500), 64
    table = Table("Reading", ("wrapping", "reader", "files/s", "MB/s", "CPU µs a file"))
    with tempfile.TemporaryDirectory() as folder:
        made = make_frames(Path(folder), frames=frames, size=size)
        for wrapping, paths in made.items():
            for name, read in readers().items():
                table.add(wrapping, name, *measure(read, paths, repeats=3))
    about = f"{frames} frames of {size}² in the page cache; `inspect_safely` is what a loader uses."
    return Report("Reading frames from outside", about, [table])
