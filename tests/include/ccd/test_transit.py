"""Transits: hidden light against closed forms and brute force, fits against simulated truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from include.ccd.targets import Transit
from include.ccd.transit import TransitError, fit_transit, hidden_light, transit_flux

PLANET = Transit(
    epoch_bjd_tdb=2454420.447187,
    period_days=2.150008,
    semi_major_axis=6.05,
    inclination_deg=88.9,
    limb_darkening=(0.35, 0.28),
    radius_ratio=0.15,
)
MID = PLANET.nearest_mid(2458107.7)


def brute(separation: float, radius_ratio: float, first: float, second: float) -> float:
    """The star's disc as four million points."""
    y, x = np.mgrid[-1:1:2001j, -1:1:2001j]
    squared = x**2 + y**2
    mu = np.sqrt(np.clip(1.0 - squared, 0.0, 1.0))
    light = np.where(squared <= 1.0, 1.0 - first * (1.0 - mu) - second * (1.0 - mu) ** 2, 0.0)
    hidden = (x - separation) ** 2 + y**2 <= radius_ratio**2
    return float(light[hidden].sum() / light.sum())


@pytest.mark.parametrize("separation", [0.0, 0.05, 0.3, 0.8, 0.95, 1.05, 1.2])
def test_hidden_light_equals_that_of_a_disc_of_points(separation: float) -> None:
    """In front of the middle, on the limb, beside the star."""
    found = hidden_light(np.array([separation]), 0.12, (0.4, 0.2))[0]
    assert found == pytest.approx(brute(separation, 0.12, 0.4, 0.2), abs=3e-5)


def test_a_uniform_star_loses_the_area_of_the_planet() -> None:
    """And on the limb that of the lens, by its closed form."""
    found = hidden_light(np.array([0.0, 0.1, 0.5, 1.0]), 0.1, (0.0, 0.0))
    np.testing.assert_allclose(found[:3], 0.01, atol=1e-12)
    k, z = 0.1, 1.0
    lens = (
        k**2 * np.arccos((z**2 + k**2 - 1) / (2 * z * k))
        + np.arccos((z**2 + 1 - k**2) / (2 * z))
        - 0.5 * np.sqrt((1 + k - z) * (z + k - 1) * (z - k + 1) * (z + k + 1))
    )
    assert found[3] == pytest.approx(lens / np.pi, abs=1e-9)


def test_the_planet_behind_the_star_hides_nothing() -> None:
    """Half a period later."""
    half = PLANET.period_days / 2.0
    assert transit_flux(np.array([half, 0.0]), 0.15, PLANET)[0] == 1.0


@pytest.mark.parametrize("baseline", [("time",), ("time", "airmass")])
def test_a_fit_agrees_with_the_truth_within_its_errors(baseline: tuple[str, ...]) -> None:
    """A transit 4 minutes late, half a percent of noise, a trend with airmass and time."""
    rng = np.random.default_rng(11)
    time = MID + np.linspace(-0.14, 0.15, 140)
    airmass = 1.0 + 20.0 * (time - MID + 0.06) ** 2
    trend = 1.02 + 0.1 * (time - MID) + (0.01 * airmass if "airmass" in baseline else 0.0)
    flux = trend * transit_flux(time - MID - 4.0 / 1440.0, 0.15, PLANET)
    flux += rng.normal(0.0, 0.005, len(time))
    flux[10] = np.nan
    planet = replace(PLANET, baseline=baseline, radius_ratio=0.1)
    fit = fit_transit(time, flux, np.full(len(time), 0.003), airmass, transit=planet)
    assert abs(fit.minutes_late - 4.0) < 3.5 * fit.mid_error_days * 1440.0
    assert 0.5 < fit.mid_error_days * 1440.0 < 2.5
    assert abs(fit.depth - 0.0225) < 3.5 * fit.depth_error
    assert fit.depth_error < 0.002
    assert fit.scatter == pytest.approx(0.005, rel=0.2)
    assert fit.model.min() == pytest.approx(0.974, abs=0.01)
    assert np.median(fit.baseline) == pytest.approx(1.0, abs=0.01)


def test_curves_without_a_transit_are_refused() -> None:
    """Too few points, or none while the planet is in front."""
    time = MID + np.linspace(-0.02, 0.02, 5)
    with pytest.raises(TransitError, match="10 are needed"):
        fit_transit(time, np.ones(5), np.ones(5), np.ones(5), transit=PLANET)
    time = MID + 0.5 + np.linspace(0.0, 0.2, 50)
    with pytest.raises(TransitError, match="no point"):
        fit_transit(time, np.ones(50), np.ones(50), np.ones(50), transit=PLANET)
