"""Light curves and the times of their points."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from include.ccd.ensemble import Ensemble
from include.ccd.light_curve import airmass_at, light_curve, mid_exposure_bjd_tdb
from include.ccd.profile import Site

SITE = Site("Whipple", 31.68, -110.88, 1268.0)


def test_a_curve_is_what_was_measured_less_the_offsets() -> None:
    """With the errors of measurement, offset and unexplained scatter in quadrature."""
    offset = np.array([0.0, 0.3, np.nan, -0.2])
    ensemble = Ensemble(
        offset,
        np.array([0.003, 0.003, np.nan, 0.003]),
        np.array([10.0, 12.0]),
        np.full(2, 0.01),
        np.array([0.004, 0.1]),
        np.array([True, False]),
    )
    mag = np.array([11.0, 11.3, 11.0, 10.9])
    found = light_curve(mag, np.full(4, 0.012), ensemble)
    np.testing.assert_allclose(found.mag, [11.0, 11.0, np.nan, 11.1])
    np.testing.assert_allclose(found.mag_error[[0, 1, 3]], 0.013)
    np.testing.assert_allclose(found.relative_flux, [1.0, 1.0, np.nan, 10**-0.04])
    ratio = found.relative_flux_error / found.relative_flux
    np.testing.assert_allclose(ratio[[0, 1, 3]], 0.013 / 1.0857362, rtol=1e-6)


def test_a_star_that_was_never_measured_has_an_empty_curve() -> None:
    """No warning, no number."""
    nothing = np.full(3, np.nan)
    ensemble = Ensemble(
        np.zeros(3), np.zeros(3), np.zeros(1), np.zeros(1), np.zeros(1), np.array([True])
    )
    found = light_curve(nothing, nothing, ensemble)
    assert np.isnan(found.relative_flux).all()


def test_the_time_is_of_the_middle_in_tdb_at_the_barycentre() -> None:
    """By hand: 69.184 s from UTC to TT in 2017, the light travel time, half the exposure."""
    start = datetime(2017, 12, 20, 5, 0, tzinfo=UTC)
    pole = {"ra_deg": 270.0, "dec_deg": 66.5607, "site": SITE}  # of the ecliptic
    found = mid_exposure_bjd_tdb([start], [60.0], **pole)[0]
    # From the pole of the ecliptic the sun's own distance from the barycentre is all there is.
    assert (found - 2458107.708333333) * 86400 == pytest.approx(69.184 + 30.0, abs=1.0)
    target = {"ra_deg": 31.04275, "dec_deg": 46.68785, "site": SITE}
    moved = (mid_exposure_bjd_tdb([start], [0.0], **target)[0] - found) * 86400 + 30.0
    # The sun at ecliptic longitude 268.3 deg, 0.9838 au away; the earth is on the other side.
    longitude, tilt = np.radians([268.3, 23.437])
    sun = [np.cos(longitude), np.sin(longitude) * np.cos(tilt), np.sin(longitude) * np.sin(tilt)]
    ra, dec = np.radians([31.04275, 46.68785])
    there = [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]
    assert moved == pytest.approx(-0.9838 * 499.005 * np.dot(sun, there), abs=5.0)


def test_airmass_is_one_at_the_zenith_and_unknown_below_the_horizon() -> None:
    """HAT-P-32 near culmination in Arizona, and half a day earlier."""
    times = [datetime(2017, 12, 20, 3, 20, tzinfo=UTC), datetime(2017, 12, 19, 16, 0, tzinfo=UTC)]
    high, low = airmass_at(times, ra_deg=31.0428, dec_deg=46.6878, site=SITE)
    # Zenith distance in culmination: the difference of declination and latitude.
    assert high == pytest.approx(1 / np.cos(np.radians(46.69 - 31.68)), abs=0.003)
    assert np.isnan(airmass_at(times, ra_deg=31.0, dec_deg=-80.0, site=SITE)).all()
    assert not low < 1.5
