"""Positions of old equinoxes, brought to J2000."""

from __future__ import annotations

import math

ARCSEC = math.radians(1 / 3600)


def to_j2000(ra_deg: float, dec_deg: float, *, equinox: float) -> tuple[float, float]:
    """Mean position of an equinox, precessed to J2000.

    Rigorous rotation with the angles of Lieske et al. 1977 (A&A 58, 1), as in Meeus,
    *Astronomical Algorithms*, chapter 21. Nutation and aberration are not applied: for where
    a telescope pointed, arcseconds are enough.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Right ascension and declination in degrees, in the given equinox.
    equinox : float
        Julian year of the equinox, such as 1987.7.

    Returns
    -------
    tuple of float
        (ra, dec) in degrees, equinox J2000.
    """
    if equinox == 2000.0:
        return ra_deg, dec_deg
    zeta, z, theta = _angles((equinox - 2000.0) / 100)
    # from the equinox back to J2000: the inverse rotation swaps zeta and z and turns theta
    alpha, delta = math.radians(ra_deg) - z, math.radians(dec_deg)
    a = math.cos(delta) * math.sin(alpha)
    b = math.cos(theta) * math.cos(delta) * math.cos(alpha) + math.sin(theta) * math.sin(delta)
    c = -math.sin(theta) * math.cos(delta) * math.cos(alpha) + math.cos(theta) * math.sin(delta)
    ra = math.degrees(math.atan2(a, b) - zeta) % 360
    return ra, math.degrees(math.asin(max(-1.0, min(1.0, c))))


def _angles(t: float) -> tuple[float, float, float]:
    """(zeta, z, theta) in radians from J2000 to t Julian centuries later."""
    zeta = (2306.2181 + (0.30188 + 0.017998 * t) * t) * t
    z = (2306.2181 + (1.09468 + 0.018203 * t) * t) * t
    theta = (2004.3109 - (0.42665 + 0.041833 * t) * t) * t
    return zeta * ARCSEC, z * ARCSEC, theta * ARCSEC
