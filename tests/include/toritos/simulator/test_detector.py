"""The planes of the detector have the stated properties."""

from __future__ import annotations

import numpy as np
import pytest

from include.toritos.simulator.detector import Detector, DetectorSpec

SPEC = DetectorSpec(dead_column=37)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(SPEC, size_px=256, seed=3)


def test_the_median_response_of_good_pixels_is_one(detector: Detector) -> None:
    """The convention of the truth rests on it, in each filter."""
    for name in ("V", "R"):
        assert np.median(detector.response(name)[detector.good]) == pytest.approx(1.0, abs=1e-6)


def test_dead_pixels_hardly_respond(detector: Detector) -> None:
    """Scattered dead pixels and the dead column are below 0.05; no good pixel is."""
    response = detector.response("V")
    assert detector.dead[:, 37].all()
    assert detector.dead.sum() > 256
    assert response[detector.dead].max() < 0.05
    assert response[detector.good].min() > 0.5


def test_hot_pixels_stand_out_of_a_master_dark(detector: Detector) -> None:
    """Each is 20 times the noise of a master of five 60 s darks above the others."""
    spec = detector.spec
    others_e = 60.0 * np.median(detector.dark_e_per_s)
    noise_e = np.sqrt((spec.read_noise_e**2 + others_e) / 5.0)
    assert detector.hot.sum() == np.ceil(spec.hot_fraction * 256**2)
    assert (60.0 * detector.dark_e_per_s[detector.hot] - others_e).min() > 20.0 * noise_e
    assert (60.0 * detector.dark_e_per_s[~detector.hot]).max() < others_e + 20.0 * noise_e


def test_a_pixel_is_hot_or_dead_or_good(detector: Detector) -> None:
    """The three masks share no pixel and leave none out."""
    total = detector.hot.astype(int) + detector.dead + detector.good
    assert (total == 1).all()


def test_the_bias_has_a_structure_around_its_level(detector: Detector) -> None:
    """Columns, a ramp and an edge: more than noise, less than a tenth of the level."""
    spread = np.ptp(detector.bias_adu.mean(axis=0))
    assert detector.bias_adu.mean() == pytest.approx(SPEC.bias_level_adu, abs=10.0)
    assert SPEC.bias_column_rms_adu < spread < 0.1 * SPEC.bias_level_adu


def test_corners_are_vignetted_and_filters_have_their_own_dust(detector: Detector) -> None:
    """Pixel sensitivities are common to the filters, so their ratio is 1 outside of dust."""
    response, ratio = detector.response("V"), detector.response("R") / detector.response("V")
    assert np.median(response[:16, :16]) < 0.95 * np.median(response[112:144, 112:144])
    assert np.median(np.abs(ratio[detector.good] - np.median(ratio[detector.good]))) < 1e-5
    assert np.abs(ratio[detector.good] - 1.0).max() > 0.01


def test_seed_and_size_make_another_camera(detector: Detector) -> None:
    """The same seed makes the same one."""
    same, other = (Detector(SPEC, size_px=256, seed=seed) for seed in (3, 4))
    assert np.array_equal(same.dark_e_per_s, detector.dark_e_per_s)
    assert np.array_equal(same.response("V"), detector.response("V"))
    assert not np.array_equal(other.hot, detector.hot)
