"""From truth to candidates: world coordinates, zero point, stack, difference, light curve."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import sep

from include.ccd.align import Resampled, find_alignment
from include.ccd.astrometry import Solution, solve
from include.ccd.candidates import find_candidates
from include.ccd.coadd import ImageLayer, coadd
from include.ccd.comparing import Coadding, Detecting, Differencing
from include.ccd.difference import Difference, subtract
from include.ccd.forced import flux_noise, forced_psf
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.measuring import Astrometry, Photometry
from include.ccd.zero_point import find_zero_point
from include.toritos.simulator import NightPlan, Truth
from include.toritos.simulator.catalog import ZERO_POINT, truth_catalog, truth_wcs
from include.toritos.simulator.sky import SkySpec

SIZE = 640
APERTURE_PX = 9.0
READ_NOISE_E = 8.0
TEMPLATES, TRANSIENT_ON, TRANSIENT_OFF = (0, 1, 2, 11, 12), (3, 6, 9), (14, 17)


@pytest.fixture(scope="module")
def truth() -> Truth:
    """A field with a transient in the middle of the night, in one filter."""
    sky = SkySpec(stars_per_megapixel=600.0)
    plan = NightPlan.demo(date(2026, 11, 20), size_px=SIZE, seed=5)
    return Truth(replace(plan, science={"V": 20}, sky=sky))


def exposed(truth: Truth, frame: int) -> Image:
    """A frame as a perfect calibration would leave it, with its noise."""
    light = truth.image(frame).astype(float)
    rng = np.random.default_rng(100 + frame)
    sci = rng.poisson(light) + rng.normal(0, READ_NOISE_E, light.shape)
    mask = np.where(light > 90_000, np.uint16(MaskBit.SATURATED), np.uint16(0))
    var = np.maximum(sci, 0) + READ_NOISE_E**2
    sci -= np.median(sci)
    return Image(sci.astype(np.float32), var.astype(np.float32), mask, unit="electron")


def sources(image: Image) -> np.ndarray:
    """Detections, the brightest first."""
    found = sep.extract(image.sci, 5.0, err=float(np.sqrt(np.median(image.var))))
    found = found[(found["flag"] & ~1) == 0]
    return found[np.argsort(-found["flux"])]


def places(found: np.ndarray) -> np.ndarray:
    return np.column_stack([found["x"], found["y"]])


@pytest.fixture(scope="module")
def aligned(truth: Truth) -> dict[int, Image]:
    """All frames on the pixels of the first."""
    first = places(sources(exposed(truth, 0)))
    images = {}
    for frame in (*TEMPLATES, *TRANSIENT_ON, *TRANSIENT_OFF):
        image = exposed(truth, frame)
        found = find_alignment(first, places(sources(image)), shape=(SIZE, SIZE))
        images[frame] = Resampled(image, found.transform, shape=(SIZE, SIZE)).image()
    return images


@pytest.fixture(scope="module")
def reference(truth: Truth, aligned: dict[int, Image]) -> Image:
    """A stack of frames in which the transient does not shine."""
    assert not any(truth.transient_on(frame) for frame in TEMPLATES)
    layers = [ImageLayer(aligned[frame]) for frame in TEMPLATES]
    return coadd(layers, coadding=Coadding(misfit=0.2))


def transient_place(truth: Truth) -> tuple[float, float]:
    """Where the transient is on the pixels of the first frame."""
    index = truth.catalogue.index("NEW1")
    conditions = truth.conditions(0)
    return (
        float(truth.catalogue.x_px[index] + conditions.x_dither_px),
        float(truth.catalogue.y_px[index] + conditions.y_dither_px),
    )


def test_world_coordinates_are_the_simulators(truth: Truth) -> None:
    """To a tenth of an arcsecond, from a pointing five arcminutes off."""
    found = solved(truth, 4)
    corners = np.array([[0.0, 0.0], [SIZE, 0.0], [0.0, SIZE], [SIZE, SIZE]])
    ours, true = found.wcs.all_pix2world(corners, 0), truth_wcs(truth, 4).all_pix2world(corners, 0)
    assert np.abs(ours - true).max() * 3600 < 0.1
    assert not found.mirrored


def solved(truth: Truth, frame: int) -> Solution:
    found = sources(exposed(truth, frame))
    return solve(
        found["x"],
        found["y"],
        found["flux"],
        truth_catalog(truth),
        shape=(SIZE, SIZE),
        ra_deg=truth.plan.ra_deg + 0.08,
        dec_deg=truth.plan.dec_deg - 0.05,
        astrometry=Astrometry(scale_arcsec_per_px=0.72, radius_deg=0.2, bright_stars=60),
        filter="V",
    )


def test_zero_point_is_that_of_the_air(truth: Truth) -> None:
    """Within its error, after the light outside of the aperture is allowed for."""
    frame = 4
    image, found = exposed(truth, frame), sources(exposed(truth, frame))
    solution, catalog = solved(truth, frame), truth_catalog(truth)
    paired = found[solution.source]
    flux, error, _ = sep.sum_circle(
        image.sci, paired["x"], paired["y"], APERTURE_PX, var=image.var, mask=image.mask != 0
    )
    stars = catalog.pick(solution.star)
    photometry = Photometry(max_error_mag=0.05)
    zero = find_zero_point(
        flux, error, stars.mag["V"], stars.mag_error["V"], stars.colour, photometry=photometry
    )
    conditions = truth.conditions(frame)
    expected = ZERO_POINT + 2.5 * np.log10(
        truth.exposure(frame).exptime_s * conditions.transparency
    )
    assert zero.zero_point_mag == pytest.approx(expected, abs=0.04)
    assert zero.zero_point_error_mag < 0.02
    assert abs(zero.colour_term) < 4 * zero.colour_term_error + 0.01


@pytest.fixture(scope="module")
def differences(aligned: dict[int, Image], reference: Image) -> dict[int, Difference]:
    """Frames with and without the transient, less the reference."""
    parameters = Differencing(stamp_cell_px=80)
    frames = (*TRANSIENT_ON, *TRANSIENT_OFF)
    return {n: subtract(aligned[n], reference, differencing=parameters) for n in frames}


def test_differences_are_as_noisy_as_they_say(differences: dict[int, Difference]) -> None:
    """After resampling, stacking and matching, pixel by pixel."""
    for difference in differences.values():
        image = difference.image
        good = image.mask == 0
        ratio = image.sci[good] / np.sqrt(image.var[good])
        width = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
        assert width == pytest.approx(1.0, abs=0.05)


def test_the_transient_is_found_while_it_shines(truth, aligned, reference, differences) -> None:
    """Where it is, believed, and not before or after."""
    x, y = transient_place(truth)
    for frame, difference in differences.items():
        found = find_candidates(difference, aligned[frame], reference, detection=Detecting())
        near = [c for c in found if np.hypot(c.x_px - x, c.y_px - y) < 1.0 and c.real]
        assert len(near) == (1 if truth.transient_on(frame) else 0), frame


def test_its_light_curve_is_the_truth(truth: Truth, differences: dict[int, Difference]) -> None:
    """Forced flux at its place in every frame, shining or not, within errors and 3 %."""
    x, y = transient_place(truth)
    index = truth.catalogue.index("NEW1")
    for frame, difference in differences.items():
        scale = flux_noise(difference.image, difference.psf).scale
        found = forced_psf(difference.image, difference.psf, [x], [y], noise_scale=scale)
        true = float(truth.star_flux_e(frame)[index])
        error = float(found.flux_error[0])
        assert found.flux[0] == pytest.approx(true, abs=4 * error + 0.03 * true), frame
