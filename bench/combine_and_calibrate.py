"""Combining and calibrating: this project, ccdproc and plain numpy on the same frames.

``python -m bench.combine_and_calibrate --size 4096 --frames 20`` prints one table. Every contender
runs in a process of its own, from FITS files in the page cache, after one run on tiny frames that
loads and compiles what it needs; peak memory is what it takes beyond that (Linux).
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

GAIN, READ_NOISE_E, SIGMA = 1.5, 8.0, 3.0
WARM_UP_PX = 64
PROVENANCE: dict[str, Any] = {
    "step": "bench",
    "version": "1",
    "fingerprint": "0" * 64,
    "parameters": {},
    "inputs": [],
}
TASKS = ("median", "sigma_clip", "mean", "calibrate")


@dataclass(frozen=True)
class Result:
    """What one contender took for one task."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def make_frames(folder: Path, *, size: int, frames: int) -> None:
    """Write bias-like frames, one science frame, and three masters, all of size × size."""
    from astropy.io import fits

    rng = np.random.default_rng(1)
    shape = (size, size)
    for number in range(frames):
        pixels = rng.normal(1000, 10, shape).astype(np.float32)
        pixels[rng.random(shape) < 1e-4] += 5000
        fits.writeto(folder / f"bias{number:03}.fits", pixels.astype(np.uint16))
    science = rng.poisson(600, shape) + 1000
    fits.writeto(folder / "science.fits", science.astype(np.uint16))
    for name, level in (("bias", 1000.0), ("dark", 20.0), ("flat", 1.0)):
        values = rng.normal(level, 0.01 * level, shape).astype(np.float32)
        np.save(folder / f"{name}.npy", values)
        np.save(folder / f"{name}_var.npy", np.full(shape, (0.01 * level) ** 2, np.float32))


def _header(size: int) -> Any:
    from include.ccd.header import Amplifier, FrameHeader, Section

    whole = Section.whole((size, size))
    return FrameHeader(
        kind="science",
        camera="bench",
        filter=None,
        exptime_s=60.0,
        observed_at=datetime(2024, 1, 1, tzinfo=UTC),
        x_binning=1,
        y_binning=1,
        readout=None,
        temperature_c=None,
        object=None,
        ra_deg=None,
        dec_deg=None,
        airmass=None,
        width_px=size,
        height_px=size,
        saturation_adu=60000.0,
        amplifiers=(Amplifier(whole, None, whole, GAIN, READ_NOISE_E),),
    )


def _masters(folder: Path) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    return {
        name: (np.load(folder / f"{name}.npy"), np.load(folder / f"{name}_var.npy"))
        for name in ("bias", "dark", "flat")
    }


def ours(task: str, folder: Path, size: int) -> Callable[[], object]:
    """Work of this project."""
    from include.ccd.calibrate import calibrate
    from include.ccd.calibration import Calibration
    from include.ccd.combine import combine
    from include.ccd.image import Image
    from include.ccd.raw import RawFrame

    header = _header(size)
    if task != "calibrate":
        planes = [RawFrame(path, header) for path in sorted(folder.glob("bias*.fits"))]
        limits = {"clip_sigma_low": SIGMA, "clip_sigma_high": SIGMA, "clip_max_iters": 1}
        return lambda: combine(planes, method=task, **limits)  # type: ignore[arg-type]
    masters = {name: Image(sci, var) for name, (sci, var) in _masters(folder).items()}
    masters["dark"].cards = {"EXPTIME": 60.0, "BIASCOR": True}

    def work() -> None:
        frame = RawFrame(folder / "science.fits", header)
        image = calibrate(
            frame,
            bias=masters["bias"],
            dark=masters["dark"],
            flat=masters["flat"],
            calibration=Calibration(),
        )
        with (folder / "ours.fits").open("wb") as stream:
            image.write(stream, PROVENANCE)

    return work


def ccdproc(task: str, folder: Path, size: int) -> Callable[[], object]:
    """Work of ccdproc, as its documentation writes it."""
    import ccdproc as peer
    from astropy import units as u
    from astropy.nddata import CCDData, StdDevUncertainty

    warnings.simplefilter("ignore")
    logging.disable()
    if task != "calibrate":
        paths = [str(path) for path in sorted(folder.glob("bias*.fits"))]
        options: dict[str, Any] = {"method": "median" if task == "median" else "average"}
        if task == "sigma_clip":
            options |= {"sigma_clip": True, "sigma_clip_func": "median"}
            options |= {"sigma_clip_dev_func": "std"}
        return lambda: peer.combine(paths, unit="adu", **options)
    made = {}
    for name, (sci, var) in _masters(folder).items():
        unit = u.dimensionless_unscaled if name == "flat" else u.adu
        made[name] = CCDData(sci, unit=unit, uncertainty=StdDevUncertainty(np.sqrt(var)))

    def work() -> None:
        ccd = CCDData.read(folder / "science.fits", unit="adu")
        ccd = peer.ccd_process(
            ccd,
            error=True,
            gain=GAIN * u.electron / u.adu,
            readnoise=READ_NOISE_E * u.electron,
            gain_corrected=False,
            master_bias=made["bias"],
            dark_frame=made["dark"],
            dark_exposure=60 * u.s,
            data_exposure=60 * u.s,
            master_flat=made["flat"],
        )
        ccd.write(folder / "peer.fits", overwrite=True)

    return work


def numpy(task: str, folder: Path, size: int) -> Callable[[], object]:
    """Work of a short script: whole arrays, no stripes."""
    from astropy.io import fits

    paths = sorted(folder.glob("bias*.fits"))
    if task == "calibrate":
        masters = _masters(folder)
        return lambda: _numpy_calibrate(folder, masters)

    def work() -> object:
        stack = np.stack([fits.getdata(path, memmap=False) for path in paths])
        if task == "median":
            return np.median(stack, axis=0)
        if task == "mean":
            return stack.mean(axis=0), stack.var(axis=0, ddof=1) / len(stack)
        centre, spread = np.median(stack, axis=0), stack.std(axis=0)
        kept = np.where(np.abs(stack - centre) <= SIGMA * spread, stack, np.nan)
        return np.nanmean(kept, axis=0), np.nanvar(kept, axis=0, ddof=1)

    return work


def _numpy_calibrate(folder: Path, masters: dict[str, Any]) -> None:
    from astropy.io import fits

    (bias, bias_var), (dark, dark_var), (flat, flat_var) = masters.values()
    raw = fits.getdata(folder / "science.fits", memmap=False).astype(np.float32)
    collected = (raw - bias) * np.float32(GAIN)
    value = (collected - dark * np.float32(GAIN)) / flat
    noise = np.maximum(collected, 0) + READ_NOISE_E**2 + GAIN**2 * (bias_var + dark_var)
    variance = (noise + value**2 * flat_var) / flat**2
    mask = np.where(raw >= 60000, 4, 0).astype(np.uint16)
    units = [fits.PrimaryHDU(), *(fits.ImageHDU(plane) for plane in (value, variance, mask))]
    fits.HDUList(units).writeto(folder / "numpy.fits", overwrite=True)


CONTENDERS = {"this project": ours, "ccdproc": ccdproc, "numpy": numpy}


def _memory_kb(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


@dataclass(frozen=True)
class Setting:
    """What all contenders work on."""

    frames: Path
    tiny_frames: Path
    size: int
    repeat: int


def measure(name: str, task: str, setting: Setting) -> Result:
    """Median seconds and peak memory of a contender, measured in the calling process."""
    CONTENDERS[name](task, setting.tiny_frames, WARM_UP_PX)()
    work = CONTENDERS[name](task, setting.frames, setting.size)
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory_kb("VmRSS")
    seconds, cpu_seconds = [], []
    for _ in range(setting.repeat):
        start, cpu_start = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    peak_mb = (_memory_kb("VmHWM") - before) / 1024
    return Result(statistics.median(seconds), statistics.median(cpu_seconds), peak_mb)


def measure_apart(name: str, task: str, setting: Setting) -> Result:
    """As `measure`, in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, name, task, setting).result()


def print_table(setting: Setting, tasks: Sequence[str], contenders: Sequence[str]) -> None:
    """One line for each task and contender; ratios are to the first contender, by wall clock.

    On a machine that others use, too, CPU seconds are the steadier number.
    """
    titles = f"{'seconds':>9}{'ratio':>8}{'CPU s':>9}{'peak MB':>9}"
    sys.stdout.write(f"{'task':<12}{'contender':<14}{titles}\n")
    for task in tasks:
        reference = None
        for name in contenders:
            result = measure_apart(name, task, setting)
            reference = reference or result.seconds
            row = f"{task:<12}{name:<14}{result.seconds:>9.3f}{result.seconds / reference:>8.1f}"
            sys.stdout.write(f"{row}{result.cpu_seconds:>9.3f}{result.peak_mb:>9.0f}\n")
            sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=1024, help="frames of SIZE x SIZE pixels")
    parser.add_argument("--frames", type=int, default=10, help="frames to combine")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--only", nargs="+", choices=tuple(CONTENDERS), default=tuple(CONTENDERS))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        setting = Setting(Path(made, "frames"), Path(made, "tiny"), options.size, options.repeat)
        for folder, size in ((setting.frames, options.size), (setting.tiny_frames, WARM_UP_PX)):
            folder.mkdir()
            make_frames(folder, size=size, frames=options.frames)
        title = f"{options.frames} frames of {options.size}², median of {options.repeat} runs"
        sys.stdout.write(f"{title}\n\n")
        print_table(setting, options.tasks, options.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
