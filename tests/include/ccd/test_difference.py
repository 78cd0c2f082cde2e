"""Difference images: noise as stated, transients with their flux, bad pixels where they are."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.comparing import Differencing
from include.ccd.difference import DifferenceError, subtract
from include.ccd.forced import forced_psf
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from tests.star_fields import Stars, expose, make_stars, render

SIZE = 512
PARAMETERS = Differencing(stamp_cell_px=64)


def pair(*, science_fwhm: float, reference_fwhm: float, scale: float = 1.0, new: float = 0.0):
    """A science image with one new star in the middle, and a reference."""
    stars = make_stars(SIZE, 150, seed=2)
    light = scale * render(stars, SIZE, fwhm=science_fwhm, vary=0.05)
    if new:
        centre = Stars(np.array([250.3]), np.array([260.7]), np.array([new]))
        light += render(centre, SIZE, fwhm=science_fwhm)
    science = expose(light, sky=600, seed=3)
    reference = expose(render(stars, SIZE, fwhm=reference_fwhm), sky=400, seed=4, frames=4)
    return science, reference


@pytest.mark.parametrize(
    ("science_fwhm", "reference_fwhm", "scale", "convolved"),
    [
        (4.2, 3.0, 1.0, "reference"),
        (3.0, 4.2, 1.0, "science"),
        (3.3, 3.0, 1.4, "reference"),
        (5.5, 2.6, 0.7, "reference"),
    ],
)
def test_noise_is_as_wide_as_the_variance_says(
    science_fwhm: float, reference_fwhm: float, scale: float, convolved: str
) -> None:
    """For unequal seeing, sky, depth and transparency; stars leave no more than noise."""
    science, reference = pair(science_fwhm=science_fwhm, reference_fwhm=reference_fwhm, scale=scale)
    found = subtract(science, reference, differencing=PARAMETERS)
    ratio = found.image.sci / np.sqrt(found.image.var)
    good = found.image.mask == 0
    stars = good & (reference.sci > 1000)
    assert found.convolved == convolved
    assert np.mean(good) > 0.85
    assert ratio[good].std() == pytest.approx(1.0, abs=0.05)
    assert abs(ratio[good].mean()) < 0.02
    assert ratio[stars].std() < 1.6
    assert found.image.metrics["difference_width_sigma"] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(("science_fwhm", "reference_fwhm"), [(4.2, 3.0), (3.0, 4.2)])
def test_a_new_star_keeps_its_flux(science_fwhm: float, reference_fwhm: float) -> None:
    """On the scale of the science image, whichever of the two took the kernel."""
    flux = 60_000.0
    science, reference = pair(
        science_fwhm=science_fwhm, reference_fwhm=reference_fwhm, scale=0.8, new=flux
    )
    image = subtract(science, reference, differencing=PARAMETERS).image
    y, x = np.mgrid[:SIZE, :SIZE]
    near = np.hypot(x - 250.3, y - 260.7) < 15
    error = float(np.sqrt(image.var[near].sum()))
    assert image.sci[near].sum() == pytest.approx(flux, abs=3 * error + 0.02 * flux)


def test_equal_images_need_no_smoothing() -> None:
    """With equal seeing the kernel is a pixel, not a blur that hides noise."""
    science, reference = pair(science_fwhm=3.0, reference_fwhm=3.0)
    found = subtract(science, reference, differencing=Differencing(convolve="reference"))
    kernel = found.kernel.at(256, 256)
    half = found.kernel.basis.half_px
    assert kernel[half, half] > 0.4
    assert kernel.sum() == pytest.approx(1.0, abs=0.03)


def test_bad_pixels_are_masked_where_they_matter_and_harm_nothing_else() -> None:
    """Garbage under the mask, NaN even, changes nothing outside of the mask."""
    science, reference = pair(science_fwhm=4.2, reference_fwhm=3.0)
    clean = subtract(science, reference, differencing=PARAMETERS)
    science.sci[100, 100], science.mask[100, 100] = 1e6, MaskBit.HOT
    reference.sci[200, 300], reference.mask[200, 300] = np.nan, MaskBit.BAD
    dirty = subtract(science, reference, differencing=PARAMETERS)
    assert dirty.image.mask[100, 100] == MaskBit.HOT
    assert dirty.image.mask[200, 300] == MaskBit.BAD | MaskBit.NO_DATA
    assert dirty.image.mask[202, 302] & MaskBit.BAD
    assert dirty.image.mask[220, 300] == 0
    assert np.isfinite(dirty.image.sci).all()
    good = dirty.image.mask == 0
    off = np.abs(dirty.image.sci - clean.image.sci) / np.sqrt(clean.image.var)
    assert off[good].max() < 0.5


def test_border_within_reach_of_the_kernel_is_no_data() -> None:
    """There the kernel would need pixels that nobody has."""
    found = subtract(*pair(science_fwhm=4.2, reference_fwhm=3.0), differencing=PARAMETERS)
    half = found.kernel.basis.half_px
    assert (found.image.mask[:half] & MaskBit.NO_DATA).all()
    assert (found.image.mask[:, -half:] & MaskBit.NO_DATA).all()


def test_a_gradient_of_the_sky_is_taken_off() -> None:
    """A slope in one image and not in the other leaves nothing."""
    science, reference = pair(science_fwhm=4.2, reference_fwhm=3.0)
    science.sci += np.linspace(-30, 30, SIZE, dtype=np.float32)
    image = subtract(science, reference, differencing=PARAMETERS).image
    good = image.mask == 0
    left, right = image.sci[:, :128][good[:, :128]], image.sci[:, -128:][good[:, -128:]]
    assert abs(np.median(left) - np.median(right)) < 1.5


def test_threads_change_nothing() -> None:
    """Bands of the image do not know of each other."""
    images = pair(science_fwhm=4.2, reference_fwhm=3.0)
    one = subtract(*images, differencing=PARAMETERS).image
    two = subtract(*images, differencing=PARAMETERS, threads=2).image
    np.testing.assert_array_equal(one.sci, two.sci)
    np.testing.assert_array_equal(one.var, two.var)


def test_inputs_are_left_as_they_were() -> None:
    """Planes of the given images are not written to."""
    science, reference = pair(science_fwhm=4.2, reference_fwhm=3.0)
    science.mask[5, 5] = MaskBit.HOT
    before = [plane.copy() for plane in (science.sci, science.var, reference.sci, reference.mask)]
    subtract(science, reference, differencing=PARAMETERS)
    after = [science.sci, science.var, reference.sci, reference.mask]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_subtracted_is_refused() -> None:
    """The message says why."""
    flat = expose(np.zeros((200, 200), np.float32), sky=500, seed=1)
    other = expose(np.zeros((200, 201), np.float32), sky=500, seed=1)
    with pytest.raises(DifferenceError, match="align them first"):
        subtract(flat, other, differencing=PARAMETERS)
    with pytest.raises(DifferenceError, match="0 stars stand out by 20 sigma, 5 are needed"):
        subtract(flat, flat, differencing=PARAMETERS)
    with pytest.raises(DifferenceError, match="variance"):
        subtract(flat, Image(flat.sci), differencing=PARAMETERS)
    flat.mask[:] = MaskBit.BAD
    with pytest.raises(DifferenceError, match="no usable pixel"):
        subtract(flat, flat, differencing=PARAMETERS)


@pytest.mark.parametrize(
    "setting",
    [{"kernel_degree": 4}, {"stamp_cell_px": 8}, {"min_stamps": 0}, {"stamp_snr": 0.0}],
)
def test_impossible_settings_are_refused(setting: dict[str, float]) -> None:
    """When they are made, not when they are used."""
    with pytest.raises(ValueError, match=r"must be|need"):
        Differencing(**setting)


@pytest.mark.parametrize(("science_fwhm", "reference_fwhm"), [(4.2, 3.0), (3.0, 4.2)])
def test_a_difference_can_be_on_the_scale_of_the_reference(
    science_fwhm: float, reference_fwhm: float
) -> None:
    """Through thin cloud a new star has the flux that the reference would have had."""
    flux, clouds = 60_000.0, 0.7
    science, reference = pair(
        science_fwhm=science_fwhm, reference_fwhm=reference_fwhm, scale=clouds, new=clouds * flux
    )
    found = subtract(science, reference, differencing=PARAMETERS)
    rescaled = found.on_reference_scale()
    measured = forced_psf(rescaled, found.psf, [250.3], [260.7])
    assert measured.flux[0] == pytest.approx(flux, rel=0.04)
    assert found.flux_ratio(260.0, 250.0) == pytest.approx(clouds, rel=0.01)
    ratio, before = (image.sci / np.sqrt(image.var) for image in (rescaled, found.image))
    np.testing.assert_allclose(ratio, before, rtol=1e-4, atol=1e-4)
