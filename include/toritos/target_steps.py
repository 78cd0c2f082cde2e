"""Objects of interest get a light curve on each night that shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.toritos.fits_step import FitsStep
from models.source import Measurement, SourceList
from models.transient import LightCurvePoint

if TYPE_CHECKING:
    from include.ccd.light_curve import LightCurve
    from include.ccd.profile import Profile
    from include.ccd.star_matrix import FrameStars, StarMatrix
    from include.ccd.targets import LightCurves, Target
    from include.corral.run import Run

METHOD = "ensemble"


class TargetLightCurves(FitsStep):
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
    sections = ("targets", "light_curves", "site")

    def process(self, work: list[SourceList], run: Run) -> Iterator[LightCurvePoint]:
        """Find the same stars on all images, and compare the objects with the others."""
        profile = self.profile(work[0])
        targets = [each for each in profile.targets if each.field in (None, work[0].object)]
        if not targets:
            return
        from include.ccd.light_curve import light_curve

        matrix = _matrix(work, profile.light_curves, run)
        stars = _stars(targets, matrix, work, profile, run)
        if not stars:
            return
        ensemble = _ensemble(matrix, [star for _, star in stars], profile.light_curves)
        run.remark(f"{int(ensemble.comparison.sum())} comparison stars, {_said(matrix)}")
        for target, star in stars:
            curve = light_curve(matrix.mag[:, star], matrix.mag_error[:, star], ensemble)
            yield from _points(target, curve, matrix.flags[:, star], work, profile)


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
    work: Sequence[SourceList],
    profile: Profile,
    run: Run,
) -> list[tuple[Target, int]]:
    """Give the objects that are in the field, each with its number among the stars."""
    found = []
    for target in targets:
        place = _place(target, matrix, work)
        if place is None:
            continue
        star = matrix.nearest(place, within_px=profile.light_curves.match_px)
        if star is None:
            run.remark(f"no star was measured where {target.name} should be")
        else:
            found.append((target, star))
    return found


def _place(target: Target, matrix: StarMatrix, work: Sequence[SourceList]) -> Any:
    """Give where an object should be on the image that is the reference."""
    import numpy as np

    from include.ccd.star_matrix import chart_place

    if not (len(matrix.places) and target.chart):
        return None
    shape = (work[0].height_px, work[0].width_px)
    return chart_place(matrix.places, target.pixel, np.array(target.chart), shape=shape)


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
    profile: Profile,
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
        )
