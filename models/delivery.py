"""How far a message has come on each of its channels, and every attempt to get it there."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import (
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    literal,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base

if TYPE_CHECKING:
    from models.alert import Alert


class DeliveryStatus(StrEnum):
    """Where a message stands on one channel."""

    PENDING = "pending"
    """It has to go there: it was not tried, or not taken, or nobody knows whether it was taken."""
    SENT = "sent"
    """The channel has taken it."""
    GIVEN_UP = "given_up"
    """The channel refused it again and again; the attempts say why."""
    SILENCED = "silenced"
    """Somebody has said that it need not go there; a `Silence` says who, and why."""


class AttemptOutcome(StrEnum):
    """What became of an attempt."""

    SENDING = "sending"
    """It is going on, or its process has died."""
    DELIVERED = "delivered"
    """The channel has taken the message."""
    NOT_NOW = "not_now"
    """The channel was out of reach: it certainly has not taken the message."""
    UNKNOWN = "unknown"
    """It broke off when the channel may have had the message: the same one is sent again."""
    REFUSED = "refused"
    """The channel does not want this message."""


class Delivery(Base):
    """A message on its way to one channel.

    Attributes
    ----------
    urgency
        By severity: what is smaller goes first.
    attempt_id
        The last attempt; messages that went together have the same one.
    refusals
        How often the channel did not want it.
    not_before
        Of the next attempt, by the database's clock.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("alert_id", "channel"),
        Index(
            "ix_delivery_pending",
            "channel",
            "urgency",
            "id",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "ix_delivery_tried",
            "channel",
            "attempt_id",
            sqlite_where=text("status = 'pending' AND attempt_id IS NOT NULL"),
            postgresql_where=text("status = 'pending' AND attempt_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"))
    channel: Mapped[str] = mapped_column(String(100))
    urgency: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(16), default=DeliveryStatus.PENDING)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("delivery_attempt.id"), index=True)
    refusals: Mapped[int] = mapped_column(Integer, default=0)
    not_before: Mapped[datetime | None]

    alert: Mapped[Alert] = relationship(back_populates="deliveries")
    attempt: Mapped[DeliveryAttempt | None] = relationship()

    @classmethod
    def is_pending(cls) -> ColumnElement[bool]:
        """Condition, in the words of the index."""
        return cls.status == literal(DeliveryStatus.PENDING.value, literal_execute=True)


class DeliveryAttempt(Base):
    """One attempt to hand one message, or several as one digest, to a channel."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (
        Index("ix_delivery_attempt_channel_begun_at", "channel", "begun_at"),
        Index(
            "ix_delivery_attempt_sending",
            "channel",
            sqlite_where=text("outcome = 'sending'"),
            postgresql_where=text("outcome = 'sending'"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    channel: Mapped[str] = mapped_column(String(100))
    message_id: Mapped[str] = mapped_column(String(100), index=True)
    alerts: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(String(16), default=AttemptOutcome.SENDING)
    detail: Mapped[str | None] = mapped_column(Text)
    begun_at: Mapped[datetime]
    seconds: Mapped[float | None] = mapped_column(Float)

    @classmethod
    def is_sending(cls) -> ColumnElement[bool]:
        """Condition, in the words of the index."""
        return cls.outcome == literal(AttemptOutcome.SENDING.value, literal_execute=True)


class ChannelState(Base):
    """How a channel behaves: one row, which is locked by whoever sends through it.

    Attributes
    ----------
    failures
        In a row.
    paused_until
        Nothing is tried before that moment.
    """

    __tablename__ = "channel_state"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    paused_until: Mapped[datetime | None]


class Silence(Base):
    """Somebody knows, and does not want to be told: of a topic, or of all that a rule says.

    Attributes
    ----------
    topic, rule, partition
        What is not told of; an empty one is any.
    until
        From then on messages go out again; None never.
    """

    __tablename__ = "silence"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    topic: Mapped[str] = mapped_column(String(200), default="")
    rule: Mapped[str] = mapped_column(String(100), default="")
    partition: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]
    until: Mapped[datetime | None]
