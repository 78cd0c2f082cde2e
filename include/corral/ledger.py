"""The record of triggers: opened first, closed whatever happens, and found when it was not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session, joinedload

from include.corral.corral import Corral
from include.corral.errors import FailureClass
from include.corral.lost import tell_of_lost
from include.corral.processor import Processor
from include.corral.report import Report
from include.corral.trigger import Trigger, process_key, software_versions, this_process
from models.session import database_now, first_line
from models.statements import among
from models.work import Outcome, StepRun, Unit, UnitRun, UnitStatus

# A unit that took its process down with it this often is not tried again by itself.
LOST_LIMIT = 3


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A trigger that is being worked on."""

    id: int
    step: str
    partition: str | None
    trigger: Trigger


def open_run(
    corral: Corral, processor: Processor, partition: str | None, trigger: Trigger
) -> OpenRun:
    """Record that `processor` was triggered, and clear up after those that died before.

    Returns
    -------
    OpenRun
        From here on a StepRun row says that something began, even if the machine stops now.
    """
    with corral.write() as session:
        now = database_now(session.connection())
        row = StepRun(
            step=processor.name,
            version=processor.version,
            parameters=dict(processor.parameters),
            partition=partition or "",
            dag_id=trigger.dag_id,
            run_id=trigger.run_id,
            task_id=trigger.task_id,
            map_index=trigger.map_index,
            try_number=trigger.try_number,
            software=software_versions(),
            started_at=now,
            lease_until=now + timedelta(seconds=corral.settings.lease_s),
            **this_process(),
        )
        session.add(row)
        session.flush()
        run = OpenRun(row.id, processor.name, partition, trigger)
        release_dead(session, run)
    return run


def close_run(corral: Corral, run: OpenRun, report: Report, error: BaseException | None) -> None:
    """Record how the trigger ended."""
    failed = error is not None or report.failed or report.standing
    message = first_line(error) if error else report.summary()
    with corral.write() as session:
        session.execute(
            update(StepRun)
            .where(StepRun.id == run.id)
            .values(
                ended_at=database_now(session.connection()),
                outcome=Outcome.FAILED if failed else Outcome.DONE,
                done=report.done,
                failed=report.failed,
                message=message,
            )
        )
        # What this trigger still holds (an interrupt, a database that went away) is free again.
        held = [Unit.step == run.step, Unit.is_(UnitStatus.CLAIMED), Unit.step_run_id == run.id]
        set_units(session, held, status=UnitStatus.OPEN)


def set_units(session: Session, conditions: Sequence[Any], **values: Any) -> int:
    """Write `values` to the units that satisfy `conditions`; give how many there were.

    They are locked first, in the one order in which everybody locks them, so that nobody waits in
    a circle; one that is being committed or planned anew is left to those who do so.
    """
    query = select(Unit.id).where(*conditions).order_by(Unit.id)
    if session.get_bind().dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    ids = list(session.scalars(query))
    if ids:
        session.execute(
            update(Unit)
            .where(among(Unit.id, ids))
            .values(values)
            .execution_options(synchronize_session=False)
        )
    return len(ids)


def show_life(session: Session, run: OpenRun, lease_s: float, now: datetime) -> None:
    """Move the trigger's lease on: it is alive, and what it holds is held until then."""
    until = now + timedelta(seconds=lease_s)
    alive = {"lease_until": until, "outcome": Outcome.RUNNING, "ended_at": None, "message": None}
    session.execute(update(StepRun).where(StepRun.id == run.id).values(alive))


def release_dead(session: Session, run: OpenRun) -> int:
    """Close the triggers of this step that are dead, and give back the units they hold.

    Dead are: earlier tries of the same task, processes of this host that are gone, and triggers
    whose lease is over. Each attempt cut short becomes a UnitRun with outcome ``lost``. To be wrong
    about a death costs work done twice, never a result twice: the fence sees to that. Whoever is
    told of failures is told of each death, in the same transaction.

    Returns
    -------
    int
        How many units were given back.
    """
    now = database_now(session.connection())
    dead = _dead_runs(session, run, now)
    ended = [run_id for run_id, reason in dead.items() if _end(session, run_id, reason, now)]
    # A trigger that has ended holds nothing; one that was taken for dead and is not runs again
    # as soon as it claims or shows life.
    held = (
        select(Unit, StepRun.message)
        .join(StepRun, Unit.step_run_id == StepRun.id)
        .where(Unit.step == run.step, Unit.is_(UnitStatus.CLAIMED), ~StepRun.is_running())
        .order_by(Unit.id)
    )
    if session.get_bind().dialect.name == "postgresql":
        held = held.with_for_update(of=Unit, skip_locked=True)
    units = session.execute(held).all()
    for unit, message in units:
        _give_back(session, unit, message or "its trigger has ended", now)
    tell_of_lost(session, ended, [unit for unit, _ in units])
    return len(units)


def _end(session: Session, run_id: int, reason: str, now: datetime) -> bool:
    """Close a trigger as lost; False where somebody else has just done so."""
    values = {"outcome": Outcome.LOST, "ended_at": now, "message": reason}
    running = update(StepRun).where(StepRun.id == run_id, StepRun.is_running())
    return session.scalar(running.values(values).returning(StepRun.id)) is not None


def _dead_runs(session: Session, run: OpenRun, now: datetime) -> dict[int, str]:
    """Triggers of the step that count as running and are dead, and how that is known."""
    here = this_process()["host"]
    query = select(StepRun).where(
        StepRun.step == run.step, StepRun.is_running(), StepRun.id != run.id
    )
    if session.get_bind().dialect.name == "postgresql":
        # One whose row is locked shows life just now, or was stopped while it did: not to be
        # waited for. The database ends the transaction of a stopped one after a while.
        query = query.with_for_update(skip_locked=True)
    dead = {}
    for other in session.scalars(query):
        gone = other.host == here and process_key(other.pid) != other.process_key
        if gone or _is_earlier_try(other, run.trigger):
            dead[other.id] = f"its process ({other.host}, pid {other.pid}) ended without a word"
        elif other.lease_until < now:
            dead[other.id] = f"no sign of life from {other.host} before the lease ended"
    return dead


def _is_earlier_try(other: StepRun, trigger: Trigger) -> bool:
    """Tell whether `other` is of the same task: a try begins when the one before is over."""
    same = all(
        getattr(other, name) == getattr(trigger, name)
        for name in ("dag_id", "run_id", "task_id", "map_index")
    )
    return same and trigger.dag_id is not None and other.try_number < trigger.try_number


def _give_back(session: Session, unit: Unit, reason: str, now: datetime) -> None:
    unit.lost += 1
    hopeless = unit.lost >= LOST_LIMIT
    message = f"{reason}, {unit.lost} time(s) on this unit"
    if hopeless:
        message += "; not tried again by itself: it may be what kills the process"
    session.execute(
        insert(UnitRun).values(
            unit_id=unit.id,
            step_run_id=unit.step_run_id,
            fence=unit.fence,
            fingerprint=unit.fingerprint,
            outcome=Outcome.LOST,
            failure_class=FailureClass.BUG if hopeless else FailureClass.RETRY,
            message=message,
            ended_at=now,
        )
    )
    unit.status = UnitStatus.FAILED if hopeless else UnitStatus.OPEN
    unit.failure_class = FailureClass.BUG if hopeless else None


class Stopwatch:
    """Seconds since it was made, on the monotonic clock."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Elapsed so far."""
        return time.monotonic() - self._start


def last_failures(session: Session, step: str, partition: str | None) -> list[UnitRun]:
    """Give the attempt by which each unit that stands as failed has failed, with its unit."""
    newest = (
        select(func.max(UnitRun.id))
        .join(Unit)
        .where(Unit.step == step, Unit.is_(UnitStatus.FAILED), UnitRun.failure_class.is_not(None))
        .group_by(UnitRun.unit_id)
    )
    if partition is not None:
        newest = newest.where(Unit.partition.in_([partition, ""]))
    query = select(UnitRun).where(UnitRun.id.in_(newest)).order_by(UnitRun.id)
    return list(session.scalars(query.options(joinedload(UnitRun.unit))))
