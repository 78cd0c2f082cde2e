"""From a raw frame to a clean calibrated image and a catalogue: this project and the usual tools.

The usual tools are ccdproc with uncertainty, astroscrappy through it, photutils' Background2D,
DAOStarFinder and circular apertures with errors; and, as a second one, photutils' segmentation
with deblending instead of DAOStarFinder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.calibrating import by_ccdproc, ccdproc_masters, our_masters
from bench.contest import Contender, contest, table_of
from bench.frames import (
    EXPTIME_S,
    GAIN_E_PER_ADU,
    PROVENANCE,
    READ_NOISE_E,
    science_header,
    setting_of,
    simulated,
)
from bench.table import Report
from bench.worker import Finish, Outcome, Work

TINY_PX = 256
FWHM_PX = 3.0
CONTENDERS = [
    Contender("this project", "bench.whole_frame:ours"),
    Contender("usual, DAOStarFinder", "bench.whole_frame:starfinder"),
    Contender("usual, segmentation", "bench.whole_frame:segmentation"),
]


def make_frame(folder: Path, size: int) -> None:
    """Write one raw science frame, its masters and the true brightness of its stars."""
    from include.toritos.simulator import simulate_frame

    truth = simulated(size)
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


def _outcome(folder: Path, x_px: Any, y_px: Any, flux_e: Any) -> Outcome:
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
    return Outcome(f"{number}, median flux {np.median(ratio):.3f} of the truth")


def ours(task: str, folder: Path, size: int) -> Work:
    """Work of this project."""
    from include.ccd.calibrate import calibrate
    from include.ccd.calibration import Calibration
    from include.ccd.cosmic_rays import remove_cosmic_rays
    from include.ccd.raw import RawFrame
    from include.ccd.sources import find_sources

    header, bad, masters = science_header(size), np.load(folder / "bad.npy"), our_masters(folder)

    def work() -> Finish:
        frame = RawFrame(folder / "science.fits", header)
        image = calibrate(frame, **masters, calibration=Calibration(), bad_pixels=bad)
        remove_cosmic_rays(image)
        table = find_sources(image, exptime_s=EXPTIME_S).table
        with (folder / "ours.fits").open("wb") as stream:
            image.write(stream, PROVENANCE)
        return lambda: _outcome(folder, table["x_px"], table["y_px"], table["flux_psf"])

    return work


def _usual(folder: Path, detect: Callable[[Any, Any, Any], tuple[Any, Any, Any]]) -> Work:
    """Work of ccdproc, astroscrappy and photutils, as their documentation writes it."""
    import ccdproc
    from photutils.background import Background2D

    bad, masters = np.load(folder / "bad.npy"), ccdproc_masters(folder)

    def work() -> Finish:
        ccd = by_ccdproc(folder, masters, bad)
        ccd.mask = bad.copy()
        ccd = ccdproc.cosmicray_lacosmic(
            ccd, readnoise=READ_NOISE_E, satlevel=95000.0, gain_apply=False
        )
        background = Background2D(ccd.data, 64, mask=ccd.mask)
        x_px, y_px, flux_e = detect(ccd, ccd.data - background.background, background)
        ccd.write(folder / "peer.fits", overwrite=True)
        return lambda: _outcome(folder, x_px, y_px, flux_e)

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


def run(*, quick: bool) -> Report:
    """One frame of 4096²."""
    size = 512 if quick else 4096
    report = Report(
        "A whole frame",
        f"A simulated frame of {size}² from a raw file to a calibrated, cleaned file and a "
        "catalogue. Of the usual tools, the faster one is what is judged against.",
    )
    with setting_of(make_frame, size=size, tiny_size=TINY_PX, repeat=3) as setting:
        found = contest("whole frame", CONTENDERS, setting)
    us, *usual = found.values()
    fastest = min(peer.seconds for peer in usual)
    report.judge("faster than the usual tools", fastest / us.seconds, "at least", 20, "×")
    report.tables = [table_of("A whole frame", {"whole frame": found})]
    return report
