"""Compiles every kernel once, so that no task has to: ``python -m include.ccd.warmup``.

The compiled code is kept where numba keeps it (``NUMBA_CACHE_DIR``, or beside the source).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np

from include.ccd.calibrate import calibrate
from include.ccd.calibration import Calibration
from include.ccd.combine import ArrayPlane, combine
from include.ccd.cosmic_rays import remove_cosmic_rays
from include.ccd.header import FrameHeader
from include.ccd.masters import master_bias, master_dark, master_flat
from include.ccd.quality import measure_quality
from include.ccd.raw import RawFrame
from include.ccd.sections import Amplifier, Section
from include.ccd.sources import find_sources

SHAPE = (64, 64)


def warm_up() -> float:
    """Run every kernel on a few small frames, as masters and calibration run them.

    Returns
    -------
    float
        Seconds that it took: a minute on an empty cache, a second or two on a full one.
    """
    start = time.monotonic()
    calibration = Calibration()
    bias = master_bias(_frames("bias", 1000, 0), calibration=calibration)
    dark = master_dark(_frames("dark", 1010, 60), bias=bias, calibration=calibration)
    flat = master_flat(_frames("flat", 30000, 5), bias=bias, dark=dark, calibration=calibration)
    science = _frames("science", 2000, 60)[0]
    image = calibrate(science, bias=bias, dark=dark, flat=flat, calibration=calibration)
    measure_quality(image)
    remove_cosmic_rays(image)
    image.sci[30:34, 30:34] += 5000
    find_sources(image, exptime_s=60.0)
    for dtype in (np.uint16, np.float32):
        planes = [ArrayPlane(np.full(SHAPE, level, dtype)) for level in (1, 2, 3)]
        for method in ("sigma_clip", "median", "mean"):
            combine(planes, method=method)
    return time.monotonic() - start


def _frames(kind: str, level_adu: int, exptime_s: float) -> list[RawFrame]:
    """Three frames with a little noise, of a camera with one amplifier."""
    rng = np.random.default_rng(0)
    area = Section(0, SHAPE[0], 0, SHAPE[1])
    header = FrameHeader(
        kind=kind,
        camera="warmup",
        filter=None,
        exptime_s=exptime_s,
        observed_at=datetime(2000, 1, 1, tzinfo=UTC),
        x_binning=1,
        y_binning=1,
        readout=None,
        temperature_c=None,
        object=None,
        ra_deg=None,
        dec_deg=None,
        airmass=None,
        width_px=SHAPE[1],
        height_px=SHAPE[0],
        saturation_adu=65000.0,
        amplifiers=(Amplifier(area, None, area, 1.5, 8.0),),
    )
    planes = rng.normal(level_adu, 5, (3, *SHAPE)).astype(np.uint16)
    return [RawFrame.of(plane, header) for plane in planes]


if __name__ == "__main__":
    print(f"kernels ready after {warm_up():.1f} s")  # noqa: T201 - a command speaks
