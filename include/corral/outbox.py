"""The outbox: what is to be told, written down before anyone tries to tell it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from models.alert import Alert, AlertStatus, Delivery
from models.session import database_now


def enqueue(
    session: Session,
    *,
    dedup_key: str,
    rule: str,
    subject: str,
    body: str,
    severity: str = "warning",
    partition: str = "",
    channels: Sequence[str] = ("email",),
    context: Mapping[str, Any] | None = None,
) -> int | None:
    """Put a message into the outbox, in the caller's transaction.

    Parameters
    ----------
    session
        A writing session: the message stands or falls with what it tells of.
    dedup_key
        Messages with equal keys are one.
    rule, subject, body, severity, partition, channels, context
        Columns of the Alert row. The text may come from headers: it is made harmless here, so that
        no content can keep the database or the mail server from taking its own alarm.

    Returns
    -------
    int or None
        Its id; None when a message with that key was there already.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(Alert).values(
        dedup_key=_short(dedup_key, 200),
        rule=_short(rule, 100),
        severity=severity,
        partition=partition,
        subject=one_line(subject),
        body=printable(body),
        context=dict(context or {}),
        channels=list(channels),
        status=AlertStatus.PENDING,
        created_at=database_now(session.connection()),
    )
    made: int | None = session.scalar(statement.on_conflict_do_nothing().returning(Alert.id))
    return made


def enqueue_row(session: Session, alert: Alert) -> int | None:
    """Put the message that a step or a rule has made into the outbox, as `enqueue` does."""
    return enqueue(
        session,
        dedup_key=alert.dedup_key,
        rule=alert.rule,
        subject=alert.subject,
        body=alert.body,
        severity=alert.severity or "warning",
        partition=alert.partition or "",
        channels=alert.channels or ("email",),
        context=alert.context,
    )


def record_delivery(
    session: Session,
    alert: Alert,
    channel: str,
    *,
    error: str | None = None,
    seconds: float | None = None,
) -> None:
    """Write down one attempt; the alert is sent when every channel has taken it."""
    delivery = Delivery(
        alert_id=alert.id,
        channel=channel,
        attempted_at=database_now(session.connection()),
        delivered=error is None,
        message=error,
        seconds=seconds,
    )
    session.add(delivery)
    session.flush()
    delivered = {made.channel for made in alert.deliveries if made.delivered}
    delivered |= {channel} if error is None else set()
    if delivered >= set(alert.channels):
        alert.status = AlertStatus.SENT


def one_line(text: str, limit: int = 120) -> str:
    """Give `text` fit for a subject: one line, printable, short. Headers are not to be trusted."""
    return "".join(char if char.isprintable() else " " for char in text)[:limit].strip()


def printable(text: str) -> str:
    """Give `text` with its lines, and without anything else that cannot be printed."""
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


def _short(key: str, limit: int) -> str:
    """Give `key`, or as much of it as fits with a hash of it all: other keys stay others."""
    plain = printable(key)
    if plain == key and len(key) <= limit:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{plain[: limit - 33]} {digest}"
