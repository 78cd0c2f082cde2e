"""What is seen on several differences of a night is a candidate; each has its light curve."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.toritos.catalogs import catalog_of
from include.toritos.confirmation import Sightings, read_sightings
from include.toritos.difference_steps import DIFFERENCE, place
from include.toritos.field_frame import FieldFrame
from include.toritos.fits_step import FitsStep
from include.toritos.naming import candidate_name, nearest_name, place_name, separation_arcsec
from include.toritos.pacing import make_at_intervals
from include.toritos.sky_place import magnitude
from include.toritos.sky_steps import CatalogStep
from models.product import Product
from models.transient import Candidate, Detection, LightCurvePoint

if TYPE_CHECKING:
    from include.ccd.confirm import Cluster
    from include.ccd.forced import ForcedFlux
    from include.ccd.reference_catalog import ReferenceCatalog
    from include.corral.run import Run

FIELD_OF_NIGHT = ("night_id", "camera", "binning", "object")
FORCED = "forced"


class ConfirmCandidates(CatalogStep):
    """What was seen on enough of a field's differences of a night is a candidate.

    Differences of all filters count together: a place on one is found on the others by the stars.
    Enough is `min_detections`, and `min_fraction` of those images between the first and the last
    detection on which something as bright would have been seen: of the same filters, with the
    place unmasked, and deep enough there.
    """

    model = Product
    conditions = (Product.kind == DIFFERENCE,)
    group_by = tuple(getattr(Product, name) for name in FIELD_OF_NIGHT)
    ordering = (Product.observed_at, Product.sha256)
    sections = ("confirming", "detecting", "catalog")

    def process(self, work: list[Product], run: Run) -> Iterator[Candidate]:
        """Collect the detections of each place, and see whether they are enough."""
        from include.ccd.confirm import find_clusters

        profile = self.profile(work[0])
        sightings = read_sightings(work, FieldFrame.of(work, run))
        clusters = [
            cluster
            for cluster in find_clusters(
                sightings.places[:, 0],
                sightings.places[:, 1],
                sightings.significance,
                sightings.image,
                radius_px=profile.confirming.radius_px,
            )
            if len(cluster.members) >= profile.confirming.min_detections
        ]
        searched = sightings.searched(clusters, profile.detecting)
        content = hashlib.sha256("".join(row.sha256 for row in work).encode()).hexdigest()
        earlier = _found_before(work[0], run)
        for cluster, images in zip(clusters, searched, strict=True):
            if len(cluster.members) < profile.confirming.min_fraction * images:
                continue
            row = self._candidate(cluster, sightings, run)
            row.searched, row.searched_sha256 = images, content
            known = nearest_name(
                row,
                earlier,
                radius_px=profile.confirming.radius_px,
                radius_arcsec=profile.confirming.known_radius_arcsec,
            )
            row.name = known or row.name
            earlier = [other for other in earlier if other.name != known]
            yield row

    def _candidate(self, cluster: Cluster, sightings: Sightings, run: Run) -> Candidate:
        import numpy as np

        best = run.session.get_one(Detection, int(sightings.ids[cluster.members[0]]))
        difference, frame = best.difference, sightings.frame
        x_px, y_px = frame.from_common(difference.id, np.array([[cluster.x_px, cluster.y_px]]))[0]
        wcs = frame.wcs(difference.id)
        ra_deg, dec_deg = place(wcs, x_px, y_px)
        times = [sightings.differences[n].observed_at for n in sightings.image[cluster.members]]
        row = Candidate(
            **difference.setup(),
            night=difference.night,
            instrument=best.instrument,
            best_detection_id=best.id,
            x_px=float(x_px),
            y_px=float(y_px),
            ra_deg=ra_deg,
            dec_deg=dec_deg,
            position_err_arcsec=_error_arcsec(cluster, wcs),
            detections=len(cluster.members),
            first_seen_at=min(times),
            last_seen_at=max(times),
            mag=best.mag,
            mag_err=best.mag_err,
            significance=best.significance,
            score=best.score,
        )
        row.name = candidate_name(row, difference.night.date)
        self._cross_match(row)
        return row

    def _cross_match(self, row: Candidate) -> None:
        """Name the star of the catalogue at its place, if there is one."""
        profile = self.profile(row)
        if profile.catalog is None or row.ra_deg is None or row.dec_deg is None:
            return
        radius = profile.confirming.known_radius_arcsec
        stars = catalog_of(profile.catalog.file, self.settings)
        found = _nearest_star(stars, row.ra_deg, row.dec_deg, radius)
        if found is not None:
            row.separation_arcsec, name = found
            row.known_as = f"{profile.catalog.file.rpartition('.')[0]} {name}"


class ForcedLightCurves(FitsStep):
    """Every candidate has its flux on every difference of its field and night, seen or not.

    Of a difference only the rows around the places are read, once for all candidates.
    """

    model = Candidate
    group_by = tuple(getattr(Candidate, name) for name in FIELD_OF_NIGHT)
    ordering = (Candidate.name,)
    # Of `[light_curves]` it takes only when to measure, which decides nothing of what comes out.
    sections = ("site",)

    def process(self, work: list[Candidate], run: Run) -> Iterator[LightCurvePoint]:
        """Measure them."""
        import numpy as np

        differences = _differences_of(work[0], run)
        every = timedelta(minutes=self.profile(work[0]).light_curves.every_min)
        make_at_intervals(differences, every, run)
        frame = FieldFrame.of(differences, run)
        places = np.vstack([_common_place(row, frame) for row in work])
        times = [self._times(row, differences) for row in work]
        for n, difference in enumerate(differences):
            if frame.holds(difference):
                measured = frame.measure(difference, places)
                for k, row in enumerate(work):
                    yield _point(row, difference, measured, k, times[k][n])

    def _times(self, row: Candidate, differences: Sequence[Product]) -> Sequence[float | None]:
        """Barycentric dates of all images for one object; None where it has no place."""
        from include.ccd.light_curve import mid_exposure_bjd_tdb

        if row.ra_deg is None or row.dec_deg is None:
            return [None] * len(differences)
        dates: list[float | None] = mid_exposure_bjd_tdb(
            [difference.observed_at for difference in differences],
            [difference.exptime_s or 0.0 for difference in differences],
            ra_deg=row.ra_deg,
            dec_deg=row.dec_deg,
            site=self.profile(row).site,
        ).tolist()
        return dates


def _found_before(difference: Product, run: Run) -> list[Candidate]:
    """Candidates of this field and night from all earlier results, the oldest of a name only."""
    same = (getattr(Candidate, name) == getattr(difference, name) for name in FIELD_OF_NIGHT[:-1])
    query = select(Candidate).where(*same, Candidate.object.is_not_distinct_from(difference.object))
    found: dict[str, Candidate] = {}
    for row in run.session.scalars(query.order_by(Candidate.id)):
        found.setdefault(row.name, row)
    return list(found.values())


def _error_arcsec(cluster: Cluster, wcs: Any) -> float | None:
    import numpy as np

    if wcs is None or not np.isfinite(cluster.error_px):
        return None
    scale = np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600.0
    return float(cluster.error_px * scale)


def _nearest_star(
    stars: ReferenceCatalog, ra_deg: float, dec_deg: float, radius_arcsec: float
) -> tuple[float, str] | None:
    near = stars.within(ra_deg, dec_deg, radius_arcsec / 3600.0)
    found = (
        (separation_arcsec(ra_deg, dec_deg, float(ra), float(dec)), place_name(ra, dec))
        for ra, dec in zip(near.ra_deg, near.dec_deg, strict=True)
    )
    return min(found, default=None)


def _differences_of(candidate: Candidate, run: Run) -> list[Product]:
    same = (getattr(Product, name) == getattr(candidate, name) for name in FIELD_OF_NIGHT[:-1])
    query = select(Product).where(
        Product.kind == DIFFERENCE,
        Product.current,
        *same,
        Product.object.is_not_distinct_from(candidate.object),
    )
    return list(run.session.scalars(query.order_by(Product.observed_at, Product.sha256)))


def _common_place(row: Candidate, frame: FieldFrame) -> Any:
    import numpy as np

    best = row.best_detection.difference_id
    return frame.to_common(best, np.array([[row.x_px, row.y_px]]))


def _point(
    row: Candidate, difference: Product, measured: ForcedFlux, k: int, bjd_tdb: float | None
) -> LightCurvePoint:
    from include.ccd.source_table import source_flags

    flux_e, flux_err_e = (
        float(column[k]) if column[k] == column[k] else None
        for column in (measured.flux, measured.flux_error)
    )
    mag, mag_err = magnitude(flux_e, flux_err_e, difference.metrics)
    return LightCurvePoint(
        source_name=row.name,
        product_id=difference.id,
        method=FORCED,
        filter=difference.filter,
        observed_at=difference.observed_at,
        bjd_tdb=bjd_tdb,
        flux_e=flux_e,
        flux_err_e=flux_err_e,
        mag=mag,
        mag_err=mag_err,
        flags=source_flags(int(measured.bits[k]), float(measured.usable[k])),
    )
