"""Altitudes and the moon, against astropy and the almanac."""

from __future__ import annotations

from datetime import UTC, datetime

import astropy.units as u
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time

from include.ccd.offline import offline
from include.ccd.profile import Site
from include.toritos.moon import brightening_mag, pointing_metrics

SITE = Site("Cordón Macón", -24.623, -67.328, 4650)


@pytest.mark.parametrize(
    "at", [datetime(2026, 11, 21, 3, tzinfo=UTC), datetime(1987, 7, 2, 9, 30, tzinfo=UTC)]
)
def test_it_is_where_astropy_has_it(at) -> None:
    """Altitudes and separation, to a fiftieth of a degree, parallax of the moon included."""
    found = pointing_metrics(at, ra_deg=30.0, dec_deg=-29.5, site=SITE)
    with offline():
        place = EarthLocation(lat=-24.623 * u.deg, lon=-67.328 * u.deg, height=4650 * u.m)
        frame = AltAz(obstime=Time(at), location=place)
        pointed = SkyCoord(30.0 * u.deg, -29.5 * u.deg).transform_to(frame)
        moon = get_body("moon", Time(at), place).transform_to(frame)
        separation = pointed.separation(moon)
    assert found["altitude_deg"] == pytest.approx(pointed.alt.deg, abs=0.02)
    assert found["moon_altitude_deg"] == pytest.approx(moon.alt.deg, abs=0.02)
    assert found["moon_separation_deg"] == pytest.approx(separation.deg, abs=0.02)


@pytest.mark.parametrize(
    ("at", "lit"),
    [
        (datetime(2026, 11, 24, 14, 53, tzinfo=UTC), 1.0),
        (datetime(2026, 11, 9, 7, 2, tzinfo=UTC), 0.0),
        (datetime(2026, 11, 17, 11, 48, tzinfo=UTC), 0.5),
    ],
)
def test_the_phases_are_those_of_the_almanac(at, lit) -> None:
    """Full, new, first quarter."""
    found = pointing_metrics(at, ra_deg=30.0, dec_deg=-29.5, site=SITE)
    assert found["moon_illuminated_fraction"] == pytest.approx(lit, abs=0.005)


def test_a_full_moon_takes_some_three_magnitudes_and_one_that_is_down_none() -> None:
    """At the quarter it takes less than one; near the moon it takes more."""
    full = brightening_mag(90.0, 30.0, 60.0, 0.0)
    assert 2.5 < full < 4.0
    assert brightening_mag(90.0, 30.0, 60.0, 90.0) < 1.0
    assert brightening_mag(90.0, -1.0, 91.0, 0.0) == 0.0
    assert brightening_mag(60.0, 60.0, 3.0, 0.0) > full
