"""Every image of a field is compared with its reference: what is left, and what stands out."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from include.corral.associate import Use
from include.toritos.fits_step import FitsStep
from include.toritos.sky_place import (
    FLUX_EXPTIME,
    NOISE_SCALE,
    ZERO_POINT,
    ZERO_POINT_ERROR,
    magnitude,
    read_wcs,
)
from include.toritos.stack_members import is_good
from include.toritos.stacking import SAME_FIELD
from include.toritos.star_lists import REFERENCE, align, grid_stars, read_stars
from models.product import Product
from models.source import SourceList
from models.transient import Detection

if TYPE_CHECKING:
    from include.ccd.align import Alignment
    from include.ccd.candidates import DifferenceSource
    from include.ccd.comparing import Detecting
    from include.ccd.difference import Difference
    from include.ccd.image import Image
    from include.corral.run import Run

DIFFERENCE = "difference"
_LIMIT_SIGMA = 5.0


class SubtractReference(FitsStep):
    """Every good image has a difference from the reference of its field, and its detections.

    Images that a check keeps out of stacks have none, what they show is not to be believed; nor
    have those that show too few of the reference's stars. The record of the unit says which.
    """

    model = SourceList
    ordering = (SourceList.observed_at,)
    sections = ("checks", "differencing", "detecting", "referencing")
    uses = (Use(role=REFERENCE, kind=REFERENCE, exact=SAME_FIELD, missing="flag"),)

    def rule(self, use: Use, row: Any) -> Use:
        """Give `use` with the age that the profile allows."""
        return replace(use, max_age_days=self.profile(row).referencing.max_age_days)

    def process(self, work: SourceList, run: Run) -> Iterator[Product | Detection]:
        """Align it, subtract the reference, and look for what is new or gone."""
        from include.ccd.align import AlignError
        from include.ccd.difference import DifferenceError

        chosen = run.associate(work)[REFERENCE]
        if not is_good(work, self.profile(work)):
            run.remark("no difference: it has too few stars, or a check keeps it out")
        elif chosen is None:
            run.remark("no difference: its field has no reference; when one is made, it is done")
        elif [each.input_product_id for each in chosen.inputs] == [work.product_id]:
            run.remark("no difference: its reference is this image alone")
        else:
            try:
                yield from self._compare(work, chosen, run)
            except (AlignError, DifferenceError) as error:
                run.remark(f"no difference: {error}")

    def _compare(
        self, work: SourceList, chosen: Product, run: Run
    ) -> Iterator[Product | Detection]:
        from include.ccd.align import Resampled
        from include.ccd.difference import subtract
        from include.ccd.matching_error import with_matching_error

        profile = self.profile(work)
        alignment = align(grid_stars(run.session, chosen), read_stars(run.session, work))
        reference = self.kept(chosen, run)
        shape = (reference.sci.shape[0], reference.sci.shape[1])
        science = Resampled(run.read(work.product), alignment.transform, shape=shape).image()
        difference = subtract(science, reference, differencing=profile.differencing)
        wider, matching_error = with_matching_error(difference, reference)
        found = _find(wider, science, reference, profile.detecting)
        image = _on_reference(difference, reference, alignment)
        image.metrics |= {
            "matching_error": matching_error,
            "detections": float(len(found)),
            "detections_real": float(sum(each.real for each in found)),
        }
        product = run.product(
            DIFFERENCE,
            image,
            inputs={"science": work.product, REFERENCE: chosen},
            like=work.product,
            metrics=image.metrics,
        )
        yield product
        wcs = read_wcs(reference.cards)
        for each in found:
            yield _detection(each, difference, product, work, wcs)

    def kept(self, chosen: Product, run: Run) -> Image:
        """Give the image of a reference; the last one is kept, as most images share it."""
        if chosen.id not in self._kept:
            self._kept = {chosen.id: run.read(chosen)}
        return self._kept[chosen.id]


def _find(
    difference: Difference, science: Image, reference: Image, detecting: Detecting
) -> list[DifferenceSource]:
    """What stands out, where enough of the place is usable for a flux."""
    from include.ccd.candidates import find_candidates

    found = find_candidates(difference, science, reference, detection=detecting)
    return [each for each in found if math.isfinite(each.flux)]


def _on_reference(difference: Difference, reference: Image, alignment: Alignment) -> Image:
    """The difference as it is kept: flux scale, place and zero point are those of the reference."""
    from include.ccd.forced import flux_noise

    image = difference.on_reference_scale()
    noise = flux_noise(image, difference.psf)
    ny, nx = image.sci.shape
    image.psf = difference.psf.astype("float32")
    image.cards = reference.cards | image.cards | {"IMAGETYP": DIFFERENCE}
    shared = (FLUX_EXPTIME, ZERO_POINT, ZERO_POINT_ERROR)
    image.metrics |= {name: reference.metrics[name] for name in shared if name in reference.metrics}
    image.metrics |= {
        "flux_ratio": float(difference.flux_ratio(ny / 2, nx / 2)),
        NOISE_SCALE: noise.scale,
        "limit_5sigma_e": _LIMIT_SIGMA * noise.error,
        "alignment_rms_px": alignment.rms_px,
        "alignment_stars": float(alignment.matches),
    }
    limit_mag, _ = magnitude(image.metrics["limit_5sigma_e"], noise.error, image.metrics)
    if limit_mag is not None:
        image.metrics["limit_5sigma_mag"] = limit_mag
    return image


def _detection(
    found: DifferenceSource, difference: Difference, product: Product, like: SourceList, wcs: Any
) -> Detection:
    factor = 1.0 / float(difference.flux_ratio(found.y_px, found.x_px))
    flux_e, flux_err_e = found.flux * factor, found.flux_error * factor
    mag, mag_err = magnitude(flux_e, flux_err_e, product.metrics)
    ra_deg, dec_deg = place(wcs, found.x_px, found.y_px)
    return Detection(
        **like.setup(),
        night=like.night,
        instrument=like.instrument,
        difference=product,
        x_px=found.x_px,
        y_px=found.y_px,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        flux_e=flux_e,
        flux_err_e=flux_err_e,
        significance=found.significance,
        mag=mag,
        mag_err=mag_err,
        score=found.score,
        real=found.real,
        doubts=list(found.doubts),
        stamps=_stamps(found) if found.real else None,
    )


def place(wcs: Any, x_px: float, y_px: float) -> tuple[float | None, float | None]:
    """Give right ascension and declination of a pixel, in degrees; None without coordinates."""
    if wcs is None:
        return None, None
    ra_deg, dec_deg = wcs.all_pix2world([[x_px, y_px]], 0)[0]
    return float(ra_deg), float(dec_deg)


def _stamps(found: DifferenceSource) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, np.stack([found.science, found.reference, found.difference]))
    return stream.getvalue()
