"""What a frame and a product have in common: the night and how the camera was set."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Float, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column, relationship

from models.site import Night

SETUP_COLUMNS = (
    "night_id",
    "camera",
    "binning",
    "readout",
    "filter",
    "exptime_s",
    "temperature_c",
    "observed_at",
    "object",
)


class ObservingSetup:
    """Columns that association matches on, and the night as partition.

    A model of your own has other partitions, or none: it is partitioned when it has
    ``partition_column``, ``partition_key``, ``in_partition`` and ``partitions`` as here.

    Attributes
    ----------
    binning
        Pixels summed on the chip, ``"2x2"`` (x, y).
    exptime_s
        Exposure time in seconds.
    temperature_c
        Temperature of the detector in degrees Celsius; None when the camera does not tell.
    observed_at
        Start of the exposure; of a product of many frames, the middle of their starts.
    """

    partition_column: ClassVar[str] = "night_id"

    night_id: Mapped[int] = mapped_column(ForeignKey("night.id"))
    camera: Mapped[str] = mapped_column(String(100))
    binning: Mapped[str] = mapped_column(String(16))
    readout: Mapped[str | None] = mapped_column(String(100))
    filter: Mapped[str | None] = mapped_column(String(64))
    exptime_s: Mapped[float | None] = mapped_column(Float)
    temperature_c: Mapped[float | None] = mapped_column(Float)
    observed_at: Mapped[datetime]
    object: Mapped[str | None] = mapped_column(String(200))

    @declared_attr
    @classmethod
    def night(cls) -> Mapped[Night]:
        """The night this belongs to."""
        return relationship(Night, lazy="joined", innerjoin=True)

    @property
    def partition_key(self) -> str:
        """The night as Airflow names it."""
        return self.night.partition_key

    @classmethod
    def in_partition(cls, key: str) -> ColumnElement[bool]:
        """Condition that holds for the rows of night `key` (``YYYY-MM-DD``)."""
        nights = select(Night.id).where(Night.date == date.fromisoformat(key))
        return cls.night_id.in_(nights)

    @classmethod
    def partitions(cls, session: Session) -> set[str]:
        """Give the keys of all partitions there are."""
        return {day.isoformat() for day in session.scalars(select(Night.date).distinct())}

    def setup(self) -> dict[str, Any]:
        """Give the columns above by name, as a product made from this takes them over."""
        return {name: getattr(self, name) for name in SETUP_COLUMNS}

    def setup_content(self) -> dict[str, Any]:
        """Give the same as a fingerprint takes it: the night by its date, as in any database."""
        return {**self.setup(), "night_id": self.night.date if self.night else None}
