"""What headers say wrongly, and what is believed instead; the files stay as they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base
from models.columns import SHA256, Json
from models.frame import Frame


class CorrectionList(Base):
    """The site's list of corrections as it stood when it was read; the newest one counts.

    Attributes
    ----------
    text
        The whole file.
    """

    __tablename__ = "correction_list"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    sha256: Mapped[str] = mapped_column(SHA256)
    text: Mapped[str] = mapped_column(Text)
    read_at: Mapped[datetime]


class Correction(Base):
    """One value of one frame that is believed against its header.

    Attributes
    ----------
    field
        Column of the frame: ``filter``, ``observed_at``, …
    old
        What the header says.
    new
        What is believed; times in ISO 8601.
    withdrawn_at
        When it was no longer in the list, or was there with another value.
    """

    __tablename__ = "correction"
    __table_args__ = (
        Index(
            "uq_correction_standing",
            "frame_id",
            "field",
            unique=True,
            sqlite_where=sql("withdrawn_at IS NULL"),
            postgresql_where=sql("withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    frame_id: Mapped[int] = mapped_column(ForeignKey("frame.id"), index=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("correction_list.id"))
    field: Mapped[str] = mapped_column(String(64))
    old: Mapped[Any] = mapped_column(Json, nullable=True)
    new: Mapped[Any] = mapped_column(Json, nullable=True)
    reason: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(200))
    applied_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]

    frame: Mapped[Frame] = relationship()
