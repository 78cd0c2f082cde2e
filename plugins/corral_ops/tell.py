"""Telling people: into the outbox first, then over the channels."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.corral.corral import Corral
    from include.corral.deliver import Delivered
    from include.corral.report import Report

log = logging.getLogger(__name__)

AT_ONCE = 3


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
    """Write a message into the outbox, unless it is there, and send what is due; True when new.

    If the process dies inside, the message is in the outbox or was never begun. What cannot be
    sent stays there as pending, with the reason. Where the database itself is the trouble, the
    message is mailed without it.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from include.corral.outbox import enqueue
    from models.session import DatabaseError, first_line

    try:
        with corral.write() as session:
            made = enqueue(
                session,
                dedup_key=message.key,
                rule=message.rule,
                subject=message.subject,
                body=message.body,
                severity=message.severity,
                partition=message.partition,
                context=message.context,
            )
    except (SQLAlchemyError, DatabaseError) as error:
        log.warning("outbox out of reach (%s): mailing without it", first_line(error))
        _mail_at_once(corral, message)
        return True
    if made is None:
        log.info("told before: %s", message.subject)
        return False
    # The failure's own task must end soon; the DAG of alerts sends what is left.
    log.info("%s", send_due(corral, at_most=AT_ONCE).summary())
    return True


def send_due(corral: Corral, *, at_most: int | None = None) -> Delivered:
    """Send what is due on every channel of the installation.

    :param corral: whose outbox is emptied.
    :param at_most: messages for each channel; None sends all.
    """
    from corral_ops.mail import EmailChannel
    from include.corral.channel import channels_of
    from include.corral.channels import KINDS
    from include.corral.deliver import deliver

    channels = channels_of(corral.settings, {**KINDS, EmailChannel.kind: EmailChannel})
    return deliver(corral, channels, at_most=at_most)


def _mail_at_once(corral: Corral, message: Message) -> None:
    """Mail what the outbox cannot take; the key makes the Message-ID, as nothing else is known."""
    from corral_ops.mail import EmailChannel
    from include.corral.message import Message as Parcel
    from models.alert import Alert

    alert = Alert(
        dedup_key=message.key,
        rule=message.rule,
        severity=message.severity,
        subject=message.subject,
        body=message.body,
        created_at=datetime.now(UTC),
    )
    try:
        EmailChannel(to=corral.settings.pipeline.get("alert_to", "")).send(Parcel([alert]))
    except Exception:
        log.exception("not mailed, and not in the outbox: %s", message.subject)


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
