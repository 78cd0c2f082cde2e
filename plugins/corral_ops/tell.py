"""Telling people: into the outbox first, then by mail."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.corral.corral import Corral
    from include.corral.report import Report

log = logging.getLogger(__name__)

CHANNEL = "email"
NO_RECIPIENT = (
    "nobody to tell: set CORRAL_ALERT_TO, or `alert_to` in the connection, to the addresses"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is told; two with one `key` are told as one."""

    key: str
    rule: str
    subject: str
    """One printable line."""
    body: str
    severity: str = "critical"
    partition: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


def tell(corral: Corral, message: Message) -> bool:
    """Write a message into the outbox, unless it is there, and mail it; True when it was mailed.

    If the process dies inside, the message is in the outbox or was never begun. What cannot be
    mailed stays there as pending, with the reason. Where the database itself is the trouble, the
    message is mailed without it.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from include.corral.outbox import enqueue
    from models.session import DatabaseError, first_line

    try:
        with corral.write() as session:
            alert_id = enqueue(
                session,
                dedup_key=message.key,
                rule=message.rule,
                subject=message.subject,
                body=message.body,
                severity=message.severity,
                partition=message.partition,
                channels=(CHANNEL,),
                context=message.context,
            )
    except (SQLAlchemyError, DatabaseError) as error:
        log.warning("outbox out of reach (%s): mailing without it", first_line(error))
        return _mail(corral, message, f"<{message.key}@corral>") is None
    if alert_id is None:
        log.info("told before: %s", message.subject)
        return False
    return _deliver(corral, message, alert_id)


def _deliver(corral: Corral, message: Message, alert_id: int) -> bool:
    from include.corral.outbox import record_delivery
    from models.alert import Alert

    with corral.read() as session:
        message_id = session.get_one(Alert, alert_id).message_id
    started = time.monotonic()
    error = _mail(corral, message, message_id)
    with corral.write() as session:
        alert = session.get_one(Alert, alert_id)
        seconds = round(time.monotonic() - started, 3)
        record_delivery(session, alert, CHANNEL, error=error, seconds=seconds)
    return error is None


def _mail(corral: Corral, message: Message, message_id: str) -> str | None:
    """Mail it; give the reason where it did not go out."""
    from corral_ops.mail import recipients, send
    from models.session import first_line

    to = recipients(corral.settings.pipeline)
    if not to:
        log.warning(NO_RECIPIENT)
        return NO_RECIPIENT
    try:
        send(to=to, subject=message.subject, body=message.body, message_id=message_id)
    except Exception as error:  # noqa: BLE001  servers, names, sockets: all mean "not now"
        reason = f"{type(error).__name__}: {first_line(error)}"
        log.warning("not mailed, it stays in the outbox: %s", reason)
        return reason
    log.info("mailed to %d address(es): %s", len(to), message.subject)
    return None


def tell_failures(corral: Corral, report: Report) -> None:
    """Tell of a report's failed units, once for the same units and reasons."""
    from include.corral.alert import one_line

    failures = sorted((*report.failures, *report.standing), key=lambda failure: failure.unit_key)
    if not failures:
        return
    named = [f"{failure.unit_key} {failure.failure_class}" for failure in failures]
    tell(
        corral,
        Message(
            key=dedup_key("units", report.step, *named),
            rule="units_failed",
            subject=one_line(f"[corral] {report.step}: {len(failures)} unit(s) failed"),
            body=report.failure_message(limit=20),
            severity="warning",
            partition=report.partition or "",
        ),
    )


def dedup_key(*parts: object) -> str:
    """Give a short key that differs where any part does; names of runs alone can be long."""
    text = "\0".join(str(part) for part in parts)
    return f"{parts[0]}-{hashlib.sha256(text.encode()).hexdigest()[:40]}"
