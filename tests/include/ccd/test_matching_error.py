"""What imperfect matching leaves at stars counts as noise there, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.candidates import DifferenceSource, find_candidates
from include.ccd.comparing import Detecting, Differencing
from include.ccd.difference import Difference, subtract
from include.ccd.image import Image
from include.ccd.matching_error import with_matching_error

SIDE, SIGMA_PX, SKY = 256, 1.3, 400.0


def field(seed: int, *, wrong: float = 0.0, new: tuple[float, float, float] | None = None) -> Image:
    """A field of 100 stars; in those of every other image `wrong` of the light is misplaced."""
    rng = np.random.default_rng(seed)
    places = np.random.default_rng(0).uniform(15, SIDE - 15, (100, 2))
    fluxes = 10 ** np.random.default_rng(0).uniform(4.0, 5.5, 100)
    y, x = np.mgrid[:SIDE, :SIDE]
    light = np.full((SIDE, SIDE), SKY)
    stars = [*zip(*places.T, fluxes, strict=True), *([new] if new else [])]
    for at_x, at_y, flux in stars:
        off = rng.normal(0.0, wrong * SIGMA_PX, 2)
        r2 = (x - at_x - off[0]) ** 2 + (y - at_y - off[1]) ** 2
        light += flux * np.exp(-0.5 * r2 / SIGMA_PX**2) / (2 * np.pi * SIGMA_PX**2)
    sci = rng.normal(light, np.sqrt(light))
    mask = np.zeros(sci.shape, np.uint16)
    return Image(sci.astype("f4"), light.astype("f4"), mask, unit="electron")


def compare(science: Image, reference: Image) -> Difference:
    return subtract(science, reference, differencing=Differencing(stamp_cell_px=32))


def test_misplaced_light_is_no_longer_significant() -> None:
    """Most detections at stars vanish, others are weak; a new star is as significant as before."""
    reference = field(1)
    science = field(2, wrong=0.05, new=(128.0, 40.0, 2500.0))
    difference = compare(science, reference)
    wider, fraction = with_matching_error(difference, reference)
    assert fraction > 0.01
    before, after = (
        find_candidates(each, science, reference, detection=Detecting())
        for each in (difference, wider)
    )
    (was,), (kept,) = ([each for each in found if is_new(each)] for found in (before, after))
    assert kept.significance == pytest.approx(was.significance, rel=0.15)
    assert kept.real
    assert len(after) < 0.5 * len(before)
    strongest = [
        max(abs(each.significance) for each in found if not is_new(each))
        for found in (before, after)
    ]
    assert strongest[1] < 0.5 * strongest[0]


def is_new(found: DifferenceSource) -> bool:
    """Whether it stands where the new star was put."""
    return bool(np.hypot(found.x_px - 128.0, found.y_px - 40.0) < 1.0)


def test_bright_stars_are_within_their_noise_as_often_as_a_normal_value() -> None:
    """99 of 100 pixels around them lie within 2.58 sigma; starless ones keep their variance."""
    reference, science = field(1), field(3, wrong=0.05)
    difference = compare(science, reference)
    wider, _ = with_matching_error(difference, reference)
    assert difference.image.var is not None
    assert wider.image.var is not None
    changed = wider.image.var > 1.5 * difference.image.var
    ratio = np.abs(wider.image.sci[changed]) / np.sqrt(wider.image.var[changed])
    assert 0.97 < (ratio < 2.58).mean() <= 1.0
    assert (wider.image.var == difference.image.var).mean() > 0.5


def test_a_good_match_adds_next_to_nothing() -> None:
    """Two images that differ by their noise alone."""
    reference = field(1)
    _, fraction = with_matching_error(compare(field(4), reference), reference)
    assert fraction < 0.01


def test_an_image_with_hardly_any_bright_stars_is_left_as_it_is() -> None:
    """Too few pixels tell nothing."""
    reference, science = field(1), field(2)
    difference = compare(science, reference)
    starless = Image(
        np.full((SIDE, SIDE), SKY, np.float32), reference.var, reference.mask, unit="electron"
    )
    same, fraction = with_matching_error(difference, starless)
    assert same is difference
    assert fraction == 0.0
