"""One frame, calibrated from file to file with variance and mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.contest import Contender, contest, differing, table_of
from bench.frames import (
    EXPTIME_S,
    GAIN_E_PER_ADU,
    PROVENANCE,
    READ_NOISE_E,
    SATURATION_ADU,
    science_header,
    setting_of,
)
from bench.memory import REST_S, rest, use_much
from bench.table import Report
from bench.worker import Finish, Outcome, Work

TINY_PX = 64
MARKED_FRACTION = 1e-4
CONTENDERS = [
    Contender("this project", "bench.calibrating:ours"),
    Contender("ccdproc", "bench.calibrating:ccdproc"),
    Contender("numpy", "bench.calibrating:numpy"),
    Contender("bare read and write", "bench.calibrating:bare"),
]
AT_REST, IN_USE = "memory at rest", "memory just used"
# Values and variances as float32, the mask as uint16.
BYTES_PER_PIXEL = 4 + 4 + 2


def make_frame(folder: Path, size: int) -> None:
    """Write one science frame, its three masters and which pixels are bad."""
    from astropy.io import fits

    rng = np.random.default_rng(1)
    shape = (size, size)
    raw = (rng.poisson(600, shape) + 1000).astype(np.uint16)
    raw[rng.random(shape) < MARKED_FRACTION] = SATURATION_ADU
    fits.writeto(folder / "science.fits", raw)
    np.save(folder / "bad.npy", rng.random(shape) < MARKED_FRACTION)
    for name, level in (("bias", 1000.0), ("dark", 20.0), ("flat", 1.0)):
        values = rng.normal(level, 0.01 * level, shape).astype(np.float32)
        np.save(folder / f"{name}.npy", values)
        np.save(folder / f"{name}_var.npy", np.full(shape, (0.01 * level) ** 2, np.float32))


def masters_of(folder: Path) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Values and variances of the masters."""
    return {
        name: (np.load(folder / f"{name}.npy"), np.load(folder / f"{name}_var.npy"))
        for name in ("bias", "dark", "flat")
    }


def our_masters(folder: Path) -> dict[str, Any]:
    """The same as this project keeps them."""
    from include.ccd.image import Image

    found = {
        name: Image(sci, var, np.zeros(sci.shape, np.uint16))
        for name, (sci, var) in masters_of(folder).items()
    }
    found["dark"].cards = {"EXPTIME": EXPTIME_S, "BIASCOR": True}
    return found


def ccdproc_masters(folder: Path) -> dict[str, Any]:
    """The same as ``ccdproc.combine`` gives them: in double precision, and with a mask."""
    from astropy import units as u
    from astropy.nddata import CCDData, StdDevUncertainty

    return {
        name: CCDData(
            sci.astype(np.float64),
            unit=u.dimensionless_unscaled if name == "flat" else u.adu,
            uncertainty=StdDevUncertainty(np.sqrt(var, dtype=np.float64)),
            mask=np.zeros(sci.shape, np.bool_),
        )
        for name, (sci, var) in masters_of(folder).items()
    }


def _outcome(pixels: npt.NDArray[Any], mask: Any) -> Outcome:
    return Outcome(f"{np.count_nonzero(mask)} pixels masked", pixels)


def ours(task: str, folder: Path, size: int) -> Work:
    """Work of this project."""
    from include.ccd.calibrate import calibrate
    from include.ccd.calibration import Calibration
    from include.ccd.raw import RawFrame

    header, bad, masters = science_header(size), np.load(folder / "bad.npy"), our_masters(folder)

    def work() -> Finish:
        frame = RawFrame(folder / "science.fits", header)
        image = calibrate(frame, **masters, calibration=Calibration(), bad_pixels=bad)
        with (folder / "ours.fits").open("wb") as stream:
            image.write(stream, PROVENANCE)
        return lambda: _outcome(image.sci, image.mask)

    return work


def by_ccdproc(folder: Path, masters: dict[str, Any], bad: npt.NDArray[Any]) -> Any:
    """A frame calibrated by ccdproc with uncertainty and mask."""
    import ccdproc as peer
    from astropy import units as u
    from astropy.nddata import CCDData

    raw = CCDData.read(folder / "science.fits", unit="adu")
    return peer.ccd_process(
        raw,
        error=True,
        bad_pixel_mask=bad | (raw.data >= SATURATION_ADU),
        gain=GAIN_E_PER_ADU * u.electron / u.adu,
        readnoise=READ_NOISE_E * u.electron,
        gain_corrected=False,
        master_bias=masters["bias"],
        dark_frame=masters["dark"],
        dark_exposure=EXPTIME_S * u.s,
        data_exposure=EXPTIME_S * u.s,
        master_flat=masters["flat"],
    )


def ccdproc(task: str, folder: Path, size: int) -> Work:
    """Work of ccdproc, as its documentation writes it; it divides by the flat over its mean."""
    bad, masters = np.load(folder / "bad.npy"), ccdproc_masters(folder)
    mean = float(masters["flat"].data.mean())

    def work() -> Finish:
        image = by_ccdproc(folder, masters, bad)
        image.write(folder / "peer.fits", overwrite=True)
        return lambda: _outcome(image.data / mean, image.mask)

    return work


def numpy(task: str, folder: Path, size: int) -> Work:
    """Work of a short script."""
    from astropy.io import fits

    (bias, bias_var), (dark, dark_var), (flat, flat_var) = masters_of(folder).values()
    gain, bad = np.float32(GAIN_E_PER_ADU), np.load(folder / "bad.npy")

    def work() -> Finish:
        raw = fits.getdata(folder / "science.fits", memmap=False).astype(np.float32)
        collected = (raw - bias) * gain
        value = (collected - dark * gain) / flat
        noise = np.maximum(collected, 0) + READ_NOISE_E**2 + gain**2 * (bias_var + dark_var)
        variance = (noise + value**2 * flat_var) / flat**2
        mask = (bad | np.where(raw >= SATURATION_ADU, 4, 0)).astype(np.uint16)
        units = [fits.PrimaryHDU(), *(fits.ImageHDU(plane) for plane in (value, variance, mask))]
        fits.HDUList(units).writeto(folder / "numpy.fits", overwrite=True)
        return lambda: _outcome(value, mask)

    return work


def bare(task: str, folder: Path, size: int) -> Work:
    """The bytes that come in, and as many as go out."""
    source = folder / "science.fits"
    buffer, product = bytearray(source.stat().st_size), bytes(BYTES_PER_PIXEL * size * size)

    def work() -> None:
        with source.open("rb", buffering=0) as stream:
            stream.readinto(buffer)
        with (folder / "bare.fits").open("wb", buffering=0) as stream:
            left = memoryview(product)
            while left:
                left = left[stream.write(left) :]

    return work


def run(*, quick: bool) -> Report:
    """One frame of 4096², by a machine at rest and by one that was busy just before."""
    size = 512 if quick else 4096
    report = Report(
        "Calibration",
        f"A frame of {size}² from a raw file to a file of values, uncertainties and mask; masters, "
        "and a list of bad pixels, are in memory. The masters given to ccdproc are what "
        "`ccdproc.combine` makes: float64, with uncertainty and mask. Nothing is synced to the "
        "disk. Most of ccdproc's time goes into getting memory. At rest, as a machine is that "
        "waits for a frame, a virtual machine has given its free memory back to the host; just "
        "after other work has used much of it, it may still have it, which hardware of one's own "
        "always does.",
    )
    with setting_of(make_frame, size=size, tiny_size=TINY_PX, repeat=7) as setting:
        rest(0 if quick else REST_S)
        at_rest = contest(AT_REST, CONTENDERS, setting)
        use_much()
        in_use = contest(IN_USE, CONTENDERS, setting)
        us, peer = at_rest["this project"], at_rest["ccdproc"]
        off = differing(us, peer, rtol=1e-4, atol=0.01)
    report.judge(f"faster than ccdproc, {AT_REST}", peer.seconds / us.seconds, "at least", 15, "×")
    for state, found in ((AT_REST, at_rest), (IN_USE, in_use)):
        us, copy = found["this project"], found["bare read and write"]
        over = us.seconds / copy.seconds
        report.judge(f"time over bare read and write, {state}", over, "at most", 2, "×")
    report.judge("pixels that differ from ccdproc's by over 0.01 e", off, "at most", 1e-5, "of all")
    report.tables = [table_of("Calibration", {AT_REST: at_rest, IN_USE: in_use})]
    return report
