"""Candidates: what is new is found and believed, artefacts are found and doubted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate

from include.ccd.candidates import DifferenceSource, find_candidates, matched_filter
from include.ccd.comparing import Detecting, Differencing
from include.ccd.difference import subtract
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from tests.star_fields import Stars, expose, make_stars, render

SIZE = 640
NEW = Stars(
    np.array([100.3, 320.7, 505.5, 150.0, 420.2]),
    np.array([200.6, 310.1, 150.4, 500.9, 560.0]),
    np.array([3000.0, 30_000.0, 5000.0, 9000.0, 2500.0]),
)


@pytest.fixture(scope="module")
def images() -> tuple[Image, Image]:
    """A science image with five new stars, one that is gone, and a few artefacts; a reference."""
    stars = make_stars(SIZE, 160, seed=2)
    light = render(stars, SIZE, fwhm=4.0) + render(NEW, SIZE, fwhm=4.0)
    gone = Stars(np.array([250.2]), np.array([430.6]), np.array([8000.0]))
    before = render(stars, SIZE, fwhm=3.1) + render(gone, SIZE, fwhm=3.1)
    science = expose(light, sky=600, seed=3)
    reference = expose(before, sky=400, seed=4, frames=4)
    for image in (science, reference):
        image.mask[image.sci > 60_000] = MaskBit.SATURATED
    science.sci[380, 100:103] += 5000  # a cosmic ray
    science.sci[90, 400] += 6000  # another
    science.sci[60, :] += 400  # a satellite
    return science, reference


@pytest.fixture(scope="module")
def found(images: tuple[Image, Image]) -> list[DifferenceSource]:
    """What is found in their difference."""
    difference = subtract(*images, differencing=Differencing(stamp_cell_px=64))
    return find_candidates(difference, *images, detection=Detecting())


def nearest(found: list[DifferenceSource], x: float, y: float) -> DifferenceSource:
    return min(found, key=lambda each: np.hypot(each.x_px - x, each.y_px - y))


def test_the_score_is_a_half_or_more_exactly_for_what_is_believed(found) -> None:
    """It falls with the bound that is nearest: new stars come before artefacts."""
    assert {each.score >= 0.5 for each in found if each.real} == {True}
    assert {each.score < 0.5 for each in found if not each.real} == {True}
    assert {0.0 <= each.score <= 1.0 for each in found} == {True}
    best = nearest(found, 320.7, 310.1)
    assert best.score > 0.6


def test_every_new_star_is_found_where_it_is_and_believed(found) -> None:
    """With its flux within the stated error and 3 %."""
    for x, y, flux in zip(NEW.x, NEW.y, NEW.flux, strict=True):
        candidate = nearest(found, x, y)
        assert np.hypot(candidate.x_px - x, candidate.y_px - y) < 0.5
        assert candidate.real, candidate.doubts
        assert candidate.flux == pytest.approx(flux, abs=3.5 * candidate.flux_error + 0.03 * flux)
        assert candidate.significance > 5.5


def test_a_star_that_is_gone_is_negative_and_believed(found) -> None:
    """What fades counts as much as what appears."""
    candidate = nearest(found, 250.2, 430.6)
    assert candidate.real
    assert candidate.flux == pytest.approx(-8000, rel=0.1)
    assert candidate.significance < -5.5


def test_artefacts_are_found_and_doubted(found) -> None:
    """Cosmic rays are too sharp, a trail is no star; each says why."""
    for x, y in ((101, 380), (400, 90)):
        candidate = nearest(found, x, y)
        assert np.hypot(candidate.x_px - x, candidate.y_px - y) < 1.5
        assert {"chi_square", "width"} & set(candidate.doubts)
    trail = [each for each in found if abs(each.y_px - 60) < 2]
    assert trail
    assert not any(each.real for each in trail)


def test_nothing_else_is_believed(found) -> None:
    """Bright stars that do not change leave no real candidate."""
    real = [each for each in found if each.real]
    assert len(real) == len(NEW.x) + 1


def test_the_most_significant_come_first_and_few_enough(images) -> None:
    """A broken image cannot fill the database."""
    difference = subtract(*images, differencing=Differencing(stamp_cell_px=64))
    few = find_candidates(difference, *images, detection=Detecting(max_candidates=3))
    strengths = [abs(each.significance) for each in few]
    assert len(few) == 3
    assert strengths == sorted(strengths, reverse=True)


def test_stamps_show_the_place_in_all_three_images(found, images) -> None:
    """Centred; of one size; NaN beyond the border."""
    science, reference = images
    candidate = nearest(found, NEW.x[1], NEW.y[1])
    y, x = round(NEW.y[1]), round(NEW.x[1])
    assert candidate.science.shape == candidate.difference.shape == (31, 31)
    row, column = np.unravel_index(np.nanargmax(candidate.difference), (31, 31))
    assert abs(row - 15) <= 1
    assert abs(column - 15) <= 1
    assert candidate.reference[15, 15] in reference.sci[y - 2 : y + 3, x - 2 : x + 3]
    assert candidate.science[15, 15] in science.sci[y - 2 : y + 3, x - 2 : x + 3]


def test_matched_filter_is_the_obvious_correlation() -> None:
    """Up to the scale of its noise, with masked pixels out of it."""
    rng = np.random.default_rng(5)
    psf = np.outer(*[np.exp(-0.5 * (np.arange(-6, 7) / 1.5) ** 2)] * 2)
    psf /= psf.sum()
    var = rng.uniform(50, 150, (90, 80)).astype(np.float32)
    image = Image(rng.normal(0, np.sqrt(var)).astype(np.float32), var, np.zeros_like(var, "u2"))
    image.mask[40, 40], image.sci[40, 40] = MaskBit.HOT, 1e6
    found = matched_filter(image, psf)
    good = image.mask == 0
    signal = correlate(np.where(good, image.sci / var, 0.0), psf, mode="constant")
    power = correlate(np.where(good, 1 / var, 0.0), psf**2, mode="constant")
    expected = signal / np.sqrt(power)
    factor = float((found * expected).sum() / (expected**2).sum())
    np.testing.assert_allclose(found, factor * expected, atol=0.02)
    assert found[::3, ::3].std() == pytest.approx(1.0, abs=0.01)


def test_noise_has_no_candidates(images) -> None:
    """An image less one like it, without anything new."""
    stars = make_stars(SIZE, 160, seed=2)
    science = expose(render(stars, SIZE, fwhm=4.0), sky=600, seed=13)
    science.mask[science.sci > 60_000] = MaskBit.SATURATED
    stars_before = expose(render(stars, SIZE, fwhm=3.1), sky=400, seed=14, frames=4)
    difference = subtract(science, stars_before, differencing=Differencing(stamp_cell_px=64))
    found = find_candidates(difference, science, stars_before, detection=Detecting())
    assert not [each for each in found if each.real]


@pytest.mark.parametrize("setting", [{"threshold_sigma": 0.0}, {"width_range": (2.0, 1.0)}])
def test_impossible_settings_are_refused(setting) -> None:
    """When they are made."""
    with pytest.raises(ValueError, match="must be"):
        Detecting(**setting)
