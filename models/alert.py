"""Who is to be told what, and every attempt to tell them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base


class AlertStatus(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    """At least one channel has not taken it yet."""
    SENT = "sent"
    """Every channel has taken it."""
    GIVEN_UP = "given_up"
    """A channel refused it for good; the deliveries say why."""


class Alert(Base):
    """A message in the outbox: one row per ``dedup_key``, however often its cause is seen.

    It is written in the same transaction as what it tells of, so neither is ever there alone.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "ix_alert_pending",
            "created_at",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    dedup_key: Mapped[str] = mapped_column(String(200), unique=True)
    rule: Mapped[str] = mapped_column(String(100))
    severity: Mapped[str] = mapped_column(String(16), default="warning")
    partition: Mapped[str] = mapped_column(String(64), default="")
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    context: Mapped[dict[str, Any]] = mapped_column(default=dict)
    channels: Mapped[list[Any]] = mapped_column(default=list)
    status: Mapped[str] = mapped_column(String(16), default=AlertStatus.PENDING)
    created_at: Mapped[datetime]

    deliveries: Mapped[list[Delivery]] = relationship(back_populates="alert")

    @property
    def message_id(self) -> str:
        """The same for every attempt, so that a mail program shows a repeated one once."""
        return f"<alert-{self.id}@corral>"


class Delivery(Base):
    """One attempt to hand an alert to a channel."""

    __tablename__ = "delivery"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"), index=True)
    channel: Mapped[str] = mapped_column(String(100))
    attempted_at: Mapped[datetime]
    delivered: Mapped[bool]
    message: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float | None] = mapped_column(Float)

    alert: Mapped[Alert] = relationship(back_populates="deliveries")
