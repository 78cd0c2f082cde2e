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
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, canonical_json
from models.columns import SHA256, RelPath
from models.setup import ObservingSetup
from models.site import Night


class Frame(ObservingSetup, Base):
    """One content, known by its sha256 whatever its names, and what is believed of it.

    What is believed follows from what was read, where it was seen and what was corrected; in which
    order files came has no influence.

    Attributes
    ----------
    pixel_sha256
        Of the pixels alone: equal for one exposure under two headers, or compressed.
    path
        Where its content is; the first in the order of names where it is in several places.
    kind
        ``bias``, ``dark``, ``flat``, ``science`` or ``unknown``.
    instrument
        Name of the profile that read its header.
    read_by
        Digest of what that profile said of headers then.
    accepted
        False takes the frame out of every step.
    set_aside
        Why it is not accepted: ``vetoed`` by a correction, ``superseded`` as its file holds
        something else now, ``same_pixels`` as another frame holds the same exposure.
    superseded_by_id
        What its file holds now.
    same_pixels_as_id
        The frame that is used in its place.
    header
        The header blocks as they were in the file, gzip; loaded only when asked for.
    """

    __tablename__ = "frame"
    __table_args__ = (
        Index("ix_frame_night_id_kind", "night_id", "kind"),
        Index("ix_frame_instrument_read_by", "instrument", "read_by"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    pixel_sha256: Mapped[str | None] = mapped_column(SHA256, index=True)
    path: Mapped[str] = mapped_column(RelPath)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    hdu: Mapped[int] = mapped_column(Integer, default=0)
    kind: Mapped[str] = mapped_column(String(16))
    instrument: Mapped[str] = mapped_column(String(64))
    read_by: Mapped[str] = mapped_column(SHA256, default="")
    width_px: Mapped[int] = mapped_column(Integer)
    height_px: Mapped[int] = mapped_column(Integer)
    ra_deg: Mapped[float | None] = mapped_column(Float)
    dec_deg: Mapped[float | None] = mapped_column(Float)
    airmass: Mapped[float | None] = mapped_column(Float)
    flags: Mapped[list[Any]] = mapped_column(default=list)
    accepted: Mapped[bool] = mapped_column(Boolean, default=True)
    set_aside: Mapped[str | None] = mapped_column(String(16))
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("frame.id"))
    same_pixels_as_id: Mapped[int | None] = mapped_column(ForeignKey("frame.id"))
    loaded_at: Mapped[datetime]
    header: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)

    sightings: Mapped[list[Sighting]] = relationship(back_populates="frame")

    @property
    def label(self) -> str:
        """Name for what is made of it: the same whatever its files are called."""
        return f"{self.kind}-{self.observed_at:%Y%m%dT%H%M%S}-{self.sha256[:8]}"

    def content(self) -> str:
        """Identity of the pixels and of what is believed about them: the same in any database."""
        return canonical_json([self.sha256, self.kind, self.instrument, self.setup_content()])


class Sighting(Base):
    """A path was found to hold a frame's content; the file's state at that moment.

    Attributes
    ----------
    current
        True until the path is found to hold something else, or its file to have been touched.
    """

    __tablename__ = "sighting"
    __table_args__ = (
        Index(
            "uq_sighting_current_path",
            "path",
            unique=True,
            sqlite_where=text("current = 1"),
            postgresql_where=text("current"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    frame_id: Mapped[int] = mapped_column(ForeignKey("frame.id"), index=True)
    path: Mapped[str] = mapped_column(RelPath, index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    inode: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime]
    current: Mapped[bool] = mapped_column(Boolean, default=True)

    frame: Mapped[Frame] = relationship(back_populates="sightings")


class Rejection(Base):
    """A file that was refused, and stays where it is.

    Attributes
    ----------
    verdict
        ``WAIT``: may still be arriving; ``QUARANTINE``: bad until the file changes; ``GONE``: no
        longer there.
    reason
        Stable code of the fault.
    evidence
        A sentence with what was found and what was expected.
    night_id
        The night of the frame that it would have been, where its header tells.
    stamp
        State of the file at that moment; another one makes it be looked at again.
    read_by
        Digest of the profile that could not read it; another one makes it be looked at again.
    again_at
        From when on the same file may be judged otherwise: it is looked at again then. None: never.
    resolved_at
        When the file was found to be good, to be refused for something else, or to be gone.
    """

    __tablename__ = "rejection"
    __table_args__ = (
        Index(
            "uq_rejection_open_path",
            "path",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[str] = mapped_column(RelPath, index=True)
    verdict: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(64))
    evidence: Mapped[str] = mapped_column(Text)
    night_id: Mapped[int | None] = mapped_column(ForeignKey("night.id"), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    stamp: Mapped[str] = mapped_column(String(120))
    read_by: Mapped[str] = mapped_column(SHA256)
    rejected_at: Mapped[datetime]
    again_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]

    night: Mapped[Night | None] = relationship()
