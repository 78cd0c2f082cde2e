"""Who is to be told what: one row for each message of the outbox."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Float, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base
from models.delivery import Delivery


class Alert(Base):
    """A message in the outbox: one row per ``dedup_key``, however often its cause is seen.

    It is written in the same transaction as what it tells of, so neither is ever there alone; so
    are its deliveries, one for each channel.

    Attributes
    ----------
    topic
        What it is about: messages of one topic tell of the same thing at different times.
    cool_down_s
        For how long nothing else is said of the topic; None where the key alone decides.
    channels
        Who was to be told.
    """

    __tablename__ = "alert"
    __table_args__ = (Index("ix_alert_topic_created_at", "topic", "created_at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    dedup_key: Mapped[str] = mapped_column(String(200), unique=True)
    topic: Mapped[str] = mapped_column(String(200))
    rule: Mapped[str] = mapped_column(String(100))
    severity: Mapped[str] = mapped_column(String(16), default="warning")
    partition: Mapped[str] = mapped_column(String(64), default="")
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    context: Mapped[dict[str, Any]] = mapped_column(default=dict)
    channels: Mapped[list[Any]] = mapped_column(default=list)
    cool_down_s: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[datetime]

    deliveries: Mapped[list[Delivery]] = relationship(back_populates="alert")

    @property
    def message_id(self) -> str:
        """The same for every attempt, so that a mail program shows a repeated one once."""
        text = f"{self.created_at.isoformat()} {self.dedup_key}"
        return f"<{hashlib.sha256(text.encode()).hexdigest()[:32]}@corral>"
