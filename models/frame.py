"""What came from the camera: contents, where they were seen, and what was refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, canonical_json
from models.columns import SHA256, RelPath
from models.setup import ObservingSetup


class Frame(ObservingSetup, Base):
    """One content, known by its sha256 whatever its names; ``path`` is where it was first seen.

    Attributes
    ----------
    kind
        ``bias``, ``dark``, ``flat``, ``science`` or ``unknown``.
    instrument
        Name of the profile that read its header.
    header
        The header blocks as they were in the file, gzip; loaded only when asked for.
    accepted
        False takes the frame out of every step: vetoed, or superseded by a corrected one.
    """

    __tablename__ = "frame"
    __table_args__ = (Index("ix_frame_night_id_kind", "night_id", "kind"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    pixel_sha256: Mapped[str | None] = mapped_column(SHA256, index=True)
    path: Mapped[str] = mapped_column(RelPath)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    hdu: Mapped[int] = mapped_column(Integer, default=0)
    kind: Mapped[str] = mapped_column(String(16))
    instrument: Mapped[str] = mapped_column(String(64))
    width_px: Mapped[int] = mapped_column(Integer)
    height_px: Mapped[int] = mapped_column(Integer)
    ra_deg: Mapped[float | None] = mapped_column(Float)
    dec_deg: Mapped[float | None] = mapped_column(Float)
    airmass: Mapped[float | None] = mapped_column(Float)
    flags: Mapped[list[Any]] = mapped_column(default=list)
    accepted: Mapped[bool] = mapped_column(Boolean, default=True)
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("frame.id"))
    loaded_at: Mapped[datetime]
    header: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)

    sightings: Mapped[list[Sighting]] = relationship(back_populates="frame")

    def content(self) -> str:
        """Identity of the pixels and of what is believed about them."""
        return canonical_json([self.sha256, self.kind, self.instrument, self.setup()])


class Sighting(Base):
    """A path at which a frame's content was seen, with the file's state at that moment."""

    __tablename__ = "sighting"
    __table_args__ = (UniqueConstraint("path", "frame_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    frame_id: Mapped[int] = mapped_column(ForeignKey("frame.id"), index=True)
    path: Mapped[str] = mapped_column(RelPath)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    inode: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime]

    frame: Mapped[Frame] = relationship(back_populates="sightings")


class Rejection(Base):
    """A file that was refused, and stays where it is.

    Attributes
    ----------
    verdict
        ``WAIT``: may still be arriving; ``QUARANTINE``: bad until the file changes.
    reason
        Stable code of the fault.
    evidence
        A sentence with what was found and what was expected.
    """

    __tablename__ = "rejection"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[str] = mapped_column(RelPath, index=True)
    verdict: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(64))
    evidence: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    rejected_at: Mapped[datetime]
