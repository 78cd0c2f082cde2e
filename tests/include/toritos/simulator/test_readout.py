"""What comes out of the detector has the statistics of its constants."""

from __future__ import annotations

import numpy as np
import pytest

from include.toritos.simulator import DetectorSpec
from include.toritos.simulator.detector import Detector
from include.toritos.simulator.readout import draw_charge, expose
from include.toritos.simulator.streams import stream

SPEC = DetectorSpec()
NO_HITS = (np.empty(0, dtype=np.intp), np.empty(0))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(SPEC, size_px=320, seed=5)


def _expose(
    detector: Detector, name: str, *, light_e: float = 0.0, exptime_s: float = 0.0
) -> np.ndarray:
    raw = expose(
        detector,
        light_e=light_e,
        filter_name="V" if light_e else None,
        exptime_s=exptime_s,
        hits=NO_HITS,
        rng=stream(5, name),
    )
    return raw.astype(np.float64)


@pytest.mark.parametrize("mean_e", [0.0, 5.0, 99.0, 101.0, 1000.0, 40000.0])
def test_charge_has_the_moments_of_poisson_plus_gauss(mean_e: float) -> None:
    """Mean, variance and third moment, on both sides of the approximation."""
    count = 400_000
    variance = mean_e + 64.0
    deviation = draw_charge(stream(1, str(mean_e)), np.full(count, mean_e), read_noise_e=8.0)
    deviation -= mean_e
    assert deviation.mean() == pytest.approx(0.0, abs=4.0 * np.sqrt(variance / count))
    assert deviation.var() == pytest.approx(variance, rel=4.0 * np.sqrt(2.0 / count) + 1e-3)
    skewness = (deviation**3).mean() / variance**1.5
    assert skewness == pytest.approx(mean_e / variance**1.5, abs=4.0 * np.sqrt(6.0 / count))


def test_the_two_branches_of_one_frame_meet() -> None:
    """Faint and bright pixels of one array have the statistics each would have alone."""
    mean_e = np.where(np.arange(200_000) % 2 == 0, 3.0, 3000.0)
    pull = (draw_charge(stream(1, "both"), mean_e, read_noise_e=8.0) - mean_e) / np.sqrt(
        mean_e + 64
    )
    assert pull[::2].var() == pytest.approx(1.0, abs=0.02)
    assert pull[1::2].var() == pytest.approx(1.0, abs=0.02)


def test_the_read_noise_is_that_of_pairs_of_biases(detector: Detector) -> None:
    """8 e / 1.5 e per ADU, and the rounding to integers."""
    difference = _expose(detector, "bias 1") - _expose(detector, "bias 2")
    expected_adu = np.sqrt((SPEC.read_noise_e / SPEC.gain_e_per_adu) ** 2 + 1.0 / 12.0)
    assert difference.std() / np.sqrt(2.0) == pytest.approx(expected_adu, rel=0.01)


def test_the_gain_is_that_of_photon_transfer(detector: Detector) -> None:
    """Signal over variance of pairs of flats, read noise taken off (Janesick 2001)."""
    first, second = (_expose(detector, f"flat {k}", light_e=45000.0) for k in (1, 2))
    good = detector.good
    signal_adu = ((first + second) / 2.0 - detector.bias_adu)[good]
    read_variance = (SPEC.read_noise_e / SPEC.gain_e_per_adu) ** 2
    shot_variance = ((first - second)[good] ** 2).mean() / 2.0 - read_variance
    assert signal_adu.mean() / shot_variance == pytest.approx(SPEC.gain_e_per_adu, rel=0.02)


def test_the_dark_current_is_that_of_darks(detector: Detector) -> None:
    """The mean of what 300 s add to the bias is 300 times the rate."""
    dark_adu = _expose(detector, "dark", exptime_s=300.0) - detector.bias_adu
    good = detector.good
    measured = dark_adu[good].mean() * SPEC.gain_e_per_adu / 300.0
    noise = np.sqrt((64.0 + 300.0 * 0.3) / good.sum()) / 300.0
    assert measured == pytest.approx(detector.dark_e_per_s[good].mean(), abs=5.0 * noise)


def test_the_mean_of_a_bias_is_its_structure(detector: Detector) -> None:
    """Rounding does not shift the level, also where it is not a whole number."""
    mean = np.mean([_expose(detector, f"bias {k}") for k in range(12)], axis=0)
    columns = (mean - detector.bias_adu).mean(axis=0)
    noise = SPEC.read_noise_e / SPEC.gain_e_per_adu / np.sqrt(12 * 320)
    assert columns.std() == pytest.approx(noise, rel=0.2)
    assert abs(columns.mean()) < 5.0 * noise / np.sqrt(320)


def test_full_wells_clip_at_saturation(detector: Detector) -> None:
    """No value wraps around."""
    raw = _expose(detector, "bright", light_e=5e5)
    assert (raw[detector.good] == SPEC.saturation_adu).all()


def test_hits_add_their_charge_to_their_pixel(detector: Detector) -> None:
    """And to no other, in every stripe of rows."""
    pixels = np.array([0, 319, 320 * 160 + 7, 320 * 320 - 1], dtype=np.intp)
    frames = [
        expose(
            detector, light_e=0.0, filter_name=None, exptime_s=0.0, hits=hits, rng=stream(1, "x")
        ).astype(float)
        for hits in (NO_HITS, (pixels, np.full(4, 1500.0)))
    ]
    added = (frames[1] - frames[0]).ravel()
    assert (added[pixels] == 1000.0).all()
    assert np.count_nonzero(added) == 4
