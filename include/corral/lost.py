"""What is told of triggers whose process ended without a word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.corral.outbox import enqueue
from models.work import StepRun, Unit, UnitStatus

RULE = "lost"
LISTED = 20
_BODY = """\
{step} {partition}: {reason}.

began  {began:%Y-%m-%d %H:%M:%S} UTC on {host}, pid {pid}
DAG    {dag_id}
run    {run_id}
task   {task_id}
try    {try_number}

{units}

What it had committed stands; of what it had not, nothing can be seen. The logs of the task and of
the machine may tell the cause: killed, out of memory, power, a crash in native code.
"""


def tell_of_lost(session: Session, ended: Iterable[int], units: Sequence[Unit]) -> None:
    """Put one message for each dead trigger into the outbox, with the units that were taken back.

    It stands or falls with the record of the death: one is never there without the other.

    Parameters
    ----------
    session
        The transaction in which deaths are recorded and units are given back.
    ended
        Ids of triggers found dead now.
    units
        That were given back now, of these triggers or of others.
    """
    held: dict[int, list[Unit]] = {run_id: [] for run_id in ended}
    for unit in units:
        if unit.step_run_id is not None:
            held.setdefault(unit.step_run_id, []).append(unit)
    for run in session.scalars(select(StepRun).where(StepRun.id.in_(held)).order_by(StepRun.id)):
        _tell(session, run, held[run.id])


def _tell(session: Session, run: StepRun, units: Sequence[Unit]) -> None:
    # One that is taken for dead, works on and dies again is told of again, by another fence.
    fence = max((unit.fence for unit in units), default=0)
    partition = f"of {run.partition}" if run.partition else ""
    enqueue(
        session,
        dedup_key=f"{RULE}-{run.id}-{fence}",
        rule=RULE,
        severity="critical" if any(_is_set_aside(unit) for unit in units) else "warning",
        partition=run.partition,
        subject=f"[corral] {run.step} {partition}: its process ended without a word",
        body=_BODY.format(
            step=run.step,
            partition=partition,
            reason=run.message or "no sign of life",
            began=run.started_at,
            host=run.host,
            pid=run.pid,
            dag_id=run.dag_id or "-",
            run_id=run.run_id or "-",
            task_id=run.task_id or "-",
            try_number=run.try_number,
            units="\n".join(_unit_lines(units)),
        ),
        context={"step_run_id": run.id, "units": [unit.id for unit in units[:LISTED]]},
    )


def _unit_lines(units: Sequence[Unit]) -> list[str]:
    if not units:
        return ["It held no unit of work."]
    lines = [f"{len(units)} unit(s) that it held:"]
    for unit in units[:LISTED]:
        fate = "set aside: it may be what kills" if _is_set_aside(unit) else "open again"
        lines.append(f"  {unit.key}: {fate} (lost {unit.lost} time(s), fence {unit.fence})")
    if len(units) > LISTED:
        lines.append(f"  … and {len(units) - LISTED} more")
    return lines


def _is_set_aside(unit: Unit) -> bool:
    return unit.status == UnitStatus.FAILED
