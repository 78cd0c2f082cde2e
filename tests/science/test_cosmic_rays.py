"""Cosmic rays of simulated frames against their truth, beside astroscrappy on the same frames."""

from __future__ import annotations

from datetime import date

import astroscrappy
import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from include.ccd.cosmic_rays import remove_cosmic_rays
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.toritos.simulator import DetectorSpec, NightPlan, Truth
from tests.science.perfect_calibration import calibrated

# Ten times the usual rate, so that a small frame has some hundred tracks.
SPEC = DetectorSpec(cosmics_per_cm2_s=0.8)


def frame(seed: int) -> tuple[Image, Truth]:
    """A science frame of 1024², perfectly calibrated."""
    plan = NightPlan(
        night=date(2026, 11, 20),
        size_px=1024,
        biases=0,
        darks={},
        flats={},
        science={"V": 1},
        exptime_s=120.0,
        seed=seed,
        detector=SPEC,
    )
    truth = Truth(plan)
    return calibrated(truth), truth


@pytest.mark.parametrize("seed", [5, 6])
def test_more_is_found_and_less_is_wrong_than_with_the_usual_tool(seed: int) -> None:
    """Recall at least, and false pixels at most, those of astroscrappy with its defaults.

    Its mask is what it is told of dead and hot pixels: without, it has ten times as many false.
    """
    image, truth = frame(seed)
    hit, judged = truth.cosmic(0), image.mask == 0
    peer, _ = astroscrappy.detect_cosmics(
        image.sci,
        inmask=(image.mask & (MaskBit.BAD | MaskBit.HOT)) != 0,
        readnoise=SPEC.read_noise_e,
        satlevel=SPEC.saturation_adu * SPEC.gain_e_per_adu * 0.97,
    )
    remove_cosmic_rays(image)
    ours = (image.mask & MaskBit.COSMIC) != 0
    assert (hit & judged).sum() > 500
    recall = (ours & hit & judged).sum() / (hit & judged).sum()
    assert recall > 0.97
    assert recall >= (peer & hit & judged).sum() / (hit & judged).sum()
    assert (ours & ~hit).sum() <= (peer & ~hit & judged).sum()


def test_cleaned_pixels_look_like_their_surroundings() -> None:
    """Away from stars, what is put in a hit pixel is within three sigma of the truth."""
    image, truth = frame(7)
    expected = truth.image(0)
    starless = ~binary_dilation(expected > 1.1 * np.median(expected), np.ones((7, 7)))
    before = image.sci.copy()
    hits = remove_cosmic_rays(image)
    chosen = starless[hits.y_px, hits.x_px]
    y, x = hits.y_px[chosen], hits.x_px[chosen]
    assert chosen.sum() > 300
    left = (image.sci - expected)[y, x] / np.sqrt(image.var[y, x])
    assert np.abs(left).max() < 3
    assert np.median((before - expected)[y, x] / np.sqrt(image.var[y, x])) > 5


def test_stars_keep_their_light() -> None:
    """In a frame without cosmic rays, hardly a pixel of a star is touched."""
    image, truth = frame(8)
    quiet = truth.image(0)
    noise = np.random.default_rng(1).normal(0, 1, quiet.shape)
    image = Image((quiet + noise * np.sqrt(quiet + 64)).astype("f4"), mask=None)
    image.var = np.maximum(image.sci, 0) + np.float32(64)
    remove_cosmic_rays(image)
    stars = quiet > 1.2 * np.median(quiet)
    assert stars.sum() > 2000
    assert np.mean(image.mask[stars] != 0) < 0.002
