"""Where the sun stands at a site; the network is never asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.ccd.offline import offline

if TYPE_CHECKING:
    from include.ccd.profile import Site

STEP = timedelta(minutes=5)
DAY = timedelta(days=1)


def sun_altitudes_deg(times: Sequence[datetime], site: Site) -> list[float]:
    """Give the altitude of the sun's centre above the true horizon, without refraction.

    Parameters
    ----------
    times
        Aware.
    site
        On Earth.

    Returns
    -------
    list of float
        In degrees, good to a hundredth of one for decades: Earth's rotation is taken from the
        tables that astropy brings along, and from no time after their end on.
    """
    import astropy.units as u
    from astropy.coordinates import AltAz, EarthLocation, get_sun
    from astropy.time import Time

    with offline():
        place = EarthLocation(
            lat=site.latitude_deg * u.deg,
            lon=site.longitude_deg * u.deg,
            height=site.elevation_m * u.m,
        )
        when = Time(list(times))
        altitudes = get_sun(when).transform_to(AltAz(obstime=when, location=place)).alt.deg
    return [float(altitude) for altitude in altitudes]


def dark_since(now: datetime, site: Site, sun_altitude_deg: float) -> datetime | None:
    """Give the dusk before `now`, to minutes; None while the sun is up or where it is never.

    Parameters
    ----------
    now
        Aware.
    site
        On Earth.
    sun_altitude_deg
        Below which it counts as night.

    Returns
    -------
    datetime or None
        None too in the polar night, which has no dusk within a day.
    """
    if sun_altitudes_deg([now], site)[0] >= sun_altitude_deg:
        return None
    times = [now - STEP * step for step in range(1, DAY // STEP + 1)]
    later = now
    for time, altitude in zip(times, sun_altitudes_deg(times, site), strict=True):
        if altitude >= sun_altitude_deg:
            return later
        later = time
    return None
