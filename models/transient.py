"""What changes in the sky: detections on differences, candidates, light curves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base
from models.columns import SHA256
from models.product import Derived, Product
from models.setup import ObservingSetup


class Detection(Derived, ObservingSetup, Base):
    """Something on one difference that is not noise, whether it is real or not.

    Attributes
    ----------
    difference_id
        The product on which it was seen.
    x_px, y_px
        On the pixels of the reference, from 0 at the centre of the first.
    ra_deg, dec_deg
        ICRS; None where the reference has no place on the sky.
    flux_e, flux_err_e
        Change against the reference, on the scale of the reference; negative where it faded.
    mag, mag_err
        Of the change, calibrated; None where it faded or there is no zero point.
    score
        From 0, bogus, to 1, real.
    doubts
        What speaks against it, by name.
    stamps
        Science, reference and difference around it, an (3, n, n) array as `numpy.save` writes it.
    """

    __tablename__ = "detection"
    __table_args__ = (Index("ix_detection_night_id_object", "night_id", "object"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    difference_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    instrument: Mapped[str] = mapped_column(String(64))
    x_px: Mapped[float] = mapped_column(Float)
    y_px: Mapped[float] = mapped_column(Float)
    ra_deg: Mapped[float | None] = mapped_column(Float)
    dec_deg: Mapped[float | None] = mapped_column(Float)
    flux_e: Mapped[float] = mapped_column(Float)
    flux_err_e: Mapped[float] = mapped_column(Float)
    significance: Mapped[float] = mapped_column(Float)
    mag: Mapped[float | None] = mapped_column(Float)
    mag_err: Mapped[float | None] = mapped_column(Float)
    score: Mapped[float] = mapped_column(Float)
    real: Mapped[bool] = mapped_column(Boolean)
    doubts: Mapped[list[Any]] = mapped_column(default=list)
    stamps: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)

    difference: Mapped[Product] = relationship()


class Candidate(Derived, ObservingSetup, Base):
    """Something new in the sky, seen on enough images of a night; its set-up is of the best one.

    Attributes
    ----------
    name
        Of the field, the night and the place: the same whenever it is found again.
    detections, searched
        On how many images it was seen, and of how many on which it could have been.
    searched_sha256
        Of all differences that were searched: what the result stands on.
    mag, mag_err, significance, score
        Of the best detection.
    known_as, separation_arcsec
        The catalogue's object at that place, and how far off; None where there is none.
    """

    __tablename__ = "candidate"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), index=True)
    instrument: Mapped[str] = mapped_column(String(64))
    best_detection_id: Mapped[int] = mapped_column(ForeignKey("detection.id"), index=True)
    x_px: Mapped[float] = mapped_column(Float)
    y_px: Mapped[float] = mapped_column(Float)
    ra_deg: Mapped[float | None] = mapped_column(Float)
    dec_deg: Mapped[float | None] = mapped_column(Float)
    position_err_arcsec: Mapped[float | None] = mapped_column(Float)
    detections: Mapped[int] = mapped_column(Integer)
    searched: Mapped[int] = mapped_column(Integer)
    searched_sha256: Mapped[str] = mapped_column(SHA256)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    mag: Mapped[float | None] = mapped_column(Float)
    mag_err: Mapped[float | None] = mapped_column(Float)
    significance: Mapped[float] = mapped_column(Float)
    score: Mapped[float] = mapped_column(Float)
    known_as: Mapped[str | None] = mapped_column(String(100))
    separation_arcsec: Mapped[float | None] = mapped_column(Float)

    best_detection: Mapped[Detection] = relationship()


class LightCurvePoint(Derived, Base):
    """How bright one object was on one image.

    Attributes
    ----------
    source_name
        Of the candidate or target.
    product_id
        The image, or difference, it was measured on.
    method
        ``forced`` on differences, ``ensemble`` against comparison stars.
    bjd_tdb
        Middle of the exposure as barycentric Julian date, TDB, in days.
    flux_e, flux_err_e
        Of a forced flux: the change against the reference, in its electrons.
    relative_flux, relative_flux_err
        Of an ensemble: over its median of the night.
    mag, mag_err
        Calibrated; None where the flux is not above zero, or there is no zero point.
    flags
        Sum of `include.ccd.source_table.SourceFlag`.
    """

    __tablename__ = "light_curve_point"
    __table_args__ = (Index("ix_light_curve_point_source_name", "source_name", "observed_at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    source_name: Mapped[str] = mapped_column(String(100))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    method: Mapped[str] = mapped_column(String(16))
    filter: Mapped[str | None] = mapped_column(String(64))
    observed_at: Mapped[datetime]
    bjd_tdb: Mapped[float | None] = mapped_column(Float)
    flux_e: Mapped[float | None] = mapped_column(Float)
    flux_err_e: Mapped[float | None] = mapped_column(Float)
    relative_flux: Mapped[float | None] = mapped_column(Float)
    relative_flux_err: Mapped[float | None] = mapped_column(Float)
    mag: Mapped[float | None] = mapped_column(Float)
    mag_err: Mapped[float | None] = mapped_column(Float)
    flags: Mapped[int] = mapped_column(Integer, default=0)

    product: Mapped[Product] = relationship()
