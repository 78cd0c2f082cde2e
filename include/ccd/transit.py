"""A transit in a light curve: the light that a planet hides, and when, fitted with a baseline.

The star's disc has quadratic limb darkening. What the planet hides is integrated over rings of
the star, as in Kreidberg (2015, PASP 127, 1161, eq. 4), here with Gauss–Legendre nodes; the
closed form is that of Mandel and Agol (2002, ApJ 580, L171).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.errors import CcdError
from include.ccd.targets import Transit

_NODES: Final = 64
_WIDEST_RATIO: Final = 0.5
_FEWEST_POINTS: Final = 10

Array = npt.NDArray[Any]


class TransitError(CcdError):
    """A light curve does not hold a transit that could be fitted."""


@dataclass(frozen=True, slots=True)
class TransitFit:
    """A transit as the data have it.

    Attributes
    ----------
    mid_bjd_tdb, mid_error_days : float
        Mid-transit.
    radius_ratio, radius_ratio_error : float
        Of planet and star.
    predicted_bjd_tdb : float
        By the ephemeris.
    scatter : float
        Standard deviation of the residuals, relative.
    model, baseline : float64 (n,)
        Relative flux at each time, with and without the planet; over the baseline's middle.
    """

    mid_bjd_tdb: float
    mid_error_days: float
    radius_ratio: float
    radius_ratio_error: float
    predicted_bjd_tdb: float
    scatter: float
    model: Array
    baseline: Array

    @property
    def depth(self) -> float:
        """Area of the planet over that of the star."""
        return self.radius_ratio**2

    @property
    def depth_error(self) -> float:
        """Standard error of `depth`."""
        return 2.0 * self.radius_ratio * self.radius_ratio_error

    @property
    def minutes_late(self) -> float:
        """Observed less predicted mid-transit."""
        return (self.mid_bjd_tdb - self.predicted_bjd_tdb) * 1440.0


def fit_transit(
    bjd_tdb: Array, flux: Array, flux_error: Array, airmass: Array, *, transit: Transit
) -> TransitFit:
    """Mid-transit and radius ratio; the orbit and the limb darkening are taken as known.

    Parameters
    ----------
    bjd_tdb, flux, flux_error, airmass : float64 (n,)
        Of one night; points that are not finite do not count.
    transit : Transit

    Raises
    ------
    TransitError
        Fewer than ten points, or none during the transit.

    Notes
    -----
    flux = (a + b (time − mean) + c (airmass − mean)) × transit, with the terms that
    `transit.baseline` names. The baseline is solved for at each step, as it is linear. Errors are
    scaled by the residuals.
    """
    from scipy.optimize import least_squares

    known = np.isfinite(flux) & np.isfinite(flux_error) & np.isfinite(airmass)
    if known.sum() < _FEWEST_POINTS:
        raise TransitError(f"{int(known.sum())} points; {_FEWEST_POINTS} are needed")
    predicted = transit.nearest_mid(float(np.median(bjd_tdb[known])))
    time, inverse = bjd_tdb - predicted, 1.0 / flux_error[known]
    trends = {"time": time, "airmass": airmass}
    chosen = [trends[name] - trends[name][known].mean() for name in transit.baseline]
    terms = np.column_stack([np.ones(len(time)), *chosen])

    def models(unknown: Array) -> tuple[Array, Array]:
        dip = transit_flux(time - unknown[0], unknown[1], transit)
        shape = (terms * dip[:, None])[known] * inverse[:, None]
        found = np.linalg.lstsq(shape, flux[known] * inverse, rcond=None)[0]
        return terms @ found * dip, terms @ found

    def residuals(unknown: Array) -> Array:
        return np.asarray((flux[known] - models(unknown)[0][known]) * inverse)

    if not (transit_flux(time[known], transit.radius_ratio, transit) < 1.0).any():
        raise TransitError(f"no point lies in the transit predicted for BJD {predicted:.5f} TDB")
    start = np.array([0.0, transit.radius_ratio])
    reach = 0.25 * transit.period_days
    bounds = ([-reach, 1e-3], [reach, _WIDEST_RATIO])
    fit = least_squares(residuals, start, bounds=bounds, x_scale=[1e-3, 1e-3])
    model, baseline = models(fit.x)
    freedom = int(known.sum()) - len(start) - terms.shape[1]
    slopes, left = np.asarray(fit.jac), np.asarray(fit.fun)
    covariance = np.linalg.inv(slopes.T @ slopes) * float(left @ left) / freedom
    middle = float(np.median(baseline[known]))
    return TransitFit(
        mid_bjd_tdb=predicted + float(fit.x[0]),
        mid_error_days=float(np.sqrt(covariance[0, 0])),
        radius_ratio=float(fit.x[1]),
        radius_ratio_error=float(np.sqrt(covariance[1, 1])),
        predicted_bjd_tdb=predicted,
        scatter=float(np.std((flux - model)[known] / baseline[known], ddof=2 + terms.shape[1])),
        model=model / middle,
        baseline=baseline / middle,
    )


def transit_flux(days_from_mid: Array, radius_ratio: float, transit: Transit) -> Array:
    """Relative flux of the star at times from mid-transit (n,), on a circular orbit."""
    angle = 2.0 * np.pi * np.asarray(days_from_mid, np.float64) / transit.period_days
    inclination = np.radians(transit.inclination_deg)
    across = transit.semi_major_axis * np.sin(angle)
    along = transit.semi_major_axis * np.cos(angle) * np.cos(inclination)
    in_front = np.cos(angle) > 0
    separation = np.where(in_front, np.hypot(across, along), np.inf)
    return 1.0 - hidden_light(separation, radius_ratio, transit.limb_darkening)


def hidden_light(
    separation: Array, radius_ratio: float, limb_darkening: tuple[float, ...]
) -> Array:
    """Part of the star's light behind the planet (n,), for separations (n,) in stellar radii."""
    near = separation < 1.0 + radius_ratio
    out = np.zeros(len(separation))
    z = np.maximum(separation[near], 1e-9)[:, None]
    inner, outer = np.abs(z - radius_ratio), np.minimum(z + radius_ratio, 1.0)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    # r = middle − half · cos(φ): the square roots at both ends of the range are gone.
    phi, step = 0.5 * np.pi * (nodes + 1.0), 0.5 * np.pi * weights
    half = 0.5 * (outer - inner)
    radius = 0.5 * (outer + inner) - half * np.cos(phi)
    cosine = (radius**2 + z**2 - radius_ratio**2) / (2.0 * radius * z)
    arc = 2.0 * np.arccos(np.clip(cosine, -1.0, 1.0))
    mu = np.sqrt(np.clip(1.0 - radius**2, 0.0, 1.0))
    first, second = limb_darkening
    bright = 1.0 - first * (1.0 - mu) - second * (1.0 - mu) ** 2
    whole = np.pi * (1.0 - first / 3.0 - second / 6.0)
    ring = bright * arc * radius * half * np.sin(phi)
    # Around the middle of the star, rings are hidden all around.
    full = _light_within(np.clip(radius_ratio - z[:, 0], 0.0, 1.0), first, second)
    out[near] = ((ring * step).sum(axis=1) + full) / whole
    return out


def _light_within(radius: Array, first: float, second: float) -> Array:
    """Light of the star's disc within a radius (n,), the middle being of brightness 1."""
    mu = np.sqrt(1.0 - radius**2)
    constant, linear = 1.0 - first - second, first + 2.0 * second
    terms = constant / 2 * (1 - mu**2) + linear / 3 * (1 - mu**3) - second / 4 * (1 - mu**4)
    return np.asarray(2.0 * np.pi * terms)
