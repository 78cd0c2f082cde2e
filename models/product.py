"""What steps made, and from what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base
from models.columns import SHA256, RelPath
from models.frame import Frame
from models.setup import ObservingSetup


class Derived:
    """A row made by a unit of work; a newer result of the unit supersedes it.

    Attributes
    ----------
    unit_id
        The unit of which this is a result.
    unit_run_id
        The attempt that made it.
    current
        True until the unit is done anew or withdrawn. Rows are superseded, never overwritten.
    """

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    unit_run_id: Mapped[int] = mapped_column(ForeignKey("unit_run.id"), index=True)
    current: Mapped[bool] = mapped_column(Boolean, default=True)


class Product(Derived, ObservingSetup, Base):
    """A file below the products' root: there, whole, and never changed, as long as this row is.

    Attributes
    ----------
    kind
        What it is: ``master_bias``, ``calibrated``, …
    sha256, size_bytes
        Of the file's bytes.
    metrics
        Numbers measured while it was made; the unit stands in the name.
    flags
        What is not as it should be, ``no_dark`` for example.
    """

    __tablename__ = "product"
    __table_args__ = (
        Index("ix_product_night_id_kind", "night_id", "kind"),
        Index("ix_product_kind_observed_at", "kind", "observed_at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    step: Mapped[str] = mapped_column(String(100))
    fingerprint: Mapped[str] = mapped_column(SHA256)
    sha256: Mapped[str] = mapped_column(SHA256, index=True)
    path: Mapped[str] = mapped_column(RelPath)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    instrument: Mapped[str | None] = mapped_column(String(64))
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    flags: Mapped[list[Any]] = mapped_column(default=list)
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    made_at: Mapped[datetime]

    inputs: Mapped[list[ProductInput]] = relationship(
        back_populates="product", foreign_keys="ProductInput.product_id"
    )

    @property
    def label(self) -> str:
        """Name of its file."""
        return self.path.rpartition("/")[2]

    def content(self) -> str:
        """Identity of the file."""
        return self.sha256


class ProductInput(Base):
    """An edge of provenance: the product was made from this frame, or from this product."""

    __tablename__ = "product_input"
    __table_args__ = (
        CheckConstraint("(frame_id IS NULL) <> (input_product_id IS NULL)", name="one_input"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    role: Mapped[str] = mapped_column(String(64))
    frame_id: Mapped[int | None] = mapped_column(ForeignKey("frame.id"), index=True)
    input_product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)

    product: Mapped[Product] = relationship(back_populates="inputs", foreign_keys=[product_id])
    frame: Mapped[Frame | None] = relationship()
    input_product: Mapped[Product | None] = relationship(foreign_keys=[input_product_id])


class QualityCheck(Derived, Base):
    """One named check of a product: the value, the limits of that day, and the verdict.

    Attributes
    ----------
    verdict
        ``good``, ``warn``, ``bad``, or ``unknown`` when the metric was not measured.
    """

    __tablename__ = "quality_check"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    metric: Mapped[str] = mapped_column(String(64))
    value: Mapped[float | None] = mapped_column(Float)
    low: Mapped[float | None] = mapped_column(Float)
    high: Mapped[float | None] = mapped_column(Float)
    verdict: Mapped[str] = mapped_column(String(16))

    product: Mapped[Product] = relationship()
