"""The light curve of one object against an ensemble, and the times of its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.ensemble import Ensemble
from include.ccd.offline import offline

if TYPE_CHECKING:
    from include.ccd.profile import Site

_MAG_PER_RATIO: Final = 2.5 / np.log(10.0)

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class LightCurve:
    """Points of one object, one per image; NaN where it, or the image's offset, is not known.

    Attributes
    ----------
    mag, mag_error : float64 (n,)
        On the scale of the ensemble: instrumental, as of the average image.
    relative_flux, relative_flux_error : float64 (n,)
        Over the median of the curve.
    """

    mag: Array
    mag_error: Array
    relative_flux: Array
    relative_flux_error: Array


def light_curve(mag: Array, mag_error: Array, ensemble: Ensemble) -> LightCurve:
    """The curve of an object that is no part of the ensemble.

    Parameters
    ----------
    mag, mag_error : float64 (images,)
        As measured; NaN where it was not.
    ensemble : Ensemble
        Of the same images.

    Returns
    -------
    LightCurve
        Errors hold that of the measurement, that of the image's offset, and the scatter beyond
        stated errors that comparison stars of this brightness show.
    """
    corrected = np.asarray(mag, np.float64) - ensemble.offset
    known = np.isfinite(corrected)
    middle = float(np.median(corrected[known])) if known.any() else np.nan
    beyond = ensemble.excess_at(middle)
    error = np.sqrt(mag_error**2 + ensemble.offset_error**2 + beyond**2)
    flux = 10.0 ** (-0.4 * (corrected - middle))
    return LightCurve(corrected, error, flux, flux * error / _MAG_PER_RATIO)


def mid_exposure_bjd_tdb(
    starts: Sequence[datetime],
    exptimes_s: Sequence[float],
    *,
    ra_deg: float,
    dec_deg: float,
    site: Site,
) -> Array:
    """Barycentric Julian dates, TDB, of the middles of exposures (n,) in days.

    Parameters
    ----------
    starts : sequence of datetime
        Aware, of the exposures.
    exptimes_s : sequence of float
    ra_deg, dec_deg : float
        ICRS of the object.
    site : Site
        Where they were taken.

    Notes
    -----
    UTC to TDB and the light travel time from the site to the barycentre of the solar system
    (Eastman, Siverd and Gaudi 2010, PASP 122, 935), with the ephemeris that astropy brings along
    (ERFA's epv00): good to some milliseconds. The network is not asked.
    """
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.time import Time, TimeDelta

    with offline():
        place = _location(site)
        start = Time(list(starts), location=place)
        middle = start + TimeDelta(np.asarray(exptimes_s, np.float64) / 2.0, format="sec")
        there = SkyCoord(ra_deg * u.deg, dec_deg * u.deg)
        travel = middle.light_travel_time(there, ephemeris="builtin")
        return np.asarray((middle.tdb + travel).jd, np.float64)


def airmass_at(times: Sequence[datetime], *, ra_deg: float, dec_deg: float, site: Site) -> Array:
    """Airmass (n,) of an object at times: the secant of its zenith distance; NaN below the horizon.

    Parameters
    ----------
    times : sequence of datetime
        Aware.
    ra_deg, dec_deg : float
        ICRS of the object.
    site : Site
    """
    import astropy.units as u
    from astropy.coordinates import AltAz, SkyCoord
    from astropy.time import Time

    with offline():
        place = _location(site)
        seen_from = AltAz(obstime=Time(list(times)), location=place)
        there = SkyCoord(ra_deg * u.deg, dec_deg * u.deg).transform_to(seen_from)
        secant = np.asarray(there.secz, np.float64)
    return np.where(secant > 0, secant, np.nan)


def _location(site: Site) -> Any:
    import astropy.units as u
    from astropy.coordinates import EarthLocation

    return EarthLocation(
        lat=site.latitude_deg * u.deg,
        lon=site.longitude_deg * u.deg,
        height=site.elevation_m * u.m,
    )
