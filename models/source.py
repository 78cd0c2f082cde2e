"""What was seen on an image: its sources, where it points, and how bright a count is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, canonical_json
from models.columns import SHA256
from models.product import Derived, Product
from models.setup import ObservingSetup


class SourceList(Derived, ObservingSetup, Base):
    """The sources of one image, and the profile that its stars have.

    Attributes
    ----------
    sha256
        Of the image and of all measurements: the list's content.
    fwhm_px, ellipticity
        Medians of its stars; None where there are none.
    psf_alpha_px, psf_beta
        Moffat profile of its stars.
    aperture_radius_px
        Of the aperture fluxes.
    background_e, background_rms_e
        Medians over the mesh; None where the image has no usable pixel.
    width_px, height_px
        Of the image.
    ra_deg, dec_deg
        Where the telescope believed to point, J2000; None where it did not say.
    """

    __tablename__ = "source_list"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    instrument: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(SHA256)
    count: Mapped[int] = mapped_column(Integer)
    fwhm_px: Mapped[float | None] = mapped_column(Float)
    ellipticity: Mapped[float | None] = mapped_column(Float)
    psf_alpha_px: Mapped[float] = mapped_column(Float)
    psf_beta: Mapped[float] = mapped_column(Float)
    aperture_radius_px: Mapped[float] = mapped_column(Float)
    background_e: Mapped[float | None] = mapped_column(Float)
    background_rms_e: Mapped[float | None] = mapped_column(Float)
    width_px: Mapped[int] = mapped_column(Integer)
    height_px: Mapped[int] = mapped_column(Integer)
    ra_deg: Mapped[float | None] = mapped_column(Float)
    dec_deg: Mapped[float | None] = mapped_column(Float)

    product: Mapped[Product] = relationship()
    measurements: Mapped[list[Measurement]] = relationship(
        back_populates="source_list", order_by="Measurement.number"
    )

    @property
    def label(self) -> str:
        """Name of its image's file."""
        return self.product.label

    def content(self) -> str:
        """Identity of the measurements."""
        return self.sha256


class Measurement(Base):
    """One source of a list: pixels from 0 at the centre of the first, electrons, magnitudes.

    Magnitudes are instrumental: −2.5 log₁₀ of electrons per second; None where the flux is not
    above zero. Places on the sky and calibrated magnitudes follow from the solutions.

    Attributes
    ----------
    number
        Place in the list, the brightest first.
    theta_deg
        Of the major axis, from x towards y.
    flags
        Sum of `include.ccd.source_table.SourceFlag`.
    """

    __tablename__ = "measurement"

    source_list_id: Mapped[int] = mapped_column(ForeignKey("source_list.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    x_px: Mapped[float] = mapped_column(Float)
    y_px: Mapped[float] = mapped_column(Float)
    x_err_px: Mapped[float | None] = mapped_column(Float)
    y_err_px: Mapped[float | None] = mapped_column(Float)
    flux_psf_e: Mapped[float | None] = mapped_column(Float)
    flux_psf_err_e: Mapped[float | None] = mapped_column(Float)
    flux_aper_e: Mapped[float | None] = mapped_column(Float)
    flux_aper_err_e: Mapped[float | None] = mapped_column(Float)
    mag_psf: Mapped[float | None] = mapped_column(Float)
    mag_psf_err: Mapped[float | None] = mapped_column(Float)
    mag_aper: Mapped[float | None] = mapped_column(Float)
    mag_aper_err: Mapped[float | None] = mapped_column(Float)
    peak_e: Mapped[float | None] = mapped_column(Float)
    background_e: Mapped[float | None] = mapped_column(Float)
    fwhm_px: Mapped[float | None] = mapped_column(Float)
    ellipticity: Mapped[float | None] = mapped_column(Float)
    theta_deg: Mapped[float | None] = mapped_column(Float)
    area_px: Mapped[int] = mapped_column(Integer)
    flags: Mapped[int] = mapped_column(Integer)

    source_list: Mapped[SourceList] = relationship(back_populates="measurements")


class AstrometricSolution(Derived, ObservingSetup, Base):
    """Where an image points, or why that could not be found.

    Attributes
    ----------
    solved
        False: `reason` says why, and nothing else is known.
    attempts
        What was tried, in words, in order.
    ra_deg, dec_deg
        ICRS of the middle of the image.
    rms_arcsec
        Of the matched stars, over both axes together.
    rotation_deg
        Position angle of the y axis, north through east.
    mirrored
        Whether east and west are exchanged against the sky as one sees it.
    wcs
        FITS cards of the world coordinates by keyword.
    """

    __tablename__ = "astrometric_solution"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    source_list_id: Mapped[int] = mapped_column(ForeignKey("source_list.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    instrument: Mapped[str] = mapped_column(String(64))
    catalog: Mapped[str] = mapped_column(String(200))
    solved: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[list[Any]] = mapped_column(default=list)
    ra_deg: Mapped[float | None] = mapped_column(Float)
    dec_deg: Mapped[float | None] = mapped_column(Float)
    rms_arcsec: Mapped[float | None] = mapped_column(Float)
    matches: Mapped[int | None] = mapped_column(Integer)
    scale_arcsec_per_px: Mapped[float | None] = mapped_column(Float)
    rotation_deg: Mapped[float | None] = mapped_column(Float)
    mirrored: Mapped[bool | None] = mapped_column(Boolean)
    wcs: Mapped[dict[str, Any]] = mapped_column(default=dict)

    source_list: Mapped[SourceList] = relationship()
    product: Mapped[Product] = relationship()

    def content(self) -> str:
        """Identity of the solution and of what was measured: the same in any database."""
        found = [self.catalog, self.solved, self.wcs, self.setup_content()]
        return canonical_json([self.source_list.content(), *found])


class PhotometricSolution(Derived, ObservingSetup, Base):
    """How bright a source of one electron per second is, or why that could not be found.

    Attributes
    ----------
    calibrated
        False: `reason` says why, and nothing else is known.
    zero_point_mag
        Catalogue magnitude minus instrumental magnitude, at the colour `colour_pivot`.
    colour_term
        Slope with the catalogue's colour index; 0 where none was fitted.
    scatter_mag
        Of single stars around it, robust.
    limiting_mag
        Of a point source at 5 sigma of the background, in the middle of the image.
    sky_mag_per_arcsec2
        Brightness of the background; None where the image has no scale.
    """

    __tablename__ = "photometric_solution"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    astrometric_solution_id: Mapped[int] = mapped_column(
        ForeignKey("astrometric_solution.id"), index=True
    )
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    instrument: Mapped[str] = mapped_column(String(64))
    catalog: Mapped[str] = mapped_column(String(200))
    calibrated: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str | None] = mapped_column(Text)
    zero_point_mag: Mapped[float | None] = mapped_column(Float)
    zero_point_err_mag: Mapped[float | None] = mapped_column(Float)
    colour_term: Mapped[float | None] = mapped_column(Float)
    colour_term_err: Mapped[float | None] = mapped_column(Float)
    colour_pivot: Mapped[float | None] = mapped_column(Float)
    scatter_mag: Mapped[float | None] = mapped_column(Float)
    stars_used: Mapped[int | None] = mapped_column(Integer)
    stars_clipped: Mapped[int | None] = mapped_column(Integer)
    limiting_mag: Mapped[float | None] = mapped_column(Float)
    sky_mag_per_arcsec2: Mapped[float | None] = mapped_column(Float)

    astrometric_solution: Mapped[AstrometricSolution] = relationship()
    product: Mapped[Product] = relationship()
