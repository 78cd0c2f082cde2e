from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from include.ccd.night import night_of

CORDON_MACON = -67.328


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        # local mean solar noon at Cordón Macón is at 16:29:18.72 UTC
        (datetime(2024, 3, 5, 16, 29, 18, tzinfo=UTC), date(2024, 3, 4)),
        (datetime(2024, 3, 5, 16, 29, 19, tzinfo=UTC), date(2024, 3, 5)),
        (datetime(2024, 3, 5, 23, 59, 59, tzinfo=UTC), date(2024, 3, 5)),
        (datetime(2024, 3, 6, 0, 0, 1, tzinfo=UTC), date(2024, 3, 5)),
        (datetime(2024, 3, 6, 12, 0, 0, tzinfo=UTC), date(2024, 3, 5)),
    ],
)
def test_a_night_runs_from_mean_solar_noon_to_noon(instant: datetime, expected: date) -> None:
    """The date changes at noon of the site, not at midnight of anywhere."""
    assert night_of(instant, CORDON_MACON) == expected


@pytest.mark.parametrize(("longitude_deg", "noon_utc"), [(0, 12), (90, 6), (-90, 18), (180, 0)])
def test_noon_moves_with_the_longitude(longitude_deg: float, noon_utc: int) -> None:
    """Fifteen degrees are an hour, east is earlier."""
    noon = datetime(2024, 6, 2, noon_utc, tzinfo=UTC)

    later = night_of(noon, longitude_deg)
    earlier = night_of(noon - timedelta(microseconds=1), longitude_deg)

    assert later - earlier == timedelta(days=1)


def test_the_zone_of_the_clock_does_not_matter() -> None:
    """The same instant told in another zone is the same night."""
    instant = datetime(2024, 3, 6, 3, 4, 5, tzinfo=UTC)
    tokyo = instant.astimezone(timezone(timedelta(hours=9)))

    assert night_of(tokyo, CORDON_MACON) == night_of(instant, CORDON_MACON) == date(2024, 3, 5)


def test_a_naive_instant_is_refused() -> None:
    """Without a zone an instant has no night."""
    with pytest.raises(ValueError, match="aware"):
        night_of(datetime(2024, 3, 5), 0.0)


@pytest.mark.parametrize("longitude_deg", [-180.1, 292.672, float("nan")])
def test_a_longitude_out_of_range_is_refused(longitude_deg: float) -> None:
    """A site at 292 degrees east was meant to be at 67 west: better asked than guessed."""
    with pytest.raises(ValueError, match="longitude_deg"):
        night_of(datetime(2024, 3, 5, tzinfo=UTC), longitude_deg)
