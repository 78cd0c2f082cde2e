"""What differs from one exposure to the next: start, seeing, airmass, sky, dither, lamp."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.toritos.simulator.plan import LATITUDE_DEG, LONGITUDE_DEG, Exposure, NightPlan
from include.toritos.simulator.sky import sky_rate
from include.toritos.simulator.streams import stream

FOCAL_LENGTH_MM = 4064.0
APERTURE_MM = 406.4

_LAMP_LOW_ADU, _LAMP_HIGH_ADU = 20000.0, 35000.0
_LOWEST_ALTITUDE_DEG = 20.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was true while one exposure was taken; the optical fields are 0 without light."""

    starts_at: datetime
    temperature_c: float
    lamp_adu: float = 0.0
    x_dither_px: float = 0.0
    y_dither_px: float = 0.0
    fwhm_px: float = 0.0
    airmass: float = 0.0
    transparency: float = 0.0
    sky_e: float = 0.0


def conditions_of(plan: NightPlan, exposure: Exposure) -> Conditions:
    """Return the conditions of an exposure, whether or not the plan holds it.

    Parameters
    ----------
    plan : NightPlan
        The night.
    exposure : Exposure
        What is taken.

    Returns
    -------
    Conditions
        ``starts_at`` is the planned start plus less than a second, in whole milliseconds.
    """
    rng = stream(plan.seed, "conditions", str(plan.night), exposure.name)
    starts_at = exposure.starts_at + timedelta(milliseconds=int(rng.integers(1, 1000)))
    temperature_c = _exact(plan.temperature_c + 0.05 * rng.standard_normal())
    if exposure.kind == "flat":
        lamp_adu = _exact(rng.uniform(_LAMP_LOW_ADU, _LAMP_HIGH_ADU))
        return Conditions(starts_at, temperature_c, lamp_adu=lamp_adu)
    if exposure.kind != "science" or exposure.filter is None:
        return Conditions(starts_at, temperature_c)
    sky = plan.sky
    airmass = _exact(airmass_at(starts_at, ra_deg=plan.ra_deg, dec_deg=plan.dec_deg))
    slow = 1.0 + 0.1 * math.sin(2.0 * math.pi * julian_date(starts_at) * 8.0)
    x_dither_px, y_dither_px = rng.uniform(-sky.dither_px, sky.dither_px, 2)
    return Conditions(
        starts_at=starts_at,
        temperature_c=temperature_c,
        x_dither_px=_exact(x_dither_px),
        y_dither_px=_exact(y_dither_px),
        fwhm_px=_exact(sky.seeing_arcsec * airmass**0.6 * slow / scale_arcsec_per_px(plan)),
        airmass=airmass,
        transparency=_exact(10.0 ** (-0.4 * sky.extinction_mag_per_airmass * airmass)),
        sky_e=_exact(sky_rate(exposure.filter) * exposure.exptime_s * (0.7 + 0.3 * airmass)),
    )


def _exact(value: float) -> float:
    """Return a number to six decimals: libraries differ in the last bit of sin, exp and pow."""
    return round(float(value), 6)


def scale_arcsec_per_px(plan: NightPlan) -> float:
    """Return the angle that one pixel subtends, 0.71 arcsec with the camera of the survey."""
    return math.degrees(plan.detector.pixel_um * 1e-3 / FOCAL_LENGTH_MM) * 3600.0


def julian_date(instant: datetime) -> float:
    """Return the Julian Date (UTC) of an aware instant in UTC."""
    seconds = instant.hour * 3600 + instant.minute * 60 + instant.second + instant.microsecond / 1e6
    return instant.toordinal() + 1721424.5 + seconds / 86400.0


def airmass_at(instant: datetime, *, ra_deg: float, dec_deg: float) -> float:
    """Return the airmass of a pointing (Pickering 2002, DIO 12, 1), never below 20° of altitude.

    Parameters
    ----------
    instant : datetime
        Aware, UTC.
    ra_deg, dec_deg : float
        Pointing; precession is left out.
    """
    sidereal_h = 18.697374558 + 24.06570982441908 * (julian_date(instant) - 2451545.0)
    hour_angle = math.radians(sidereal_h * 15.0 + LONGITUDE_DEG - ra_deg)
    latitude, declination = math.radians(LATITUDE_DEG), math.radians(dec_deg)
    sine = math.sin(latitude) * math.sin(declination) + (
        math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    )
    altitude_deg = max(math.degrees(math.asin(sine)), _LOWEST_ALTITUDE_DEG)
    refraction_deg = 244.0 / (165.0 + 47.0 * altitude_deg**1.1)
    return 1.0 / math.sin(math.radians(altitude_deg + refraction_deg))
