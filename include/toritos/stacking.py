"""The images of a field become one: the reference that others are compared with, and the stack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from include.corral.associate import Use
from include.toritos.catalogs import catalog_of
from include.toritos.fits_step import middle
from include.toritos.pacing import wait_for_the_last
from include.toritos.sky_place import FLUX_EXPTIME, place_on_sky
from include.toritos.sky_steps import CatalogStep
from include.toritos.stack_members import coadd_members, find_members, is_good
from include.toritos.star_lists import GRID, REFERENCE
from models.product import Product
from models.source import SourceList

if TYPE_CHECKING:
    from include.ccd.image import Image
    from include.ccd.profile import Profile
    from include.ccd.source_table import SourceCatalogue
    from include.corral.run import Run

SAME_FIELD = ("camera", "binning", "readout", "filter", "object")


class OlderReference(Use):
    """A reference of the field from an earlier night: while there is one, none is made."""

    def refusal(self, row: Any, product: Product) -> str | None:
        """Refuse, beside what any use does, those of the same night and of later ones."""
        if product.night.date >= row.night.date:
            return "not of an earlier night"
        return super().refusal(row, product)


class StackStep(CatalogStep):
    """The good images of a night, field and filter are one image.

    Attributes
    ----------
    kind
        Of the product.
    """

    model = SourceList
    group_by = (SourceList.night_id, *(getattr(SourceList, name) for name in SAME_FIELD))
    ordering = (SourceList.observed_at, SourceList.sha256)
    sections = (
        *("checks", "coadding", "referencing", "background", "sources"),
        *("astrometry", "catalog", "photometry"),
    )
    kind: ClassVar[str]

    def needed(self, rows: Sequence[SourceList]) -> Sequence[SourceList]:
        """Give those that no check that keeps images out speaks against, in time."""
        in_time = sorted(rows, key=lambda row: (row.observed_at, row.sha256))
        return [row for row in in_time if is_good(row, self.profile(row))]

    def process(self, work: list[SourceList], run: Run) -> Iterator[Product]:
        """Stack them and place the stack on the sky."""
        profile, rows = self.profile(work[0]), self.needed(work)
        members = find_members(rows, run.session)
        if len(members) < profile.coadding.min_images:
            run.remark(
                f"{len(members)} of {len(work)} images are good and show the same stars, "
                f"{profile.coadding.min_images} are needed"
            )
            return
        if left := len(rows) - len(members):
            run.remark(f"{left} image(s) do not show the stars of the others and are left out")
        image = coadd_members(members, run, profile.coadding)
        flags = self._measure(image, members[0].row, profile, run)
        first, *others = (member.row.product for member in members)
        yield run.product(
            self.kind,
            image,
            inputs={GRID: first, "science": others},
            like=first,
            metrics=image.metrics,
            flags=flags,
            observed_at=middle([member.row for member in members]),
        )

    def _measure(self, image: Image, like: SourceList, profile: Profile, run: Run) -> list[str]:
        """Find its sources and its place on the sky; give flags."""
        from include.ccd.background import measure_background
        from include.ccd.cards import ascii_text
        from include.ccd.sources import find_sources

        seconds = like.exptime_s or 0.0
        image.cards |= {
            "IMAGETYP": self.kind,
            "INSTRUME": ascii_text(like.camera),
            "FILTER": ascii_text(like.filter or ""),
            "OBJECT": ascii_text(like.object or ""),
            "EXPTIME": (seconds, "[s] that fluxes are of"),
        }
        background = measure_background(image, settings=profile.background)
        found = find_sources(
            image, exptime_s=seconds, background=background, settings=profile.sources
        )
        image.metrics |= {
            FLUX_EXPTIME: seconds,
            "source_count": float(len(found)),
            "fwhm_px": found.psf.fwhm_px,
            "background_rms_e": found.background_rms,
        }
        if profile.astrometry is None or profile.catalog is None:
            return []
        said = self._place(image, found, like, profile)
        if said is None:
            return []
        run.remark(said)
        return ["no_zero_point" if "CTYPE1" in image.cards else "not_placed"]

    def _place(
        self, image: Image, found: SourceCatalogue, like: SourceList, profile: Profile
    ) -> str | None:
        """Give what could not be found; None if all was."""
        from include.ccd.reference_catalog import CatalogError

        assert profile.catalog is not None
        if like.ra_deg is None or like.dec_deg is None:
            return "no world coordinates: the frames do not say where the telescope pointed"
        try:
            catalog = catalog_of(profile.catalog.file, self.settings)
        except CatalogError as error:
            return f"no world coordinates: {error}"
        pointing = (like.ra_deg, like.dec_deg)
        return place_on_sky(
            image,
            found,
            profile=profile,
            catalog=catalog,
            pointing=pointing,
            filter=like.filter,
            binning=like.binning,
        )


class BuildReference(StackStep):
    """Every field that is observed has a reference: of this night, or of an earlier one."""

    kind = REFERENCE
    uses = (OlderReference(role="older", kind=REFERENCE, exact=SAME_FIELD, missing="flag"),)

    def rule(self, use: Use, row: Any) -> Use:
        """Give `use` with the age that the profile allows."""
        return replace(use, max_age_days=self.profile(row).referencing.max_age_days)

    def needed(self, rows: Sequence[SourceList]) -> Sequence[SourceList]:
        """Give the first good ones: what comes later leaves the reference as it is."""
        good = super().needed(rows)
        return good[: self.profile(rows[0]).referencing.images]

    def process(self, work: list[SourceList], run: Run) -> Iterator[Product]:
        """Make it, unless an older one is there."""
        if (older := run.associate(work[0])["older"]) is not None:
            run.remark(f"the reference of this field is {older.path}")
            return
        yield from super().process(work, run)


class CoaddField(StackStep):
    """The good images of a night, field and filter are one deeper image.

    It is made when no more of them come: made with each, all of a night would be read and written
    anew for every one.
    """

    kind = "coadd"

    def process(self, work: list[SourceList], run: Run) -> Iterator[Product]:
        """Stack them, unless more of them may come."""
        still = timedelta(minutes=self.profile(work[0]).coadding.still_min)
        wait_for_the_last(work, still, run)
        yield from super().process(work, run)
