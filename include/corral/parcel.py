"""Which messages go out next through a channel, and what becomes of them afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from include.corral.message import Message
from models.alert import Alert
from models.delivery import (
    AttemptOutcome,
    ChannelState,
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
)
from models.session import database_now
from models.statements import upsert
from models.work import Due

# An attempt that is not settled for so long has lost its process; no channel takes so long.
SENDING = timedelta(minutes=5)
DIGEST_AT_MOST = 500
# Once the hour's messages are used up: urgent things go out in digests sooner.
DIGEST_PAUSE = {True: timedelta(minutes=1), False: timedelta(minutes=10)}
FIRST_PAUSE = timedelta(seconds=10)
# A link that comes back is noticed within that.
LONGEST_PAUSE = timedelta(seconds=80)
# What may have arrived is not repeated every minute.
LONGEST_UNKNOWN_PAUSE = timedelta(hours=1)
FIRST_REFUSAL_PAUSE, LONGEST_REFUSAL_PAUSE = timedelta(minutes=1), timedelta(hours=6)
REFUSALS = 8
CRITICAL = 0

HOPEFUL = (AttemptOutcome.NOT_NOW, AttemptOutcome.REFUSED)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Messages that go out together, in an attempt that is on record."""

    attempt_id: int
    channel: str
    message: Message = field(repr=False)
    alert_ids: Sequence[int]


def next_parcel(session: Session, channel: str, messages_per_hour: int) -> Parcel | None:
    """Begin an attempt at what is due, or give None where nothing is.

    What may have arrived goes first, as the message that it was. Otherwise alerts go out one by
    one, and as a digest where they are more than may go out in the hour.

    Parameters
    ----------
    session
        A writing session; when it is committed, the attempt is on record.
    channel
        Its name.
    messages_per_hour
        Above which there are digests.
    """
    now = database_now(session.connection())
    state = _lock(session, channel)
    if state.paused_until is not None and state.paused_until > now:
        return None
    if _is_being_sent(session, channel, now):
        return None
    due = _uncertain(session, channel) or _fresh(session, channel, now, messages_per_hour)
    return _begin(session, channel, due, now) if due else None


def is_due(session: Session, rules: Sequence[str] = ()) -> bool:
    """Tell whether a channel could be asked to take something now, or a rule has not looked.

    Parameters
    ----------
    session
        For reading.
    rules
        Names of alert rules: rows of theirs may have changed.
    """
    unseen = select(Due.id).where(Due.step.in_(rules)).limit(1)
    if rules and session.scalar(unseen) is not None:
        return True
    now = database_now(session.connection())
    query = (
        select(Delivery.id)
        .outerjoin(ChannelState, ChannelState.name == Delivery.channel)
        .where(Delivery.is_pending())
        .where(or_(Delivery.not_before.is_(None), Delivery.not_before <= now))
        .where(or_(ChannelState.paused_until.is_(None), ChannelState.paused_until <= now))
    )
    return session.scalar(query.limit(1)) is not None


def settle(
    session: Session,
    parcel: Parcel,
    outcome: AttemptOutcome,
    *,
    detail: str | None = None,
    seconds: float | None = None,
    is_final: bool = False,
) -> None:
    """Write down what became of an attempt, and what follows for its messages and its channel.

    Parameters
    ----------
    session
        A writing session.
    parcel
        What was tried.
    outcome, detail, seconds
        Of the attempt.
    is_final
        A message that was refused is given up: it would be again.
    """
    now = database_now(session.connection())
    state = _lock(session, parcel.channel)
    session.execute(
        update(DeliveryAttempt)
        .where(DeliveryAttempt.id == parcel.attempt_id)
        .values(outcome=outcome, detail=detail, seconds=seconds)
    )
    if outcome in {AttemptOutcome.NOT_NOW, AttemptOutcome.UNKNOWN}:
        state.failures += 1
        longest = LONGEST_PAUSE if outcome == AttemptOutcome.NOT_NOW else LONGEST_UNKNOWN_PAUSE
        state.paused_until = now + _doubled(FIRST_PAUSE, state.failures, longest)
        return
    state.failures, state.paused_until = 0, None
    # Another process may have taken us for dead and be at it: then these are not ours any more.
    mine = update(Delivery).where(Delivery.attempt_id == parcel.attempt_id)
    if outcome == AttemptOutcome.DELIVERED:
        session.execute(mine.values(status=DeliveryStatus.SENT))
    else:
        _refused(session, parcel, now, is_final=is_final)


def _refused(session: Session, parcel: Parcel, now: datetime, *, is_final: bool) -> None:
    """Try again later, each by itself; what is refused again and again is given up."""
    rows = session.scalars(select(Delivery).where(Delivery.attempt_id == parcel.attempt_id)).all()
    for row in rows:
        row.refusals += 1
        if len(rows) == 1:
            row.not_before = now + _doubled(
                FIRST_REFUSAL_PAUSE, row.refusals, LONGEST_REFUSAL_PAUSE
            )
        if row.refusals >= REFUSALS or (is_final and len(rows) == 1):
            row.status = DeliveryStatus.GIVEN_UP


def _doubled(first: timedelta, times: int, longest: timedelta) -> timedelta:
    pause: timedelta = min(first * 2 ** min(times - 1, 16), longest)
    return pause


def _lock(session: Session, channel: str) -> ChannelState:
    """Give the channel's row, which nobody else can have until the transaction ends."""
    new = upsert(session, ChannelState).values(name=channel, failures=0)
    session.execute(new.on_conflict_do_nothing())
    query = select(ChannelState).where(ChannelState.name == channel).with_for_update()
    return session.scalars(query).one()


def _is_being_sent(session: Session, channel: str, now: datetime) -> bool:
    """Tell whether a living process sends through it; what a dead one left is uncertain."""
    open_attempts = select(DeliveryAttempt).where(
        DeliveryAttempt.channel == channel, DeliveryAttempt.is_sending()
    )
    for attempt in session.scalars(open_attempts).all():
        if attempt.begun_at > now - SENDING:
            return True
        attempt.outcome = AttemptOutcome.UNKNOWN
        attempt.detail = "the process that sent it ended without a word"
    session.flush()
    return False


def _uncertain(session: Session, channel: str) -> Sequence[Delivery]:
    """Give the messages of the oldest attempt that may have arrived: all of them, and no other."""
    pending = select(Delivery).where(
        Delivery.channel == channel, Delivery.is_pending(), Delivery.attempt_id.is_not(None)
    )
    first = session.scalar(
        pending.join(Delivery.attempt)
        .where(DeliveryAttempt.outcome == AttemptOutcome.UNKNOWN)
        .order_by(Delivery.attempt_id)
        .limit(1)
    )
    if first is None:
        return ()
    together = pending.where(Delivery.attempt_id == first.attempt_id)
    return session.scalars(together.order_by(Delivery.urgency, Delivery.id)).all()


def _fresh(
    session: Session, channel: str, now: datetime, messages_per_hour: int
) -> Sequence[Delivery]:
    """Give what certainly has not arrived: the first, or all of it when it is too much."""
    query = (
        select(Delivery)
        .where(Delivery.channel == channel, Delivery.is_pending())
        .where(or_(Delivery.not_before.is_(None), Delivery.not_before <= now))
        .order_by(Delivery.urgency, Delivery.id)
        .limit(DIGEST_AT_MOST)
    )
    due = session.scalars(query).all()
    if not due:
        return ()
    lately, last = _sent(session, channel, since=now - timedelta(hours=1))
    if lately + len(due) <= messages_per_hour:
        return due[:1]
    pause = DIGEST_PAUSE[due[0].urgency == CRITICAL]
    if lately >= messages_per_hour and last is not None and last > now - pause:
        return ()
    # One that was refused may be what others were refused for.
    together = [row for row in due if not row.refusals]
    return together or due[:1]


def _sent(session: Session, channel: str, *, since: datetime) -> tuple[int, datetime | None]:
    """Count the messages of the last hour, and give the time of the last."""
    query = select(
        func.count(func.distinct(DeliveryAttempt.message_id)), func.max(DeliveryAttempt.begun_at)
    ).where(
        DeliveryAttempt.channel == channel,
        DeliveryAttempt.begun_at > since,
        DeliveryAttempt.outcome.not_in(HOPEFUL),
    )
    number, last = session.execute(query).one()
    return number, last


def _begin(session: Session, channel: str, due: Sequence[Delivery], now: datetime) -> Parcel:
    ids = [row.alert_id for row in due]
    alerts = {row.id: row for row in session.scalars(select(Alert).where(Alert.id.in_(ids)))}
    message = Message([alerts[alert_id] for alert_id in ids])
    attempt = DeliveryAttempt(
        channel=channel,
        message_id=message.message_id,
        alerts=len(ids),
        outcome=AttemptOutcome.SENDING,
        begun_at=now,
    )
    session.add(attempt)
    session.flush()
    for row in due:
        row.attempt_id = attempt.id
    return Parcel(attempt.id, channel, message, ids)
