"""The outbox: what is to be told, written down before anyone tries to tell it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from models.alert import Alert
from models.delivery import Delivery, DeliveryStatus
from models.session import database_now
from models.statements import upsert

SEVERITIES = ("critical", "warning", "info")


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
    topic: str | None = None,
    cool_down_s: float | None = None,
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
    topic
        What it is about; by default nothing else is about the same.
    cool_down_s
        Seconds after a message of the topic in which no other one is taken; the key then only
        names the topic.

    Raises
    ------
    ValueError
        If the severity is not known: nobody could tell in which order it goes out.

    Returns
    -------
    int or None
        Its id; None when a message with that key, or a recent one of the topic, was there already.
    """
    if severity not in SEVERITIES:
        raise ValueError(f"severity {severity!r} is none of {', '.join(SEVERITIES)}")
    now = database_now(session.connection())
    topic = _short(topic or dedup_key, 200)
    key = _short(dedup_key, 200)
    if cool_down_s is not None:
        if _was_told_since(session, topic, now - timedelta(seconds=cool_down_s)):
            return None
        # Two that look at once make the same key, and one of them is refused.
        key = _short(f"{topic} {int(now.timestamp() / max(cool_down_s, 1.0))}", 200)
    made = _insert(
        session,
        dedup_key=key,
        topic=topic,
        rule=_short(rule, 100),
        severity=severity,
        partition=partition,
        subject=one_line(subject),
        body=printable(body),
        context=dict(context or {}),
        channels=list(channels),
        cool_down_s=cool_down_s,
        created_at=now,
    )
    if made is not None:
        _address(session, made, channels, SEVERITIES.index(severity))
    return made


def _insert(session: Session, **values: Any) -> int | None:
    """Add the row, unless its key is there; give its id."""
    statement = upsert(session, Alert).values(**values).on_conflict_do_nothing()
    made: int | None = session.scalar(statement.returning(Alert.id))
    return made


def _address(session: Session, alert_id: int, channels: Sequence[str], urgency: int) -> None:
    rows = [
        {"alert_id": alert_id, "channel": name, "urgency": urgency, "refusals": 0}
        for name in dict.fromkeys(channels)
    ]
    if rows:
        session.execute(insert(Delivery).values(status=DeliveryStatus.PENDING), rows)


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
        topic=alert.topic,
        cool_down_s=alert.cool_down_s,
    )


def _was_told_since(session: Session, topic: str, moment: datetime) -> bool:
    recent = select(Alert.id).where(Alert.topic == topic, Alert.created_at > moment).limit(1)
    return session.scalar(recent) is not None


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
