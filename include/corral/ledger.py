"""The record of triggers: opened first, closed whatever happens, and found when it was not."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, insert, or_, select, update
from sqlalchemy.orm import Session

from include.corral.corral import Corral
from include.corral.processor import Processor
from include.corral.report import Report
from include.corral.trigger import Trigger, process_key, software_versions, this_process
from models.session import database_now, first_line
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
            started_at=database_now(session.connection()),
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
        free = [Unit.step_run_id == run.id, Unit.status == UnitStatus.CLAIMED]
        session.execute(update(Unit).where(*free).values(status=UnitStatus.OPEN, lease_until=None))


def release_dead(session: Session, run: OpenRun) -> int:
    """Give back the units held by triggers of this step that can no longer commit them.

    Those are: earlier tries of the same task, processes of this host that are gone, and holders
    whose lease is over. Each such attempt becomes a UnitRun with outcome ``lost``. To be wrong
    about a death costs work done twice, never a result twice: the fence sees to that.

    Returns
    -------
    int
        How many units were given back.
    """
    connection = session.connection()
    now = database_now(connection)
    claimed = select(Unit, StepRun).join(StepRun, Unit.step_run_id == StepRun.id)
    claimed = claimed.where(Unit.step == run.step, Unit.status == UnitStatus.CLAIMED.value)
    if connection.dialect.name == "postgresql":
        claimed = claimed.with_for_update(of=Unit, skip_locked=True)
    here = this_process()["host"]
    dead_runs = _dead_runs(connection, run, str(here))
    released = 0
    for unit, holder in session.execute(claimed):
        if holder.id in dead_runs:
            reason = f"its process ({holder.host}, pid {holder.pid}) ended without a word"
        elif unit.lease_until is not None and unit.lease_until < now:
            reason = f"no sign of life from {holder.host} before the lease ended"
        else:
            continue
        _give_back(session, unit, reason)
        released += 1
    if dead_runs:
        session.execute(
            update(StepRun)
            .where(StepRun.id.in_(dead_runs))
            .values(outcome=Outcome.LOST, ended_at=now, message="ended without a word")
        )
    return released


def _dead_runs(connection: Connection, run: OpenRun, here: str) -> set[int]:
    trigger = run.trigger
    running = and_(StepRun.step == run.step, StepRun.outcome == Outcome.RUNNING.value)
    same_task = and_(
        StepRun.dag_id == trigger.dag_id,
        StepRun.run_id == trigger.run_id,
        StepRun.task_id == trigger.task_id,
        StepRun.map_index == trigger.map_index,
        StepRun.try_number < trigger.try_number,
    )
    columns = (StepRun.id, StepRun.host, StepRun.pid, StepRun.process_key, same_task)
    rows = connection.execute(
        select(*columns).where(running, StepRun.id != run.id, or_(StepRun.host == here, same_task))
    )
    return {
        row_id
        for row_id, host, pid, key, earlier_try in rows
        if earlier_try or (host == here and process_key(pid) != key)
    }


def _give_back(session: Session, unit: Unit, reason: str) -> None:
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
            failure_class="bug" if hopeless else "retry",
            message=message,
            ended_at=database_now(session.connection()),
        )
    )
    unit.status = UnitStatus.FAILED if hopeless else UnitStatus.OPEN
    unit.failure_class = "bug" if hopeless else None
    unit.lease_until = None


class Stopwatch:
    """Seconds since it was made, on the monotonic clock."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Elapsed so far."""
        return time.monotonic() - self._start


def last_failures(session: Session, step: str, partition: str | None) -> list[UnitRun]:
    """Give the last attempt of every unit that stands as failed."""
    newest = (
        select(func.max(UnitRun.id))
        .join(Unit)
        .where(Unit.step == step, Unit.status == UnitStatus.FAILED.value)
        .group_by(UnitRun.unit_id)
    )
    if partition is not None:
        newest = newest.where(Unit.partition == partition)
    query = select(UnitRun).where(UnitRun.id.in_(newest.scalar_subquery())).order_by(UnitRun.id)
    return list(session.scalars(query))
