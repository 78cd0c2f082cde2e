"""The outbox: what is to be told, written down before anyone tries to tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from include.corral.alert import one_line
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
        Columns of the Alert row.

    Returns
    -------
    int or None
        Its id; None when a message with that key was there already.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(Alert).values(
        dedup_key=dedup_key[:200],
        rule=rule,
        severity=severity,
        partition=partition,
        subject=one_line(subject),
        body=body,
        context=dict(context or {}),
        channels=list(channels),
        status=AlertStatus.PENDING,
        created_at=database_now(session.connection()),
    )
    made: int | None = session.scalar(statement.on_conflict_do_nothing().returning(Alert.id))
    return made


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
