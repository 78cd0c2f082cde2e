"""The truth is what a perfect reduction of the frames finds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from include.toritos.simulator import NightPlan, SkySpec, Truth
from include.toritos.simulator.sky import SATURATED_NAME, TRANSIENT_NAME, VARIABLE_NAME


def _calibrated_e(truth: Truth, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a science frame reduced with the true planes, and its standard deviation."""
    exposure, spec = truth.exposure(frame), truth.plan.detector
    assert exposure.filter is not None
    response = truth.detector.response(exposure.filter).astype(float)
    dark_e = truth.detector.dark_e_per_s * exposure.exptime_s
    signal_e = (truth.raw(frame) - truth.detector.bias_adu) * spec.gain_e_per_adu - dark_e
    variance = truth.image(frame) * response + dark_e + spec.read_noise_e**2
    variance += spec.gain_e_per_adu**2 / 12.0
    return signal_e / response, np.sqrt(variance) / response


def _clean(truth: Truth, frame: int) -> np.ndarray:
    return truth.detector.good & ~truth.cosmic(frame) & ~truth.saturated(frame)


@pytest.mark.parametrize("frame", [0, 1, 5])
def test_a_perfect_calibration_gives_the_image_within_its_noise(truth: Truth, frame: int) -> None:
    """χ² per pixel is one, the mean deviation nothing, the greatest what 25 000 pixels give."""
    image_e, sigma_e = _calibrated_e(truth, frame)
    pull = ((image_e - truth.image(frame)) / sigma_e)[_clean(truth, frame)]
    assert (pull**2).mean() == pytest.approx(1.0, abs=5.0 * np.sqrt(2.0 / len(pull)))
    assert pull.mean() == pytest.approx(0.0, abs=5.0 / np.sqrt(len(pull)))
    assert np.abs(pull).max() < 6.0


@pytest.mark.parametrize("name", [VARIABLE_NAME, TRANSIENT_NAME])
def test_the_flux_of_a_star_is_recovered_in_an_aperture(name: str) -> None:
    """Sky comes off by the truth, without the star; 99 % of the light is within 7 α."""
    quiet = SkySpec(stars_per_megapixel=0.0)
    truth = Truth(replace(NightPlan.demo(size_px=160, seed=3), sky=quiet))
    frame = "field01-V-0005.fit"
    place = truth.science.index(truth.exposure(frame))
    image_e, sigma_e = _calibrated_e(truth, place)
    conditions, k = truth.conditions(frame), truth.catalogue.index(name)
    rows, columns = np.indices(image_e.shape)
    near = (
        np.hypot(
            columns - truth.catalogue.x_px[k] - conditions.x_dither_px,
            rows - truth.catalogue.y_px[k] - conditions.y_dither_px,
        )
        < 12.0
    )
    near &= _clean(truth, place)
    flux_e = (image_e - conditions.sky_e)[near].sum()
    noise_e = np.sqrt((sigma_e[near] ** 2).sum())
    assert flux_e == pytest.approx(truth.star_flux_e(frame)[k], rel=0.01, abs=4.0 * noise_e)
    assert flux_e > 10.0 * noise_e


def test_the_transient_is_on_in_its_frames_only() -> None:
    """Exposures 4 to 11 of each filter; before and after the sky there is empty."""
    truth = Truth(NightPlan.demo(size_px=160))
    k = truth.catalogue.index(TRANSIENT_NAME)
    on = {each.name for each in truth.science if truth.star_flux_e(each)[k] > 0.0}
    assert on == {f"field01-{name}-{index:04d}.fit" for name in "VR" for index in range(4, 12)}


def test_the_variable_star_follows_its_sine() -> None:
    """Its flux spans the amplitude, after extinction is taken off; others stay constant."""
    truth = Truth(NightPlan.demo(size_px=160))
    sky, k = truth.plan.sky, truth.catalogue.index(VARIABLE_NAME)
    rates = np.array(
        [
            truth.star_flux_e(each)[:] / truth.conditions(each).transparency / 60.0
            for each in truth.science
            if each.filter == "V"
        ]
    )
    assert rates[:, k].max() == pytest.approx(sky.variable_e_per_s * 1.3, rel=0.05)
    assert rates[:, k].min() == pytest.approx(sky.variable_e_per_s * 0.7, rel=0.05)
    assert np.ptp(rates[:, 0]) < 1e-9 * rates[0, 0]


def test_the_brightest_star_saturates(truth: Truth) -> None:
    """The mask is a small blob around it."""
    rows, columns = np.nonzero(truth.saturated(0))
    conditions, k = truth.conditions(0), truth.catalogue.index(SATURATED_NAME)
    assert 5 <= len(rows) < 100
    assert columns.mean() == pytest.approx(
        truth.catalogue.x_px[k] + conditions.x_dither_px, abs=1.0
    )
    assert rows.mean() == pytest.approx(truth.catalogue.y_px[k] + conditions.y_dither_px, abs=1.0)


def test_cosmic_rays_are_where_the_mask_says(truth: Truth) -> None:
    """In a dark of an hour they are far above the noise, and nothing else is."""
    dark = truth.plan.exposure("dark", 1, exptime_s=3600.0)
    hit = truth.cosmic(dark)
    above = truth.raw(dark) - truth.detector.bias_adu
    above -= truth.detector.dark_e_per_s * 3600.0 / truth.plan.detector.gain_e_per_adu
    assert hit.sum() > 50
    assert np.median(above[hit & truth.detector.good]) > 300.0
    assert np.abs(above[truth.detector.good & ~hit]).max() < 150.0
    assert not truth.cosmic("bias-001.fit").any()


def test_flats_have_the_level_of_the_lamp(truth: Truth) -> None:
    """Median of good pixels above the bias, ADU."""
    for name in ("flat-V-001.fit", "flat-V-002.fit", "flat-R-001.fit"):
        level = np.median((truth.raw(name) - truth.detector.bias_adu)[truth.detector.good])
        assert level == pytest.approx(truth.conditions(name).lamp_adu, rel=2e-3)


def test_a_frame_may_be_named_in_three_ways(truth: Truth) -> None:
    """Place, file name or exposure; a name outside of the plan is refused."""
    assert truth.exposure(0) == truth.exposure("field01-V-0001.fit") == truth.science[0]
    assert truth.exposure(truth.science[3]) is truth.science[3]
    with pytest.raises(KeyError, match=r"no frame 'x\.fit' in the plan of 2026-11-20"):
        truth.exposure("x.fit")


def test_the_summary_can_be_kept_beside_the_frames(truth: Truth, tmp_path: Path) -> None:
    """JSON with stars, bad pixels and one row per frame."""
    truth.write_json(tmp_path / "truth.json")
    kept = json.loads((tmp_path / "truth.json").read_text())
    assert kept["plan"]["night"] == "2026-11-20"
    assert {row["name"] for row in kept["frames"]} == {each.name for each in truth.exposures}
    assert len(kept["hot_yx"]) == truth.detector.hot.sum()
    assert [star["name"] for star in kept["stars"]] == list(truth.catalogue.names)
    light = [row for row in kept["frames"] if row["kind"] == "science"]
    assert all(row["variable_e"] > 0.0 for row in light)
    assert sum(row["transient_e"] > 0.0 for row in light) == 2
