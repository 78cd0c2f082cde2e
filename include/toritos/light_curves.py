"""Light curves as the database has them: gathered, fitted where a transit is expected, written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from include.corral.errors import ConfigurationError
from include.corral.settings import Settings
from include.toritos.instrument import profile_of
from models.product import Product
from models.transient import LightCurvePoint

if TYPE_CHECKING:
    from include.ccd.profile import Profile
    from include.ccd.targets import Target
    from include.ccd.transit import TransitFit

COLUMNS = ("bjd_tdb", "flux", "flux_err", "mag", "mag_err", "flags")


@dataclass(frozen=True)
class Curve:
    """The light curve of one object, night, filter and method, in the order of time.

    Attributes
    ----------
    points
        Rows with `bjd_tdb`, each with its product.
    """

    name: str
    night: date
    points: tuple[LightCurvePoint, ...]

    @property
    def relative(self) -> bool:
        """Whether its flux is over the median of the night, or in electrons."""
        return self.points[0].relative_flux is not None

    @property
    def title(self) -> str:
        """What it is, in words."""
        first = self.points[0]
        band = f", filter {first.filter}" if first.filter else ""
        return f"{self.name}, night {self.night}{band}: {len(self.points)} points, {first.method}"

    def rows(self) -> list[tuple[Any, ...]]:
        """Give the values of `COLUMNS` for each point."""
        flux = ("relative_flux", "relative_flux_err") if self.relative else ("flux_e", "flux_err_e")
        names = ("bjd_tdb", *flux, "mag", "mag_err", "flags")
        return [tuple(getattr(point, name) for name in names) for point in self.points]


def gather_curve(session: Session, name: str, night: date, *, filter: str | None = None) -> Curve:
    """Give the light curve of an object in a night.

    Raises
    ------
    ConfigurationError
        If it has none, or several, of other filters or methods: they are named.
    """
    query = (
        select(LightCurvePoint)
        .join(LightCurvePoint.product)
        .where(
            LightCurvePoint.source_name == name,
            LightCurvePoint.current,
            LightCurvePoint.bjd_tdb.is_not(None),
            Product.in_partition(night.isoformat()),
        )
        .options(joinedload(LightCurvePoint.product))
        .order_by(LightCurvePoint.bjd_tdb)
    )
    points = session.scalars(query).all()
    if filter is not None:
        points = [point for point in points if point.filter == filter]
    if not points:
        raise ConfigurationError(f"there is no light curve of {name} in the night {night}")
    kinds = {(point.filter, point.method) for point in points}
    if len({band for band, _ in kinds}) > 1:
        bands = ", ".join(sorted(str(band) for band, _ in kinds))
        raise ConfigurationError(f"{name} was observed in {bands}: choose one with --filter")
    # An object that is both a candidate and a target: the curve against comparison stars.
    method = min(method for _, method in kinds)
    return Curve(name, night, tuple(point for point in points if point.method == method))


def target_of(curve: Curve, settings: Settings) -> tuple[Profile, Target | None]:
    """Give the profile of a curve's camera, and what it says of the object."""
    instrument = curve.points[0].product.instrument
    assert instrument is not None
    profile = profile_of(instrument, settings)
    named = [target for target in profile.targets if target.name == curve.name]
    return profile, (named[0] if named else None)


def fit_of(curve: Curve, settings: Settings) -> TransitFit | None:
    """Give the fit of the transit that the profile expects of an object; None if it expects none.

    Raises
    ------
    ConfigurationError
        If the curve does not hold one.
    """
    import numpy as np

    from include.ccd.light_curve import airmass_at
    from include.ccd.transit import TransitError, fit_transit

    profile, target = target_of(curve, settings)
    if target is None or target.transit is None or not curve.relative:
        return None
    airmass = airmass_at(
        [point.observed_at + _half(point) for point in curve.points],
        ra_deg=target.ra_deg,
        dec_deg=target.dec_deg,
        site=profile.site,
    )
    time, flux, error = np.array([row[:3] for row in curve.rows()], np.float64).T
    try:
        return fit_transit(time, flux, error, airmass, transit=target.transit)
    except TransitError as error_:
        raise ConfigurationError(f"{curve.title}: {error_}") from error_


def _half(point: LightCurvePoint) -> timedelta:
    return timedelta(seconds=(point.product.exptime_s or 0.0) / 2)


def describe(fit: TransitFit) -> str:
    """Say what a fit found."""
    late, error = fit.minutes_late, fit.mid_error_days * 1440.0
    return (
        f"mid-transit BJD {fit.mid_bjd_tdb:.5f} TDB, {abs(late):.1f} ± {error:.1f} min "
        f"{'after' if late >= 0 else 'before'} the ephemeris; depth {100 * fit.depth:.2f} ± "
        f"{100 * fit.depth_error:.2f} %; scatter {100 * fit.scatter:.2f} % per image"
    )


def write_csv(curve: Curve, path: Path) -> None:
    """Write a curve as comma-separated values.

    If the process dies inside, part of a file may be there.
    """
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(curve.rows())
