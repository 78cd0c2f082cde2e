"""Combining and calibrating: this project, ccdproc and plain numpy on the same frames.

``python -m bench.combine_and_calibrate --size 4096 --frames 20`` prints one table, see
`bench.contest`. All work from FITS files in the page cache.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.contest import GAIN_E_PER_ADU, READ_NOISE_E, Setting, print_table, science_header

SIGMA = 3.0
WARM_UP_PX = 64
PROVENANCE: dict[str, Any] = {
    "step": "bench",
    "version": "1",
    "fingerprint": "0" * 64,
    "parameters": {},
    "inputs": [],
}
TASKS = ("median", "sigma_clip", "mean", "calibrate")


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

    header = science_header(size)
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
            gain=GAIN_E_PER_ADU * u.electron / u.adu,
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
    collected = (raw - bias) * np.float32(GAIN_E_PER_ADU)
    value = (collected - dark * np.float32(GAIN_E_PER_ADU)) / flat
    noise = np.maximum(collected, 0) + READ_NOISE_E**2 + GAIN_E_PER_ADU**2 * (bias_var + dark_var)
    variance = (noise + value**2 * flat_var) / flat**2
    mask = np.where(raw >= 60000, 4, 0).astype(np.uint16)
    units = [fits.PrimaryHDU(), *(fits.ImageHDU(plane) for plane in (value, variance, mask))]
    fits.HDUList(units).writeto(folder / "numpy.fits", overwrite=True)


CONTENDERS = {"this project": ours, "ccdproc": ccdproc, "numpy": numpy}


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
        folders = Path(made, "frames"), Path(made, "tiny")
        setting = Setting(*folders, options.size, WARM_UP_PX, options.repeat)
        for folder, size in zip(folders, (options.size, WARM_UP_PX), strict=True):
            folder.mkdir()
            make_frames(folder, size=size, frames=options.frames)
        title = f"{options.frames} frames of {options.size}², median of {options.repeat} runs"
        sys.stdout.write(f"{title}\n\n")
        print_table(setting, options.tasks, {name: CONTENDERS[name] for name in options.only})
    return 0


if __name__ == "__main__":
    sys.exit(main())
