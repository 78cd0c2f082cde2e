"""Compiles every kernel once, so that no task has to: ``python -m include.ccd.warmup``.

The compiled code is kept where numba keeps it (``NUMBA_CACHE_DIR``, or beside the source).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from include.ccd.align import Resampled
from include.ccd.background import measure_background
from include.ccd.calibrate import calibrate
from include.ccd.calibration import Calibration
from include.ccd.candidates import find_candidates
from include.ccd.coadd import ImageLayer, coadd
from include.ccd.combine import combine
from include.ccd.comparing import Coadding, Detecting, Differencing
from include.ccd.cosmic_rays import remove_cosmic_rays
from include.ccd.difference import subtract
from include.ccd.fits_writer import write_plane, write_primary
from include.ccd.header import FrameHeader
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.masters import master_bias, master_dark, master_flat
from include.ccd.matching_error import with_matching_error
from include.ccd.plane import ArrayPlane
from include.ccd.quality import measure_quality
from include.ccd.raw import RawFrame
from include.ccd.sections import Amplifier, Section
from include.ccd.sources import find_sources
from include.ccd.star_match import Affine

SHAPE = (64, 64)
FIELD_PX = 192
STAR_EVERY_PX = 24


def warm_up() -> float:
    """Run every kernel on a few small frames, as the steps of a night run them.

    Returns
    -------
    float
        Seconds that it took: a minute on an empty cache, a second or two on a full one.
    """
    start = time.monotonic()
    _calibrate()
    _compare()
    return time.monotonic() - start


def _calibrate() -> None:
    """Masters, a calibrated frame, its quality and its cosmic rays."""
    calibration = Calibration()
    bias = master_bias(_frames("bias", 1000, 0), calibration=calibration)
    dark = master_dark(_frames("dark", 1010, 60), bias=bias, calibration=calibration)
    flat = master_flat(_frames("flat", 30000, 5), bias=bias, dark=dark, calibration=calibration)
    with TemporaryDirectory() as folder:
        science = _in_file(_frames("science", 2000, 60)[0], Path(folder))
        image = calibrate(science, bias=bias, dark=dark, flat=flat, calibration=calibration)
    write_plane(BytesIO(), "SCI", image.sci)
    measure_quality(image)
    remove_cosmic_rays(image)
    for dtype in (np.uint16, np.float32):
        planes = [ArrayPlane(np.full(SHAPE, level, dtype)) for level in (1, 2, 3)]
        for method in ("sigma_clip", "median", "mean"):
            combine(planes, method=method)


def _compare() -> None:
    """Images of one field: sources, resampling, a stack, a difference and what is new in it."""
    science, reference = _field(sigma_px=1.6, seed=1), _field(sigma_px=1.3, seed=2)
    measure_background(science)
    find_sources(science, exptime_s=60.0)
    shape = (FIELD_PX, FIELD_PX)
    moved = Resampled(reference, Affine(np.eye(2), np.full(2, 0.25)), shape=shape)
    stack = coadd([ImageLayer(reference), moved, ImageLayer(moved.image())], coadding=Coadding())
    settings = Differencing(stamp_cell_px=STAR_EVERY_PX)
    for one, other in ((science, stack), (stack, science)):
        difference = subtract(one, other, differencing=settings)
        wider, _ = with_matching_error(difference, other)
        find_candidates(wider, one, other, detection=Detecting())


def _field(*, sigma_px: float, seed: int) -> Image:
    """Stars on a grid that is not quite one, with noise and a hole."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:FIELD_PX, :FIELD_PX]
    sci = rng.normal(0.0, 20.0, (FIELD_PX, FIELD_PX))
    for row in range(STAR_EVERY_PX // 2, FIELD_PX, STAR_EVERY_PX):
        for column in range(STAR_EVERY_PX // 2, FIELD_PX, STAR_EVERY_PX):
            squared_px2 = (y - row - 0.01 * column) ** 2 + (x - column - 0.02 * row) ** 2
            sci += 5000.0 * np.exp(-0.5 * squared_px2 / sigma_px**2)
    mask = np.zeros(sci.shape, np.uint16)
    mask[5, 5] = MaskBit.BAD
    var = np.maximum(sci, 0.0) + 400.0
    return Image(sci.astype(np.float32), var.astype(np.float32), mask, unit="electron")


def _frames(kind: str, level_adu: int, exptime_s: float) -> list[RawFrame]:
    """Three frames with a little noise, of a camera with one amplifier."""
    rng = np.random.default_rng(0)
    area = Section(0, SHAPE[0], 0, SHAPE[1])
    header = FrameHeader(
        kind=kind,
        camera="warmup",
        exptime_s=exptime_s,
        observed_at=datetime(2000, 1, 1, tzinfo=UTC),
        width_px=SHAPE[1],
        height_px=SHAPE[0],
        saturation_adu=65000.0,
        amplifiers=(Amplifier(area, None, area, 1.5, 8.0),),
    )
    planes = rng.normal(level_adu, 5, (3, *SHAPE)).astype(np.uint16)
    return [RawFrame.of(plane, header) for plane in planes]


def _in_file(frame: RawFrame, folder: Path) -> RawFrame:
    """The frame as a camera leaves it, to be read from the disk."""
    path = folder / "frame.fits"
    with path.open("wb") as stream:
        write_primary(stream, [])
        write_plane(stream, "SCI", frame.pixels())
    return RawFrame(path, frame.header, hdu=1)


if __name__ == "__main__":
    print(f"kernels ready after {warm_up():.1f} s")  # noqa: T201 - a command speaks
