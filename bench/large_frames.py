"""Frames of the TOROS detector, 10560²: seconds, and memory that does not grow with their number.

Every step of the way is measured on this project alone; what peers take at this size stands in
no relation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.calibrating import our_masters
from bench.contest import Contender, contest, table_of
from bench.frames import EXPTIME_S, PROVENANCE, science_header, setting_of
from bench.table import Report
from bench.worker import Finish, Outcome, Work

FRAMES = (5, 10)
TINY_PX = 256
OURS = "bench.large_frames:"


def make_frames(folder: Path, size: int) -> None:
    """Write frames in stripes, and masters, without holding more than one plane."""
    from astropy.io import fits

    rng = np.random.default_rng(4)
    stripe = rng.normal(1000, 10, (size, size)).astype(np.uint16)
    for number in range(max(FRAMES)):
        rolled = np.roll(stripe, 37 * number, axis=0)
        fits.writeto(folder / f"bias{number:03}.fits", rolled)
    stripe += np.uint16(600)
    fits.writeto(folder / "science.fits", stripe)
    for name, level in (("bias", 1000.0), ("dark", 20.0), ("flat", 1.0)):
        np.save(folder / f"{name}.npy", np.full((size, size), level, np.float32))
        np.save(folder / f"{name}_var.npy", np.full((size, size), 1e-4, np.float32))


def combine(task: str, folder: Path, size: int) -> Work:
    """A clipped mean of as many frames as the task says."""
    from include.ccd.combine import combine as combine_planes
    from include.ccd.raw import RawFrame

    count = int(task.partition(" ")[0])
    paths = sorted(folder.glob("bias*.fits"))[:count]
    planes = [RawFrame(path, science_header(size)) for path in paths]

    def work() -> Finish:
        stack = combine_planes(planes, method="sigma_clip")
        return lambda: Outcome(f"level {float(np.median(stack.mean[::16, ::16])):.1f} adu")

    return work


def calibrate(task: str, folder: Path, size: int) -> Work:
    """From file to file with variance and mask."""
    from include.ccd.calibrate import calibrate as calibrate_frame
    from include.ccd.calibration import Calibration
    from include.ccd.raw import RawFrame

    header, masters = science_header(size), our_masters(folder)

    def work() -> None:
        frame = RawFrame(folder / "science.fits", header)
        image = calibrate_frame(frame, **masters, calibration=Calibration())
        with (folder / "ours.fits").open("wb") as stream:
            image.write(stream, PROVENANCE)

    return work


def measure(task: str, folder: Path, size: int) -> Work:
    """Cosmic rays, background and sources of a calibrated image."""
    from include.ccd.cosmic_rays import remove_cosmic_rays
    from include.ccd.image import Image
    from include.ccd.sources import find_sources

    rng = np.random.default_rng(5)
    offset = np.arange(-7, 8)
    star = 3000 * np.exp(-0.5 * (offset[:, None] ** 2 + offset**2) / 1.6**2).astype(np.float32)
    sci = rng.standard_normal((size, size), dtype=np.float32)
    sci *= np.float32(30)
    for y, x in rng.integers(8, size - 8, (size * size // 20_000, 2)):
        sci[y - 7 : y + 8, x - 7 : x + 8] += star
    var = np.full(sci.shape, 900, np.float32)
    image = Image(sci, var, np.zeros(sci.shape, np.uint16), unit="electron")

    def work() -> Finish:
        remove_cosmic_rays(image)
        table = find_sources(image, exptime_s=EXPTIME_S).table
        return lambda: Outcome(f"{len(table)} sources")

    return work


def run(*, quick: bool) -> Report:
    """One frame after another of 10560²."""
    size = 1024 if quick else 10560
    plane_mb = 4 * size * size / 2**20
    report = Report(
        "Frames of 10560²",
        f"Frames of {size}²: a plane of float32 has {plane_mb:.0f} MB. Peak memory includes what "
        "is made: mean, variance, mask and counts (3 planes), or values, variances and mask (2.5).",
    )
    few, many = (f"{count} combined" for count in FRAMES)
    tasks = {few: "combine", many: "combine", "calibrate": "calibrate", "measure": "measure"}
    contests = {}
    with setting_of(make_frames, size=size, tiny_size=TINY_PX, repeat=2) as setting:
        for task, maker in tasks.items():
            contests[task] = contest(task, [Contender("this project", OURS + maker)], setting)
    more = contests[many]["this project"].peak_mb - contests[few]["this project"].peak_mb
    report.judge("memory for twice as many frames", more, "at most", 20, "MB more")
    beyond = contests[many]["this project"].peak_mb - 3 * plane_mb
    report.judge("memory beyond the result, combining", beyond, "at most", 200, "MB")
    report.tables = [table_of("Frames of 10560²", contests)]
    return report
