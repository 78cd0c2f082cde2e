"""Masters of many frames: this project, ccdproc, whole arrays in numpy, and bare reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.contest import Contender, contest, differing, table_of
from bench.frames import science_header, setting_of
from bench.table import Report
from bench.worker import Finish, Outcome, Work

SIGMA = 3.0
FRAMES = 20
TINY_PX = 64
CONTENDERS = [
    Contender("this project", "bench.combining:ours"),
    Contender("ccdproc", "bench.combining:ccdproc"),
    Contender("numpy", "bench.combining:numpy"),
    Contender("bare read", "bench.combining:bare"),
    Contender("bare read, into one buffer", "bench.combining:bare_into_one"),
]
# Task: how much faster than ccdproc, within how many times the bare read.
BOUNDS = {"median": (120, 2.5), "sigma_clip": (50, 8)}


def make_frames(folder: Path, size: int, *, frames: int = FRAMES) -> None:
    """Write bias-like frames of uint16 with a few cosmic rays."""
    from astropy.io import fits

    rng = np.random.default_rng(1)
    for number in range(frames):
        pixels = rng.normal(1000, 10, (size, size)).astype(np.float32)
        pixels[rng.random((size, size)) < 1e-4] += 5000
        fits.writeto(folder / f"bias{number:03}.fits", pixels.astype(np.uint16))


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("bias*.fits"))


def ours(task: str, folder: Path, size: int) -> Work:
    """Work of this project: mean, variance, mask and count."""
    from include.ccd.combine import combine
    from include.ccd.raw import RawFrame

    planes = [RawFrame(path, science_header(size)) for path in _paths(folder)]
    limits = {"clip_sigma_low": SIGMA, "clip_sigma_high": SIGMA, "clip_max_iters": 1}

    def work() -> Finish:
        stack = combine(planes, method=task, **limits)  # type: ignore[arg-type]
        return lambda: Outcome(pixels=stack.mean)

    return work


def ccdproc(task: str, folder: Path, size: int) -> Work:
    """Work of ccdproc, as its documentation writes it."""
    import ccdproc as peer

    paths = [str(path) for path in _paths(folder)]
    options: dict[str, Any] = {"method": "median" if task == "median" else "average"}
    if task == "sigma_clip":
        options |= {"sigma_clip": True, "sigma_clip_func": "median", "sigma_clip_dev_func": "std"}
        options |= {"sigma_clip_low_thresh": SIGMA, "sigma_clip_high_thresh": SIGMA}

    def work() -> Finish:
        image = peer.combine(paths, unit="adu", **options)
        return lambda: Outcome(pixels=image.data)

    return work


def numpy(task: str, folder: Path, size: int) -> Work:
    """Work of a short script: whole arrays, no stripes."""
    from astropy.io import fits

    paths = _paths(folder)

    def combined() -> Any:
        stack = np.stack([fits.getdata(path, memmap=False) for path in paths])
        if task == "median":
            return np.median(stack, axis=0)
        centre, spread = np.median(stack, axis=0), stack.std(axis=0)
        kept = np.where(np.abs(stack - centre) <= SIGMA * spread, stack, np.nan)
        mean = np.nanmean(kept, axis=0)
        np.nanvar(kept, axis=0, ddof=1)
        return mean

    def work() -> Finish:
        image = combined()
        return lambda: Outcome(pixels=image)

    return work


def bare(task: str, folder: Path, size: int) -> Work:
    """The bytes of all files, once, each into an array of its own."""
    paths = _paths(folder)

    def work() -> None:
        for path in paths:
            np.fromfile(path, np.uint8)

    return work


def bare_into_one(task: str, folder: Path, size: int) -> Work:
    """The same into one buffer, again and again: what cannot be beaten."""
    paths = _paths(folder)
    buffer = bytearray(paths[0].stat().st_size)

    def work() -> None:
        for path in paths:
            with path.open("rb", buffering=0) as stream:
                stream.readinto(buffer)

    return work


def run(*, quick: bool) -> Report:
    """Median and clipped mean of 20 frames of 4096²."""
    size = 512 if quick else 4096
    report = Report(
        "Masters",
        f"{FRAMES} frames of {size}² uint16 from files to one image; this project makes variance, "
        "mask and counts as well. Sigma clipping: 3 sigma of the standard deviation about the "
        "median, once.",
    )
    contests = {}
    with setting_of(make_frames, size=size, tiny_size=TINY_PX, repeat=3) as setting:
        for task, (faster, reads) in BOUNDS.items():
            found = contests[task] = contest(task, CONTENDERS, setting)
            us, peer, read = (found[name] for name in ("this project", "ccdproc", "bare read"))
            report.judge(
                f"{task}: faster than ccdproc", peer.seconds / us.seconds, "at least", faster, "×"
            )
            report.judge(
                f"{task}: time over bare read", us.seconds / read.seconds, "at most", reads, "×"
            )
            report.judge(f"{task}: peak memory", us.peak_mb, "at most", 200, "MB")
            off = differing(us, peer, rtol=1e-6, atol=1e-3)
            report.judge(
                f"{task}: pixels that differ from ccdproc's by over 0.001 adu",
                off,
                "at most",
                1e-5,
                "of all",
            )
    report.tables = [table_of("Masters", contests)]
    return report
