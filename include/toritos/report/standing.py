"""What is not done, and who was told of what."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, selectinload

from include.corral.outbox import SEVERITIES
from include.toritos.report.facts import Standing, Told
from include.toritos.report.words import short
from models.alert import Alert
from models.delivery import Delivery, DeliveryStatus
from models.work import Unit, UnitRun, UnitStatus

UNDONE = (UnitStatus.OPEN, UnitStatus.CLAIMED, UnitStatus.FAILED)
ALERTS = 200


def find_standing(session: Session, first: date, last: date) -> tuple[Standing, ...]:
    """Give what is open, held or failed in the nights, by step and reason; the most first."""
    units = select(Unit.id, Unit.step, Unit.status).where(
        Unit.partition.between(first.isoformat(), last.isoformat()),
        or_(*(Unit.is_(status) for status in UNDONE)),
    )
    reasons = _reasons(session, first, last)
    counts: Counter[tuple[str, str, str, str]] = Counter()
    examples: dict[str, str] = {}
    for unit_id, step, status in session.execute(units):
        is_failed = status == UnitStatus.FAILED
        failure_class, message = reasons.get(unit_id, ("", "")) if is_failed else ("", "")
        # Messages that differ in numbers alone (of a frame, for example) tell of one thing.
        kind = re.sub(r"\d+", "0", message)
        examples.setdefault(kind, message)
        counts[step, status, failure_class, kind] += 1
    return tuple(
        Standing(step, status, failure_class, examples[kind], number)
        for (step, status, failure_class, kind), number in counts.most_common()
    )


def _reasons(session: Session, first: date, last: date) -> dict[int, tuple[str, str]]:
    """Class and message of the attempt by which each unit that stands as failed has failed."""
    newest = (
        select(func.max(UnitRun.id))
        .join(Unit)
        .where(
            Unit.partition.between(first.isoformat(), last.isoformat()),
            Unit.is_(UnitStatus.FAILED),
            UnitRun.failure_class.is_not(None),
        )
        .group_by(UnitRun.unit_id)
    )
    columns = (UnitRun.unit_id, UnitRun.failure_class, UnitRun.message)
    return {
        unit_id: (failure_class or "", short(message, 200))
        for unit_id, failure_class, message in session.execute(
            select(*columns).where(UnitRun.id.in_(newest))
        )
    }


def find_alerts(
    session: Session, first: date, last: date, begins: datetime, ends: datetime
) -> tuple[Told, ...]:
    """Give the alerts about the nights, and those about none that came up meanwhile.

    Those that a channel has not taken go first, then by severity and time.
    """
    meanwhile = and_(Alert.partition == "", Alert.created_at.between(begins, ends))
    mine = Alert.partition.between(first.isoformat(), last.isoformat())
    query = (
        select(Alert)
        .where(or_(mine, meanwhile))
        .order_by(Alert.id.desc())
        .limit(ALERTS)
        .options(selectinload(Alert.deliveries))
    )
    told = [_told(row) for row in session.scalars(query)]
    told.sort(key=lambda row: (not row.is_stuck, SEVERITIES.index(row.severity)))
    return tuple(told)


def _told(row: Any) -> Told:
    return Told(
        at=row.created_at,
        severity=row.severity,
        rule=short(row.rule, 40),
        subject=short(row.subject, 120),
        deliveries=tuple(f"{short(each.channel, 30)}: {each.status}" for each in row.deliveries),
        is_stuck=any(_is_stuck(each) for each in row.deliveries),
    )


def _is_stuck(delivery: Delivery) -> bool:
    was_tried = delivery.attempt_id is not None
    is_pending = delivery.status == DeliveryStatus.PENDING
    return delivery.status == DeliveryStatus.GIVEN_UP or (is_pending and was_tried)
