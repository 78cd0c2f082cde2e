"""How high an image was taken, and where the moon stood; the network is never asked."""

from __future__ import annotations

import math
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.ccd.profile import Site

EXTINCTION_MAG = 0.172
DARK_SKY_NL = 79.0
# Nearer than this, light scattered by dust near the moon counts.
NEAR_DEG = 10.0


def pointing_metrics(
    at: datetime, *, ra_deg: float, dec_deg: float, site: Site
) -> dict[str, float]:
    """Give the altitude of a pointing and where the moon stood.

    Parameters
    ----------
    at
        Aware; best the middle of the exposure.
    ra_deg, dec_deg
        ICRS, or what is within arcminutes of it.
    site
        On Earth.

    Returns
    -------
    dict of str to float
        ``altitude_deg`` above the true horizon, without refraction; ``moon_altitude_deg`` of the
        moon's centre as seen from the site; ``moon_separation_deg`` between the two;
        ``moon_illuminated_fraction`` of its disc, from 0 to 1; ``moon_brightening_mag``, by how
        much its light makes a dark sky brighter there in V: 0 while it is down.

    Notes
    -----
    Functions of ERFA (the IAU's SOFA), of which each takes microseconds where the frames of
    `astropy.coordinates` take a hundred milliseconds. UT1 is taken for UTC: a hundredth of a
    degree at most. The moon is that of Meeus, *Astronomical Algorithms*, chapter 47.
    """
    import erfa
    import numpy as np

    with warnings.catch_warnings():
        # Years after the end of the table of leap seconds are "dubious": by a second.
        warnings.simplefilter("ignore", erfa.ErfaWarning)
        moment = _Moment(at, site)
        moon = erfa.moon98(*moment.tt)["p"]
        sun = -erfa.epv00(*moment.tt)[0]["p"]
        seen = moon - moment.observer()
        pointed = erfa.s2c(math.radians(ra_deg), math.radians(dec_deg))
        moon_ra, moon_dec = erfa.c2s(seen)
        altitude_deg = moment.altitude_deg(math.radians(ra_deg), math.radians(dec_deg))
        moon_altitude_deg = moment.altitude_deg(float(moon_ra), float(moon_dec))
        separation_deg = math.degrees(erfa.sepp(pointed, seen))
        distances = float(np.linalg.norm(moon)), float(np.linalg.norm(sun))
        phase_deg = phase_angle_deg(math.degrees(erfa.sepp(moon, sun)), *distances)
        return {
            "altitude_deg": altitude_deg,
            "moon_altitude_deg": moon_altitude_deg,
            "moon_separation_deg": separation_deg,
            "moon_illuminated_fraction": 0.5 * (1.0 + math.cos(math.radians(phase_deg))),
            "moon_brightening_mag": brightening_mag(
                altitude_deg, moon_altitude_deg, separation_deg, phase_deg
            ),
        }


def phase_angle_deg(elongation_deg: float, moon_au: float, sun_au: float) -> float:
    """Give the angle at the moon between Earth and sun: 0 when it is full.

    Meeus, *Astronomical Algorithms*, equation 48.3.
    """
    elongation = math.radians(elongation_deg)
    across = sun_au * math.sin(elongation)
    return math.degrees(math.atan2(across, moon_au - sun_au * math.cos(elongation)))


def brightening_mag(
    altitude_deg: float, moon_altitude_deg: float, separation_deg: float, phase_deg: float
) -> float:
    """Give how much brighter moonlight makes a dark sky, in V magnitudes.

    Krisciunas and Schaefer 1991, PASP 103, 1033, equations 2, 3, 15, 18, 20 and 21, with their
    extinction and their dark sky (0.172 mag per airmass, 79 nanolamberts); good to a quarter of
    the moonlight. 0 where either is below the horizon.
    """
    if altitude_deg <= 0 or moon_altitude_deg <= 0:
        return 0.0
    airmass, moon_airmass = _airmass(altitude_deg), _airmass(moon_altitude_deg)
    phase = abs(phase_deg)
    light = 10 ** (-0.4 * (3.84 + 0.026 * phase + 4e-9 * phase**4))
    rayleigh = 10**5.36 * (1.06 + math.cos(math.radians(separation_deg)) ** 2)
    mie = 10 ** (6.15 - separation_deg / 40)
    if separation_deg < NEAR_DEG:
        mie = 6.2e7 / max(separation_deg, 0.25) ** 2
    lost = 10 ** (-0.4 * EXTINCTION_MAG * moon_airmass)
    scattered = 1.0 - 10 ** (-0.4 * EXTINCTION_MAG * airmass)
    moonlight = (rayleigh + mie) * light * lost * scattered
    dark = DARK_SKY_NL * airmass * 10 ** (-0.4 * EXTINCTION_MAG * (airmass - 1.0))
    return 2.5 * math.log10(1.0 + moonlight / dark)


def _airmass(altitude_deg: float) -> float:
    """Of scattered light, which horizons do not make endless: equation 3."""
    return float((1.0 - 0.96 * math.cos(math.radians(altitude_deg)) ** 2) ** -0.5)


class _Moment:
    """An instant at a site, as ERFA takes it: two-part Julian dates, radians."""

    def __init__(self, at: datetime, site: Site) -> None:
        import erfa

        utc = at.astimezone(UTC)
        second = utc.second + utc.microsecond / 1e6
        day = (utc.year, utc.month, utc.day, utc.hour, utc.minute, second)
        self.utc = erfa.dtf2d("UTC", *day)
        self.tt = erfa.taitt(*erfa.utctai(*self.utc))
        self._place = (
            math.radians(site.longitude_deg),
            math.radians(site.latitude_deg),
            site.elevation_m,
        )

    def altitude_deg(self, ra: float, dec: float) -> float:
        """Of an ICRS direction, in radians."""
        import erfa

        still = (0.0,) * 4
        no_air = (0.0,) * 4
        seen = erfa.atco13(ra, dec, *still, *self.utc, 0.0, *self._place, 0.0, 0.0, *no_air)
        return 90.0 - math.degrees(seen[1])

    def observer(self) -> Any:
        """Where the site is against Earth's centre: au, axes of the ICRS."""
        import erfa

        to_earth = erfa.c2t06a(*self.tt, *self.utc, 0.0, 0.0)
        metres = erfa.gd2gc(1, *self._place)
        return erfa.trxp(to_earth, metres) / erfa.DAU
