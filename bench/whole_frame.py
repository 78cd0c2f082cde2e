"""From a raw frame to a clean calibrated image and a catalogue: this project and the usual tools.

``python -m bench.whole_frame --size 4096`` prints one table, see `bench.contest`. The usual tools
are ccdproc with uncertainty, astroscrappy through it, photutils' Background2D, DAOStarFinder and
circular apertures with errors; and, as a second one, photutils' segmentation with deblending
instead of DAOStarFinder. Both sides read FITS, and write values, variance and mask.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from bench.contest import (
    GAIN_E_PER_ADU,
    READ_NOISE_E,
    Setting,
    Work,
    print_table,
    science_header,
)

WARM_UP_PX = 256
EXPTIME_S = 60.0
FWHM_PX = 3.0
PROVENANCE: dict[str, Any] = {
    "step": "bench",
    "version": "1",
    "fingerprint": "0" * 64,
    "parameters": {},
    "inputs": [],
}


def make_frame(folder: Path, *, size: int) -> None:
    """Write one raw science frame, its masters and the true brightness of its stars."""
    from include.toritos.simulator import NightPlan, Truth, simulate_frame

    plan = NightPlan(
        night=date(2026, 11, 20),
        size_px=size,
        biases=0,
        darks={},
        flats={},
        science={"V": 1},
        exptime_s=EXPTIME_S,
        seed=5,
    )
    truth = Truth(plan)
    simulate_frame(truth, truth.science[0], folder).rename(folder / "science.fits")
    detector = truth.detector
    planes = {
        "bias": detector.bias_adu,
        "dark": detector.dark_e_per_s * np.float32(EXPTIME_S / GAIN_E_PER_ADU),
        "flat": np.where(detector.dead, np.float32(1), detector.response("V")),
    }
    for name, plane in planes.items():
        np.save(folder / f"{name}.npy", plane.astype(np.float32))
        np.save(folder / f"{name}_var.npy", np.full(plane.shape, 1e-4, np.float32))
    np.save(folder / "bad.npy", (detector.hot | detector.dead))
    conditions, flux_e = truth.conditions(0), truth.star_flux_e(0)
    x_px = truth.catalogue.x_px + conditions.x_dither_px
    y_px = truth.catalogue.y_px + conditions.y_dither_px
    np.save(folder / "stars.npy", np.column_stack([x_px, y_px, flux_e]))


def _remark(folder: Path, x_px: Any, y_px: Any, flux_e: Any) -> str:
    """How many stars brighter than 3000 e were found, and how well measured."""
    from scipy.spatial import cKDTree

    stars = np.load(folder / "stars.npy")
    size = np.load(folder / "bad.npy", mmap_mode="r").shape[0]
    inside = np.all((stars[:, :2] > 10) & (stars[:, :2] < size - 11), axis=1)
    stars = stars[inside & (stars[:, 2] > 3000)]
    distance, rows = cKDTree(np.column_stack([x_px, y_px])).query(stars[:, :2])
    found = np.asarray(distance) < 1.5
    ratio = np.asarray(flux_e)[np.asarray(rows)[found]] / stars[found, 2]
    number = f"{len(x_px)} sources, {np.mean(found):.1%} of the stars over 3000 e"
    return f"{number}, median flux {np.median(ratio):.3f} of the truth"


def ours(task: str, folder: Path, size: int) -> Work:
    """Work of this project."""
    from include.ccd.calibrate import calibrate
    from include.ccd.calibration import Calibration
    from include.ccd.cosmic_rays import remove_cosmic_rays
    from include.ccd.image import Image
    from include.ccd.raw import RawFrame
    from include.ccd.sources import find_sources

    header, bad = science_header(size), np.load(folder / "bad.npy")
    masters = {
        name: Image(np.load(folder / f"{name}.npy"), np.load(folder / f"{name}_var.npy"))
        for name in ("bias", "dark", "flat")
    }
    masters["dark"].cards = {"EXPTIME": EXPTIME_S, "BIASCOR": True}

    def work() -> Callable[[], str]:
        frame = RawFrame(folder / "science.fits", header)
        image = calibrate(
            frame,
            bias=masters["bias"],
            dark=masters["dark"],
            flat=masters["flat"],
            calibration=Calibration(),
            bad_pixels=bad,
        )
        remove_cosmic_rays(image)
        table = find_sources(image, exptime_s=EXPTIME_S).table
        with (folder / "ours.fits").open("wb") as stream:
            image.write(stream, PROVENANCE)
        return lambda: _remark(folder, table["x_px"], table["y_px"], table["flux_psf"])

    return work


def _usual(folder: Path, detect: Callable[[Any, Any, Any], tuple[Any, Any, Any]]) -> Work:
    """Work of ccdproc, astroscrappy and photutils, as their documentation writes it."""
    import ccdproc
    from astropy import units as u
    from astropy.nddata import CCDData, StdDevUncertainty
    from photutils.background import Background2D

    warnings.simplefilter("ignore")
    logging.disable()
    bad, made = np.load(folder / "bad.npy"), {}
    for name in ("bias", "dark", "flat"):
        unit = u.dimensionless_unscaled if name == "flat" else u.adu
        error = StdDevUncertainty(np.sqrt(np.load(folder / f"{name}_var.npy")))
        made[name] = CCDData(np.load(folder / f"{name}.npy"), unit=unit, uncertainty=error)

    def work() -> Callable[[], str]:
        ccd = ccdproc.ccd_process(
            CCDData.read(folder / "science.fits", unit="adu"),
            error=True,
            gain=GAIN_E_PER_ADU * u.electron / u.adu,
            readnoise=READ_NOISE_E * u.electron,
            gain_corrected=False,
            master_bias=made["bias"],
            dark_frame=made["dark"],
            dark_exposure=EXPTIME_S * u.s,
            data_exposure=EXPTIME_S * u.s,
            master_flat=made["flat"],
        )
        ccd.mask = bad.copy()
        ccd = ccdproc.cosmicray_lacosmic(
            ccd, readnoise=READ_NOISE_E, satlevel=95000.0, gain_apply=False
        )
        background = Background2D(ccd.data, 64, mask=ccd.mask)
        x_px, y_px, flux_e = detect(ccd, ccd.data - background.background, background)
        ccd.write(folder / "peer.fits", overwrite=True)
        return lambda: _remark(folder, x_px, y_px, flux_e)

    return work


def _starfinder(ccd: Any, data: Any, background: Any) -> tuple[Any, Any, Any]:
    from photutils.aperture import CircularAperture, aperture_photometry
    from photutils.detection import DAOStarFinder

    finder = DAOStarFinder(5.0 * background.background_rms_median, FWHM_PX)
    stars = finder(data, mask=ccd.mask)
    x_px, y_px = np.asarray(stars["x_centroid"]), np.asarray(stars["y_centroid"])
    aperture = CircularAperture(np.column_stack([x_px, y_px]), r=2 * FWHM_PX)
    measured = aperture_photometry(data, aperture, error=ccd.uncertainty.array)
    return x_px, y_px, np.asarray(measured["aperture_sum"])


def _segmentation(ccd: Any, data: Any, background: Any) -> tuple[Any, Any, Any]:
    from astropy.convolution import convolve
    from photutils.segmentation import (
        SourceCatalog,
        SourceFinder,
        make_2dgaussian_kernel,
    )

    smooth = convolve(data, make_2dgaussian_kernel(FWHM_PX, size=7))
    finder = SourceFinder(n_pixels=5, progress_bar=False)
    threshold = 1.2 * background.background_rms
    segments = finder(smooth, threshold, mask=ccd.mask)
    catalogue = SourceCatalog(
        data, segments, convolved_data=smooth, error=ccd.uncertainty.array, mask=ccd.mask
    )
    return catalogue.x_centroid, catalogue.y_centroid, catalogue.kron_flux


def starfinder(task: str, folder: Path, size: int) -> Work:
    """The usual tools with DAOStarFinder and apertures."""
    return _usual(folder, _starfinder)


def segmentation(task: str, folder: Path, size: int) -> Work:
    """The usual tools with segmentation, deblending and Kron apertures."""
    return _usual(folder, _segmentation)


CONTENDERS = {"this project": ours, "starfinder": starfinder, "segmentation": segmentation}


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=2048, help="a frame of SIZE x SIZE pixels")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--only", nargs="+", choices=tuple(CONTENDERS), default=tuple(CONTENDERS))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        folders = Path(made, "frame"), Path(made, "tiny")
        setting = Setting(*folders, options.size, WARM_UP_PX, options.repeat)
        for folder, size in zip(folders, (options.size, WARM_UP_PX), strict=True):
            folder.mkdir()
            make_frame(folder, size=size)
        sys.stdout.write(f"a frame of {options.size}², median of {options.repeat} runs\n\n")
        print_table(setting, ["whole"], {name: CONTENDERS[name] for name in options.only})
    return 0


if __name__ == "__main__":
    sys.exit(main())
