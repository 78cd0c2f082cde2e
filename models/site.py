"""Where the sky was observed from, with what, and for which campaign."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base


class Observatory(Base):
    """A site on Earth; latitude and longitude in degrees, north and east positive."""

    __tablename__ = "observatory"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)
    description: Mapped[str | None] = mapped_column(Text)

    campaigns: Mapped[list[Campaign]] = relationship(back_populates="observatory")

    def __repr__(self) -> str:
        return self.name


class CCD(Base):
    """A camera; its sizes in pixels."""

    __tablename__ = "ccd"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    brand: Mapped[str | None] = mapped_column(String(100))
    model: Mapped[str | None] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(Text)
    xpixsize: Mapped[int | None] = mapped_column(Integer)
    ypixsize: Mapped[int | None] = mapped_column(Integer)

    campaigns: Mapped[list[Campaign]] = relationship(back_populates="ccd")

    def __repr__(self) -> str:
        return self.name


class Campaign(Base):
    """A survey with one camera at one site."""

    __tablename__ = "campaign"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    observatory_id: Mapped[int] = mapped_column(ForeignKey("observatory.id"))
    ccd_id: Mapped[int] = mapped_column(ForeignKey("ccd.id"))

    observatory: Mapped[Observatory] = relationship(back_populates="campaigns")
    ccd: Mapped[CCD] = relationship(back_populates="campaigns")
    nights: Mapped[list[Night]] = relationship(back_populates="campaign")

    def __repr__(self) -> str:
        return self.name


class Night(Base):
    """A night of a campaign, named by the local date of its evening: noon to noon at the site."""

    __tablename__ = "night"
    __table_args__ = (UniqueConstraint("campaign_id", "date"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    date: Mapped[dt.date] = mapped_column(index=True)

    campaign: Mapped[Campaign] = relationship(back_populates="nights")

    @property
    def partition_key(self) -> str:
        """The night as Airflow names it: ``YYYY-MM-DD``."""
        return self.date.isoformat()

    def __repr__(self) -> str:
        return self.partition_key
