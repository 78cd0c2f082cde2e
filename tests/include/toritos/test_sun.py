"""Where the sun stands, with no network and far from today."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest

from include.ccd.profile import Site
from include.toritos.sun import dark_since, sun_altitudes_deg

MACON = Site("Cordón Macón", -24.623, -67.328, 4650)
GREENWICH = Site("Greenwich", 51.4769, 0.0, 46)
POLE = Site("Amundsen-Scott", -89.99, 0.0, 2835)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever asks the network fails the test."""

    def refuse(*args):
        raise AssertionError(f"asked the network: {args}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize(
    ("moment", "site", "altitude_deg"),
    [
        # Declination of the sun at the solstices is 23.44 deg, at the equinoxes 0.
        (datetime(2026, 6, 21, 12, 2, tzinfo=UTC), GREENWICH, 90 - 51.48 + 23.44),
        (datetime(2026, 12, 21, 11, 58, tzinfo=UTC), GREENWICH, 90 - 51.48 - 23.44),
        (datetime(2026, 3, 20, 14, 46, tzinfo=UTC), POLE, 0.0),
        (datetime(2026, 12, 21, 20, 50, tzinfo=UTC), POLE, 23.44),
        (datetime(2026, 11, 23, 16, 16, tzinfo=UTC), MACON, 90 - 24.62 + 20.34),
    ],
)
def test_altitude_is_that_of_the_almanac(moment, site, altitude_deg):
    """Noon and midnight at places where it can be told by hand; beyond the zenith it falls."""
    (found,) = sun_altitudes_deg([moment], site)
    expected = altitude_deg if altitude_deg <= 90 else 180 - altitude_deg
    assert found == pytest.approx(expected, abs=0.1)


def test_dusk_is_the_last_before_now():
    """At −12 degrees, about 55 minutes after sunset in November at Cordón Macón."""
    dusk = datetime(2026, 11, 22, 23, 54, tzinfo=UTC)
    for hours in (0.5, 4, 8):
        found = dark_since(dusk + timedelta(hours=hours), MACON, -12.0)
        assert abs(found - dusk) < timedelta(minutes=6)
    sunset = dark_since(dusk, MACON, 0.0)
    assert dusk - timedelta(minutes=65) < sunset < dusk - timedelta(minutes=50)


@pytest.mark.parametrize("hour", [10, 16, 22])
def test_by_day_it_is_not_dark(hour):
    """From dawn to dusk."""
    assert dark_since(datetime(2026, 11, 22, hour, tzinfo=UTC), MACON, -12.0) is None


@pytest.mark.parametrize("month", [6, 12])
def test_where_the_sun_does_not_rise_or_set_there_is_no_dusk(month):
    """Polar night and polar day."""
    assert dark_since(datetime(2026, month, 21, tzinfo=UTC), POLE, -12.0) is None


def test_years_after_the_last_table_it_still_works():
    """An installation that nobody has updated for decades."""
    found = dark_since(datetime(2060, 11, 23, 4, tzinfo=UTC), MACON, -12.0)
    assert abs(found - datetime(2060, 11, 22, 23, 54, tzinfo=UTC)) < timedelta(minutes=10)
