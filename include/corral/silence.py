"""Somebody knows already: what need not be told, by whom this was said, and until when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session

from include.corral.errors import ConfigurationError
from include.corral.parcel import HOPEFUL
from models.alert import Alert
from models.delivery import Delivery, DeliveryAttempt, DeliveryStatus, Silence
from models.session import database_now


def silence(
    session: Session,
    *,
    reason: str,
    author: str,
    rule: str = "",
    topic: str = "",
    partition: str = "",
    until: datetime | None = None,
) -> Silence:
    """Keep quiet about what a rule says, or about a topic, from now on.

    Parameters
    ----------
    session
        A writing session.
    reason, author
        Why, and who says so.
    rule, topic, partition
        What is not told of; an empty one is any, but not all three.
    until
        From then on it is told of again; by default never.

    Raises
    ------
    ConfigurationError
        If nothing is named, or there is no reason.
    """
    if not (rule or topic or partition):
        raise ConfigurationError("name a rule, a topic or a night: not everything can be silenced")
    if not reason.strip() or not author.strip():
        raise ConfigurationError("a silence needs a reason, and somebody who says so")
    now = database_now(session.connection())
    row = Silence(
        rule=rule,
        topic=topic,
        partition=partition,
        reason=reason,
        author=author,
        created_at=now,
        until=until,
    )
    session.add(row)
    return row


def acknowledge(
    session: Session, alert_id: int, *, reason: str, author: str, until: datetime | None = None
) -> Silence:
    """Say that somebody knows of an alert: it goes nowhere else, nor does another of its topic.

    Raises
    ------
    ConfigurationError
        If there is no such alert, or no reason.
    """
    alert = session.get(Alert, alert_id)
    if alert is None:
        raise ConfigurationError(f"there is no alert {alert_id}; `corral alerts` lists them")
    return silence(session, topic=alert.topic, reason=reason, author=author, until=until)


def apply_silences(session: Session) -> int:
    """Take what need not be told off the postman's list, and give how many deliveries that is.

    What may have arrived already is sent to its end.
    """
    if session.scalar(select(Silence.id).limit(1)) is None:
        return 0
    now = database_now(session.connection())
    covers = (
        or_(Silence.topic == "", Silence.topic == Alert.topic),
        or_(Silence.rule == "", Silence.rule == Alert.rule),
        or_(Silence.partition == "", Silence.partition == Alert.partition),
        or_(Silence.until.is_(None), Silence.until > now),
    )
    last = select(DeliveryAttempt.id).where(
        DeliveryAttempt.id == Delivery.attempt_id, DeliveryAttempt.outcome.not_in(HOPEFUL)
    )
    statement = (
        update(Delivery)
        .where(
            Delivery.is_pending(),
            ~last.exists(),
            exists().where(Alert.id == Delivery.alert_id, *covers),
        )
        .values(status=DeliveryStatus.SILENCED)
        .execution_options(synchronize_session=False)
        .returning(Delivery.id)
    )
    return len(session.execute(statement).all())
