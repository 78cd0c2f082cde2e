"""A stack of aligned images: this project, ccdproc and whole arrays in numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.contest import Contender, contest, table_of
from bench.frames import setting_of
from bench.table import Report
from bench.worker import Finish, Outcome, Work

IMAGES = 6
TINY_PX = 64
SKY_E = 500.0
CONTENDERS = [
    Contender("this project", "bench.coadding:ours"),
    Contender("ccdproc", "bench.coadding:ccdproc"),
    Contender("numpy", "bench.coadding:numpy"),
]


def make_images(folder: Path, size: int) -> None:
    """Save images of sky, each with cosmic rays of its own."""
    rng = np.random.default_rng(3)
    for number in range(IMAGES):
        sci = rng.normal(SKY_E, np.sqrt(SKY_E), (size, size)).astype(np.float32)
        sci[rng.random((size, size)) < 1e-4] += 5000
        np.save(folder / f"{number}.npy", sci)


def _planes(folder: Path) -> list[Any]:
    return [np.load(folder / f"{number}.npy") for number in range(IMAGES)]


def _outcome(image: Any) -> Outcome:
    return Outcome(f"noise {np.std(image):.3f} e, {np.sqrt(SKY_E / IMAGES):.3f} at best")


def ours(task: str, folder: Path, size: int) -> Work:
    """Weighted, clipped mean with variance and counts."""
    from include.ccd.coadd import ImageLayer, coadd
    from include.ccd.comparing import Coadding
    from include.ccd.image import Image

    layers = [
        ImageLayer(Image(sci, np.full_like(sci, SKY_E), np.zeros(sci.shape, np.uint16)))
        for sci in _planes(folder)
    ]

    def work() -> Finish:
        stack = coadd(layers, coadding=Coadding())
        return lambda: _outcome(stack.sci)

    return work


def ccdproc(task: str, folder: Path, size: int) -> Work:
    """Clipped mean of ccdproc's Combiner."""
    from astropy import units as u
    from astropy.nddata import CCDData
    from ccdproc import Combiner

    images = [CCDData(sci, unit=u.electron) for sci in _planes(folder)]

    def work() -> Finish:
        combiner = Combiner(images)
        combiner.sigma_clipping(low_thresh=2, high_thresh=2, func=np.ma.median)
        stack = combiner.average_combine()
        return lambda: _outcome(stack.data)

    return work


def numpy(task: str, folder: Path, size: int) -> Work:
    """Clipped mean of a cube."""
    planes = _planes(folder)

    def work() -> Finish:
        cube = np.stack(planes)
        centre, spread = np.median(cube, axis=0), np.sqrt(np.float32(SKY_E))
        mean = np.nanmean(np.where(np.abs(cube - centre) <= 5 * spread, cube, np.nan), axis=0)
        return lambda: _outcome(mean)

    return work


def run(*, quick: bool) -> Report:
    """Six images of 2048²."""
    size = 512 if quick else 2048
    about = f"{IMAGES} aligned images of {size}² in memory."
    report = Report("Stacks", about)
    with setting_of(make_images, size=size, tiny_size=TINY_PX, repeat=5) as setting:
        found = contest("stack", CONTENDERS, setting)
    report.tables = [table_of("Stacks", {"stack": found})]
    return report
