"""Parts of a sweep that look at units: many failures at once, and work that does not end."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import func, select

from include.corral.errors import FailureClass
from include.corral.observe import observe
from include.corral.sweep import Found, Notice, Watch
from models.work import Outcome, StepRun, Unit, UnitRun, UnitStatus

LISTED = 20
# Attempts are numbered in the order of their ends: so many are looked at, and no others.
NEWEST = 20_000
HOUR = timedelta(hours=1)


def failure_burst(watch: Watch) -> Found:
    """Tell, once per burst, that many units fail: one message with counts, not one for each.

    It is over when an hour has fewer failures; the next one is told of again. Units that wait for
    something do not count.
    """
    counts, attempts = _last_hour(watch)
    failures = sum(counts.values())
    enough = max(watch.parameters["burst_failures"], watch.parameters["burst_fraction"] * attempts)
    is_burst = failures >= enough
    with watch.corral.write() as session:
        seen = observe(session, watch.step_run_id, "burst", {"now": "on"} if is_burst else {})
    if not is_burst:
        return Found()
    first = seen["now"]
    notice = Notice(
        key=f"burst-{first.step_run_id}",
        subject=f"{failures} of {attempts} units failed within an hour",
        body="\n".join(
            [
                "By step and class of failure:",
                *(f"{number:6}  {step}  {kind}" for (step, kind), number in counts.most_common()),
                "",
                "Many at once have one cause more often than many: a disk, a profile, a camera.",
                "`corral status` gives the reasons. No more is told of this until it has ended.",
            ]
        ),
        severity="critical",
    )
    return Found(f"{failures} of {attempts} units failed within an hour", [notice])


def _last_hour(watch: Watch) -> tuple[Counter[tuple[str, str]], int]:
    """Count the failures of the last hour by step and class, and all attempts."""
    newest = select(func.max(UnitRun.id)).scalar_subquery()
    query = (
        select(Unit.step, UnitRun.outcome, UnitRun.failure_class, func.count())
        .join(Unit, UnitRun.unit_id == Unit.id)
        .where(UnitRun.id > newest - NEWEST, UnitRun.ended_at > watch.now - HOUR)
        .where(Unit.step != watch.sweep.name)
        .group_by(Unit.step, UnitRun.outcome, UnitRun.failure_class)
    )
    counts: Counter[tuple[str, str]] = Counter()
    attempts = 0
    with watch.corral.read() as session:
        for step, outcome, kind, number in session.execute(query):
            attempts += number
            if outcome == Outcome.FAILED and kind != FailureClass.UPSTREAM_MISSING:
                counts[step, kind or "-"] += number
    return counts, attempts


def stuck_units(watch: Watch) -> Found:
    """Tell, once per claim, of units that a living process has held for too long.

    What a dead one held is given back by itself.
    """
    deadline = watch.now - timedelta(hours=watch.parameters["stuck_h"])
    query = (
        select(Unit, StepRun)
        .join(StepRun, Unit.step_run_id == StepRun.id)
        .where(Unit.is_(UnitStatus.CLAIMED), Unit.claimed_at <= deadline)
        .where(StepRun.id != watch.step_run_id)
        .order_by(Unit.id)
    )
    held: dict[int, list[Unit]] = {}
    runs: dict[int, StepRun] = {}
    with watch.corral.read() as session:
        for unit, run in session.execute(query):
            held.setdefault(run.id, []).append(unit)
            runs[run.id] = run
    notices = [_stuck_notice(runs[run_id], units) for run_id, units in held.items()]
    number = sum(map(len, held.values()))
    return Found(f"{number} unit(s) are held for long" if held else "", notices)


def _stuck_notice(run: StepRun, units: list[Unit]) -> Notice:
    since = min(unit.claimed_at for unit in units if unit.claimed_at)
    night = f" of {run.partition}" if run.partition else ""
    lines = [f"  {unit.key}: fence {unit.fence}" for unit in units[:LISTED]]
    lines += [f"  … and {len(units) - LISTED} more"] if len(units) > LISTED else []
    return Notice(
        key=f"stuck-{run.id}-{units[0].id}-{units[0].fence}",
        subject=f"{run.step}{night}: stuck since {since:%H:%M} UTC",
        body="\n".join(
            [
                f"A process that is alive holds {len(units)} unit(s) of {run.step} since "
                f"{since:%Y-%m-%d %H:%M} UTC: pid {run.pid} on {run.host}, "
                f"DAG {run.dag_id or '-'}, run {run.run_id or '-'}, task {run.task_id or '-'}.",
                "Its log says what it is at. When it is ended they are done by another.",
                "",
                *lines,
            ]
        ),
        partition=run.partition,
    )
