"""Objects of interest and how their light curves are made, as a profile states them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

CHART_STARS = 8


@dataclass(frozen=True, slots=True)
class Transit:
    """A planet that passes in front of the target, as it is known: what a fit stands on.

    Attributes
    ----------
    epoch_bjd_tdb, period_days : float
        Of mid-transits.
    semi_major_axis : float
        In radii of the star.
    inclination_deg : float
    limb_darkening : tuple of float
        Quadratic coefficients of the star in the filter.
    radius_ratio : float
        Of planet and star, where the fit begins.
    baseline : tuple of {'time', 'airmass'}
        What the star's light, compared with the ensemble's, may depend on linearly beside it.
    """

    epoch_bjd_tdb: float
    period_days: float
    semi_major_axis: float
    inclination_deg: float
    limb_darkening: tuple[float, ...]
    radius_ratio: float = 0.1
    baseline: tuple[Literal["time", "airmass"], ...] = ("time", "airmass")

    def __post_init__(self) -> None:
        if not (self.period_days > 0 and self.semi_major_axis > 1 and self.radius_ratio > 0):
            raise ValueError("need period_days > 0, semi_major_axis > 1, radius_ratio > 0")
        if len(self.limb_darkening) != 2 or not 0 < self.inclination_deg <= 90:
            raise ValueError("need two limb_darkening coefficients, inclination_deg in (0, 90]")

    def nearest_mid(self, bjd_tdb: float) -> float:
        """The predicted mid-transit that is nearest to a time."""
        epochs = round((bjd_tdb - self.epoch_bjd_tdb) / self.period_days)
        return self.epoch_bjd_tdb + epochs * self.period_days


@dataclass(frozen=True, slots=True)
class Target:
    """An object of interest whose light curve is kept: ICRS, degrees, at the epoch of observing.

    Which star of an image it is, is told by `pixel` on a finding chart where there is one;
    otherwise by the position, on images that the local catalogue places on the sky.

    Attributes
    ----------
    field : str or None
        Name of the field as headers have it under OBJECT; None: any field that it lies in.
    pixel : tuple of float
        Its place (x, y) on the chart, from 0 at the centre of the first pixel.
    chart : tuple of (x, y)
        Places of the brightest stars of the field, at least eight, in whatever order: those of
        any image. It is matched with others by triangles, so shifts and rotations are free.
    transit : Transit or None
    """

    name: str
    ra_deg: float
    dec_deg: float
    field: str | None = None
    pixel: tuple[float, ...] = ()
    chart: tuple[tuple[float, ...], ...] = ()
    transit: Transit | None = None

    def __post_init__(self) -> None:
        if not (self.name and 0 <= self.ra_deg < 360 and -90 <= self.dec_deg <= 90):
            raise ValueError("a target has a name, ra_deg in [0, 360) and dec_deg in [-90, 90]")
        if bool(self.pixel) != bool(self.chart) or (self.chart and self.field is None):
            raise ValueError("pixel and chart go together, and with the field that they show")
        if self.chart and (len(self.pixel) != 2 or len(self.chart) < CHART_STARS):
            raise ValueError(f"pixel is [x, y], and chart has at least {CHART_STARS} stars")
        if any(len(place) != 2 for place in self.chart):
            raise ValueError("each star of chart is [x, y]")


@dataclass(frozen=True, slots=True)
class LightCurves:
    """When light curves are made, and how the ensemble of comparison stars is chosen.

    Attributes
    ----------
    every_min : float
        While images come, a light curve is made anew so often at most, in minutes.
    flux : {'aperture', 'psf'}
        Which of the measured fluxes. The radius of the aperture is that of the sources.
    max_stars : int
        So many of the brightest stars of each image are looked at.
    match_px : float
        Stars nearer than this to where they should be are the same.
    min_presence : float
        Part of the images on which a comparison star was measured well.
    max_error_mag : float
        Median error of a comparison star at the most.
    min_comparisons : int
        With fewer there is no light curve.
    reject_ratio : float
        A star that scatters so many times more than the median one, errors taken into account,
        is no comparison.
    clip_sigma : float
        Single values further off than this are put aside.
    """

    every_min: float = 10.0
    flux: Literal["aperture", "psf"] = "aperture"
    max_stars: int = 1000
    match_px: float = 1.5
    min_presence: float = 0.9
    max_error_mag: float = 0.02
    min_comparisons: int = 3
    reject_ratio: float = 2.0
    clip_sigma: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.every_min < math.inf:
            raise ValueError("every_min must be a number of minutes, not negative")
        if self.max_stars < 10 or self.min_comparisons < 1:
            raise ValueError("max_stars must be 10 at least, min_comparisons 1")
        if not (self.match_px > 0 and self.max_error_mag > 0 and self.clip_sigma > 0):
            raise ValueError("match_px, max_error_mag and clip_sigma must be positive")
        if not (0 < self.min_presence <= 1 and self.reject_ratio > 1):
            raise ValueError("min_presence must be in (0, 1], reject_ratio above 1")
