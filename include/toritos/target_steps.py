"""Objects of interest get a light curve on each night that shows them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.toritos.catalogs import catalog_of
from include.toritos.pacing import make_at_intervals
from include.toritos.sky_steps import CatalogStep
from models.source import Measurement, SourceList
from models.transient import LightCurvePoint

if TYPE_CHECKING:
    from include.ccd.astrometry import Solution
    from include.ccd.ensemble import Ensemble
    from include.ccd.light_curve import LightCurve
    from include.ccd.profile import Profile
    from include.ccd.star_matrix import FrameStars, StarMatrix
    from include.ccd.targets import LightCurves, Target
    from include.ccd.zero_point import ZeroPoint
    from include.corral.run import Run

METHOD = "ensemble"


class TargetLightCurves(CatalogStep):
    """Every object of interest has its brightness on each image of its field, night and filter."""

    model = SourceList
    group_by = (
        SourceList.night_id,
        SourceList.instrument,
        SourceList.camera,
        SourceList.binning,
        SourceList.readout,
        SourceList.filter,
        SourceList.object,
    )
    ordering = (SourceList.observed_at, SourceList.sha256)
    sections = ("targets", "light_curves", "site", "astrometry", "catalog", "photometry")

    def process(self, work: list[SourceList], run: Run) -> Iterator[LightCurvePoint]:
        """Find the same stars on all images, and compare the objects with the others."""
        profile = self.profile(work[0])
        targets = [each for each in profile.targets if each.field in (None, work[0].object)]
        if not targets:
            return
        every = timedelta(minutes=profile.light_curves.every_min)
        make_at_intervals(work, every, run)
        from include.ccd.light_curve import light_curve

        matrix = _matrix(work, profile.light_curves, run)
        reference = work[matrix.reference]
        sky = self._sky(reference, run)
        stars = _stars(targets, matrix, reference, sky, run=run, settings=profile.light_curves)
        if not stars:
            return
        ensemble = _ensemble(matrix, [star for _, star in stars], profile.light_curves)
        run.remark(f"{int(ensemble.comparison.sum())} comparison stars, {_said(matrix)}")
        zero_point = self._zero_point(ensemble, work[0], sky, run)
        for target, star in stars:
            curve = light_curve(matrix.mag[:, star], matrix.mag_error[:, star], ensemble)
            flags = matrix.flags[:, star]
            yield from _points(target, curve, flags, work, profile=profile, zero_point=zero_point)

    def _sky(self, row: SourceList, run: Run) -> Solution | None:
        """Give the world coordinates of an image; None where the profile or the stars deny them."""
        from include.ccd.errors import CcdError

        profile = self.profile(row)
        if profile.astrometry is None or profile.catalog is None:
            return None
        try:
            return self.solve(row, run)
        except CcdError as error:
            run.remark(f"the first good image has no place on the sky: {error}")
            return None

    def _zero_point(
        self, ensemble: Ensemble, row: SourceList, sky: Solution | None, run: Run
    ) -> ZeroPoint | None:
        """Give what turns the ensemble's magnitudes into those of the catalogue, if stars tell."""
        import numpy as np

        from include.ccd.errors import CcdError
        from include.ccd.photometric_stars import magnitudes_of
        from include.ccd.zero_point import MAG_PER_E_FOLD, find_zero_point

        profile = self.profile(row)
        if sky is None or profile.catalog is None:
            return None
        catalog = catalog_of(profile.catalog.file, self.settings)
        known = sky.source < len(ensemble.comparison)
        known[known] = ensemble.comparison[sky.source[known]]
        source, star = sky.source[known], sky.star[known]
        band = profile.catalog.filters.get(row.filter or "", row.filter or "")
        flux = 10.0 ** (-0.4 * ensemble.star_mag[source])
        error = flux * np.maximum(ensemble.scatter[source], 1e-4) / MAG_PER_E_FOLD
        try:
            reference = magnitudes_of(catalog.pick(star), band)
            return find_zero_point(flux, error, *reference, photometry=profile.photometry)
        except CcdError as error_:
            run.remark(f"no zero point: {error_}")
            return None


def _matrix(work: Sequence[SourceList], settings: LightCurves, run: Run) -> StarMatrix:
    from include.ccd.star_matrix import match_stars

    return match_stars(
        [_frame(row, settings, run) for row in work],
        shape=(work[0].height_px, work[0].width_px),
        match_px=settings.match_px,
    )


def _frame(row: SourceList, settings: LightCurves, run: Run) -> FrameStars:
    """Give the brightest stars of an image."""
    import numpy as np

    from include.ccd.star_matrix import FrameStars

    psf = settings.flux == "psf"
    mag = (Measurement.mag_psf, Measurement.mag_psf_err)
    if not psf:
        mag = (Measurement.mag_aper, Measurement.mag_aper_err)
    query = (
        select(Measurement.x_px, Measurement.y_px, *mag, Measurement.flags)
        .where(Measurement.source_list_id == row.id, Measurement.number < settings.max_stars)
        .order_by(Measurement.number)
    )
    found = run.session.execute(query).all()
    # None becomes NaN.
    table = np.array([tuple(each) for each in found], np.float64).reshape(-1, 5)
    return FrameStars(table[:, :2], table[:, 2], table[:, 3], table[:, 4].astype(np.int64))


def _stars(
    targets: Sequence[Target],
    matrix: StarMatrix,
    reference: SourceList,
    sky: Solution | None,
    *,
    run: Run,
    settings: LightCurves,
) -> list[tuple[Target, int]]:
    """Give the objects that are in the field, each with its number among the stars."""
    found = []
    for target in targets:
        place = _place(target, matrix, reference, sky)
        if place is None:
            continue
        star = matrix.nearest(place, within_px=settings.match_px)
        if star is None:
            run.remark(f"no star was measured where {target.name} should be")
        else:
            found.append((target, star))
    return found


def _place(target: Target, matrix: StarMatrix, reference: SourceList, sky: Solution | None) -> Any:
    """Give where an object should be on the reference; None where that is outside, or unknown."""
    import numpy as np

    from include.ccd.star_matrix import chart_place

    if not len(matrix.places):
        return None
    shape = (reference.height_px, reference.width_px)
    if target.chart:
        return chart_place(matrix.places, target.pixel, np.array(target.chart), shape=shape)
    if sky is None:
        return None
    world = np.array([[target.ra_deg, target.dec_deg]])
    place = np.asarray(sky.wcs.all_world2pix(world, 0, quiet=True))[0]
    inside = np.isfinite(place).all() and (place >= 0).all() and (place < shape[::-1]).all()
    return place if inside else None


def _ensemble(matrix: StarMatrix, stars: Sequence[int], settings: LightCurves) -> Any:
    import numpy as np

    from include.ccd.ensemble import solve_ensemble

    candidates = np.ones(len(matrix.places), np.bool_)
    candidates[list(stars)] = False
    return solve_ensemble(*matrix.fit_for_comparison(), candidates, settings=settings)


def _said(matrix: StarMatrix) -> str:
    return f"{int(matrix.aligned.sum())} of {len(matrix.aligned)} images aligned"


def _points(
    target: Target,
    curve: LightCurve,
    flags: Any,
    work: Sequence[SourceList],
    *,
    profile: Profile,
    zero_point: ZeroPoint | None,
) -> Iterator[LightCurvePoint]:
    import numpy as np

    from include.ccd.light_curve import mid_exposure_bjd_tdb

    times = mid_exposure_bjd_tdb(
        [row.observed_at for row in work],
        [row.exptime_s or 0.0 for row in work],
        ra_deg=target.ra_deg,
        dec_deg=target.dec_deg,
        site=profile.site,
    )
    for n in np.flatnonzero(np.isfinite(curve.relative_flux)).tolist():
        yield LightCurvePoint(
            source_name=target.name,
            product_id=work[n].product_id,
            method=METHOD,
            filter=work[n].filter,
            observed_at=work[n].observed_at,
            bjd_tdb=float(times[n]),
            relative_flux=float(curve.relative_flux[n]),
            relative_flux_err=float(curve.relative_flux_error[n]),
            flags=int(flags[n]),
            **_calibrated(float(curve.mag[n]), float(curve.mag_error[n]), zero_point),
        )


def _calibrated(mag: float, error: float, zero_point: ZeroPoint | None) -> dict[str, float]:
    """Give a magnitude on the catalogue's scale, the error of the zero point included."""
    if zero_point is None:
        return {}
    return {
        "mag": mag + zero_point.zero_point_mag,
        "mag_err": math.hypot(error, zero_point.zero_point_error_mag),
    }
