"""Calibrated images become lists of sources."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from include.corral.many import Many
from include.toritos.fits_step import FitsStep
from models.product import Product
from models.source import Measurement, SourceList

if TYPE_CHECKING:
    from include.ccd.image import Image
    from include.ccd.source_table import SourceCatalogue
    from include.corral.run import Run

# Column of the row to the one of the table it comes from; calibrated images are in electrons.
COLUMNS = {
    "x_px": "x_px",
    "y_px": "y_px",
    "x_err_px": "x_err_px",
    "y_err_px": "y_err_px",
    "flux_psf_e": "flux_psf",
    "flux_psf_err_e": "flux_psf_err",
    "flux_aper_e": "flux_aper",
    "flux_aper_err_e": "flux_aper_err",
    "mag_psf": "mag_psf",
    "mag_psf_err": "mag_psf_err",
    "mag_aper": "mag_aper",
    "mag_aper_err": "mag_aper_err",
    "peak_e": "peak",
    "background_e": "background",
    "fwhm_px": "fwhm_px",
    "ellipticity": "ellipticity",
    "theta_deg": "theta_deg",
    "area_px": "area_px",
    "flags": "flags",
}
# Stars that tell the shape of an image: nothing is wrong with them, and noise is small.
SHAPE_SIGMA = 20.0


class FindSources(FitsStep):
    """Every calibrated image has a list of its sources, be it empty."""

    model = Product
    conditions = (Product.kind == "calibrated",)
    sections = ("background", "sources")

    def process(self, work: Product, run: Run) -> Iterator[SourceList | Many]:
        """Measure the background, find the sources, and measure them."""
        from include.ccd.background import measure_background
        from include.ccd.mask import MaskBit
        from include.ccd.sources import find_sources

        profile = self.profile(work)
        image = run.read(work)
        if image.mask is not None:
            image.mask &= ~image.mask.dtype.type(MaskBit.WARM)
        background = measure_background(image, settings=profile.background)
        found = find_sources(
            image,
            exptime_s=work.exptime_s or 0.0,
            background=background,
            settings=profile.sources,
        )
        row = _source_list(work, image, found)
        yield row
        yield Many(row, Measurement, "source_list_id", measurement_values(found))


def _source_list(work: Product, image: Image, found: SourceCatalogue) -> SourceList:
    from include.ccd.cards import card_number

    content = hashlib.sha256(work.sha256.encode())
    content.update(found.table.tobytes())
    fwhm_px, ellipticity = _shape(found)
    height_px, width_px = image.sci.shape
    return SourceList(
        **work.setup(),
        night=work.night,
        product_id=work.id,
        instrument=work.instrument,
        sha256=content.hexdigest(),
        count=len(found),
        fwhm_px=fwhm_px,
        ellipticity=ellipticity,
        psf_alpha_px=found.psf.alpha_px,
        psf_beta=found.psf.beta,
        aperture_radius_px=found.aperture_radius_px,
        background_e=_finite(found.background),
        background_rms_e=_finite(found.background_rms),
        width_px=width_px,
        height_px=height_px,
        ra_deg=card_number(image, "RA"),
        dec_deg=card_number(image, "DEC"),
    )


def _shape(found: SourceCatalogue) -> tuple[float | None, float | None]:
    """Medians of FWHM and ellipticity of the clean bright sources; None where there are none."""
    import numpy as np

    table = found.table
    with np.errstate(divide="ignore", invalid="ignore"):
        bright = table["flux_psf"] > SHAPE_SIGMA * table["flux_psf_err"]
    stars = table[bright & (table["flags"] == 0) & np.isfinite(table["fwhm_px"])]
    if not len(stars):
        return None, None
    return float(np.median(stars["fwhm_px"])), _finite(float(np.median(stars["ellipticity"])))


def measurement_values(found: SourceCatalogue) -> list[dict[str, Any]]:
    """Give the columns of `Measurement` for each source; what is no number is None."""
    columns: list[list[Any]] = [_values(found.table[name]) for name in COLUMNS.values()]
    return [
        {"number": number, **dict(zip(COLUMNS, row, strict=True))}
        for number, row in enumerate(zip(*columns, strict=True))
    ]


def _values(column: Any) -> list[Any]:
    import numpy as np

    values: list[Any] = column.tolist()
    finite = np.isfinite(column)
    if finite.all():
        return values
    return [value if is_number else None for value, is_number in zip(values, finite, strict=True)]


def _finite(value: float) -> float | None:
    return value if value - value == 0.0 else None
