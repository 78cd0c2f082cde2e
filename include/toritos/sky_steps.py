"""Lists of sources get their place on the sky and their magnitudes, from a local catalogue."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.toritos.catalogs import catalog_of, catalog_sha256, catalogs_stamp
from include.toritos.fits_step import FitsStep
from include.toritos.sky_place import astrometry_of
from models.source import AstrometricSolution, Measurement, PhotometricSolution, SourceList

if TYPE_CHECKING:
    import numpy.typing as npt

    from include.ccd.astrometry import Solution
    from include.ccd.measuring import Catalog
    from include.ccd.zero_point import ZeroPoint
    from include.corral.run import Run

NO_SECTION = "the profile names no astrometry and catalog: images are not placed on the sky"
# Of a point source that is called visible.
LIMIT_SIGMA = 5.0


class CatalogStep(FitsStep):
    """A step that compares with the catalogue of the profile; another catalogue, another result."""

    @property
    def plan_signature(self) -> str:
        """As any step's on frames, with the state of the catalogues."""
        text = super().plan_signature + catalogs_stamp(self.settings)
        return hashlib.sha256(text.encode()).hexdigest()

    def configuration(self, rows: Sequence[Any]) -> Mapping[str, Any]:
        """As of any step on frames, with the digest of the catalogue's file."""
        catalog = self.profile(rows[0]).catalog
        digest = catalog_sha256(catalog.file, self.settings) if catalog else None
        return {**super().configuration(rows), "catalog": digest}

    def solve(self, work: SourceList, run: Run) -> Solution:
        """Give the world coordinates of a list of sources.

        Raises
        ------
        CcdError
            If none are found, or the catalogue is missing.
        """
        from include.ccd.astrometry import AstrometryError, solve

        profile = self.profile(work)
        assert profile.astrometry is not None
        assert profile.catalog is not None
        if work.count < profile.astrometry.min_matches:
            raise AstrometryError(
                f"{work.count} sources; {profile.astrometry.min_matches} stars are needed"
            )
        if work.ra_deg is None or work.dec_deg is None:
            raise AstrometryError("the frame does not say where the telescope pointed")
        columns = (Measurement.x_px, Measurement.y_px, Measurement.flux_psf_e)
        x_px, y_px, flux_e = _measured(work.id, columns, run)
        catalog = catalog_of(profile.catalog.file, self.settings)
        return solve(
            x_px,
            y_px,
            flux_e,
            catalog,
            shape=(work.height_px, work.width_px),
            ra_deg=work.ra_deg,
            dec_deg=work.dec_deg,
            astrometry=astrometry_of(profile, work.binning),
            filter=_sorting_filter(work.filter, profile.catalog, catalog.mag),
        )


class SolveAstrometry(CatalogStep):
    """Every list of sources has world coordinates, or a reason why none were found.

    Without astrometry or catalog in the profile there is nothing to be done.
    """

    model = SourceList
    sections = ("astrometry", "catalog")

    def process(self, work: SourceList, run: Run) -> AstrometricSolution | None:
        """Match the brightest sources with the stars around the pointing, wider and wider."""
        from include.ccd.errors import CcdError

        profile = self.profile(work)
        if profile.astrometry is None or profile.catalog is None:
            run.remark(NO_SECTION)
            return None
        common: dict[str, Any] = {
            **work.setup(),
            "night": work.night,
            "source_list_id": work.id,
            "product_id": work.product_id,
            "instrument": work.instrument,
            "catalog": profile.catalog.file,
        }
        try:
            found = self.solve(work, run)
        except CcdError as error:
            run.remark(f"not solved: {error}")
            return AstrometricSolution(**common, solved=False, reason=str(error))
        return AstrometricSolution(**common, **_solved(found, work))


class FindZeroPoint(CatalogStep):
    """Every image placed on the sky has a zero point, or a reason why none was found."""

    model = AstrometricSolution
    conditions = (AstrometricSolution.solved,)
    sections = ("photometry", "catalog")

    def process(self, work: AstrometricSolution, run: Run) -> PhotometricSolution | None:
        """Compare the fluxes of stars with their magnitudes in the catalogue."""
        from include.ccd.errors import CcdError

        common: dict[str, Any] = {
            **work.setup(),
            "night": work.night,
            "astrometric_solution_id": work.id,
            "product_id": work.product_id,
            "instrument": work.instrument,
            "catalog": work.catalog,
        }
        try:
            found = self._compare(work, run)
        except CcdError as error:
            run.remark(f"no zero point: {error}")
            return PhotometricSolution(**common, calibrated=False, reason=str(error))
        return PhotometricSolution(**common, **_calibrated(found, work))

    def _compare(self, work: AstrometricSolution, run: Run) -> ZeroPoint:
        import numpy as np

        from include.ccd.photometric_stars import magnitudes_of, pair_for_photometry
        from include.ccd.zero_point import find_zero_point

        profile = self.profile(work)
        assert profile.catalog is not None
        sources = work.source_list
        columns = (
            Measurement.x_px,
            Measurement.y_px,
            Measurement.flux_psf_e,
            Measurement.flux_psf_err_e,
            Measurement.flags,
        )
        x_px, y_px, flux_e, flux_err_e, flags = _measured(sources.id, columns, run)
        catalog = catalog_of(profile.catalog.file, self.settings)
        source, star = pair_for_photometry(
            work.wcs,
            np.column_stack([x_px, y_px]),
            flags.astype(np.int64),
            catalog,
            shape=(sources.height_px, sources.width_px),
            fwhm_px=sources.fwhm_px,
        )
        known = magnitudes_of(catalog.pick(star), _catalog_filter(work.filter, profile.catalog))
        exptime_s = work.exptime_s or math.nan
        return find_zero_point(
            flux_e[source] / exptime_s,
            flux_err_e[source] / exptime_s,
            *known,
            photometry=profile.photometry,
        )


def _measured(
    source_list_id: int, columns: Sequence[Any], run: Run
) -> tuple[npt.NDArray[Any], ...]:
    """Columns of the measurements as float64 arrays; NULL is NaN."""
    import numpy as np

    query = select(*columns).where(Measurement.source_list_id == source_list_id)
    rows = run.session.execute(query.order_by(Measurement.number)).all()
    table = np.array([tuple(row) for row in rows], np.float64).reshape(len(rows), len(columns))
    return tuple(np.ascontiguousarray(column) for column in table.T)


def _catalog_filter(name: str | None, catalog: Catalog) -> str:
    return catalog.filters.get(name or "", name or "")


def _sorting_filter(name: str | None, catalog: Catalog, known: Mapping[str, Any]) -> str | None:
    """The filter of the image if the catalogue has it; places need no magnitudes."""
    wanted = _catalog_filter(name, catalog)
    return wanted if wanted in known else None


def _solved(found: Solution, work: SourceList) -> dict[str, Any]:
    from include.ccd.world import geometry, wcs_cards

    _, ra_deg, dec_deg = geometry(found.wcs, (work.height_px, work.width_px))
    return {
        "solved": True,
        "attempts": list(found.attempts),
        "ra_deg": ra_deg,
        "dec_deg": dec_deg,
        "rms_arcsec": found.rms_arcsec,
        "matches": len(found.source),
        "scale_arcsec_per_px": found.scale_arcsec_per_px,
        "rotation_deg": found.rotation_deg,
        "mirrored": found.mirrored,
        "wcs": wcs_cards(found.wcs),
    }


def _calibrated(found: ZeroPoint, work: AstrometricSolution) -> dict[str, Any]:
    from include.ccd.photometric_depth import limiting_mag, sky_mag_per_arcsec2

    sources = work.source_list
    assert work.exptime_s is not None
    return {
        "calibrated": True,
        "zero_point_mag": found.zero_point_mag,
        "zero_point_err_mag": found.zero_point_error_mag,
        "colour_term": found.colour_term,
        "colour_term_err": found.colour_term_error,
        "colour_pivot": found.colour_pivot if math.isfinite(found.colour_pivot) else None,
        "scatter_mag": found.scatter_mag,
        "stars_used": found.stars_used,
        "stars_clipped": found.stars_clipped,
        "limiting_mag": limiting_mag(
            found.zero_point_mag,
            background_rms=sources.background_rms_e,
            psf=(sources.psf_alpha_px, sources.psf_beta),
            exptime_s=work.exptime_s,
            sigma=LIMIT_SIGMA,
        ),
        "sky_mag_per_arcsec2": sky_mag_per_arcsec2(
            found.zero_point_mag,
            background=sources.background_e,
            exptime_s=work.exptime_s,
            scale_arcsec_per_px=work.scale_arcsec_per_px,
        ),
    }
