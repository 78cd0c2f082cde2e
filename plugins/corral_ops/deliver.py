"""Mailing what waits in the outbox: what nobody has tried to tell, or could not."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from include.corral.corral import Corral
    from models.alert import Alert

log = logging.getLogger(__name__)

CHANNEL = "email"
# In one sweep: a night's backlog goes out in some, and no sweep takes long.
AT_MOST = 20
# After so many in a row that did not go out the server is left in peace.
FAILURES = 2
# Those who write these mail them at once: only when that has failed are they ours.
PROMPT_RULES = ("task_failed", "units_failed")
PROMPT = timedelta(minutes=5)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=10), timedelta(hours=6)


def deliver_pending(corral: Corral, *, at_most: int = AT_MOST) -> int:
    """Mail pending alerts, the oldest first, and give how many went out.

    A mail server that is down is no failure of the caller: every attempt is on record, the pauses
    between them double, and what is not taken stays. If the process dies after the server took a
    message and before that is on record, it is sent again with the same Message-ID.

    :param corral: whose outbox is emptied.
    :param at_most: how many are tried.
    """
    from corral_ops.mail import recipients

    to = recipients(corral.settings.pipeline)
    with corral.read() as session:
        due = _due(session)
    if due and not to:
        log.warning("%d alert(s) wait, and there is nobody to tell: set CORRAL_ALERT_TO", len(due))
        return 0
    sent = failures = 0
    for alert in due[:at_most]:
        if _deliver(corral, alert, to):
            sent, failures = sent + 1, 0
        else:
            failures += 1
        if failures == FAILURES:
            break
    return sent


def _due(session: Session) -> list[Alert]:
    """Alerts that this channel has not taken, and whose pause is over."""
    from sqlalchemy import exists, func, select
    from sqlalchemy.orm import aliased

    from models.alert import Alert, AlertStatus, Delivery
    from models.session import database_now

    now = database_now(session.connection())
    attempts = (Delivery.alert_id == Alert.id) & (Delivery.channel == CHANNEL)
    done = aliased(Delivery)
    is_taken = exists().where(done.alert_id == Alert.id, done.channel == CHANNEL, done.delivered)
    query = (
        select(Alert, func.count(Delivery.id), func.max(Delivery.attempted_at))
        .outerjoin(Delivery, attempts)
        .where(Alert.status == AlertStatus.PENDING, ~is_taken)
        .group_by(Alert.id)
        .order_by(Alert.created_at, Alert.id)
    )
    return [
        alert
        for alert, tried, last in session.execute(query)
        if CHANNEL in alert.channels and _is_due(alert, tried, last, now)
    ]


def _is_due(alert: Alert, tried: int, last: datetime | None, now: datetime) -> bool:
    if alert.rule in PROMPT_RULES and now - alert.created_at < PROMPT:
        return False
    if last is None:
        return True
    pause: timedelta = min(FIRST_PAUSE * 2 ** min(tried - 1, 10), LONGEST_PAUSE)
    return now - last >= pause


def _deliver(corral: Corral, alert: Alert, to: list[str]) -> bool:
    from include.corral.outbox import record_delivery
    from models.alert import Alert as Row

    started = time.monotonic()
    error = _mail(alert, to)
    with corral.write() as session:
        row = session.get_one(Row, alert.id)
        seconds = round(time.monotonic() - started, 3)
        record_delivery(session, row, CHANNEL, error=error, seconds=seconds)
    return error is None


def _mail(alert: Alert, to: list[str]) -> str | None:
    from corral_ops.mail import send
    from models.session import first_line

    try:
        send(to=to, subject=alert.subject, body=alert.body, message_id=alert.message_id)
    except Exception as error:  # noqa: BLE001  servers, names, sockets: all mean "not now"
        reason = f"{type(error).__name__}: {first_line(error)}"
        log.warning("alert %d is not mailed, it stays in the outbox: %s", alert.id, reason)
        return reason
    log.info("mailed to %d address(es): %s", len(to), alert.subject)
    return None
