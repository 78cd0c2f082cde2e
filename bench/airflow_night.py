"""A night through a running Airflow: what the work takes, what the framework, what Airflow.

The ledger remembers the seconds of each unit (reading, computing, writing and syncing its files)
and of each trigger of a step; Airflow remembers the seconds of each task. Frames that come one by
one afterwards tell how long it is from the last byte to the last row.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func, select

from bench.table import Report, Table, say
from include.ccd.warmup import warm_up
from include.corral.corral import Corral
from include.corral.settings import Settings
from include.toritos.simulator import Exposure, NightPlan, Truth, simulate_frame, simulate_night
from models import Frame, StepRun, Unit, UnitRun
from tools.airflow_api import AirflowApi
from tools.airflow_env import set_corral_options
from tools.demo import LOAD_DAG, NIGHT_DAG, finish, sparse
from tools.progress import wait_until
from tools.stack import Stack

ARRIVAL_DAG = "toritos_arrival"
NIGHT = date(2026, 11, 20)
CORES = 2
TIMES_KERNELS, CONSTANT_S = 1.5, 60.0
LATE_FRAMES = 5
LATENCY_S = 30.0
# When this rule has looked at a candidate, the row that tells of it is there.
CONFIRMING = "CandidateConfirmed"
TIMEOUT_S = 3600


def plan_of(*, quick: bool) -> NightPlan:
    """40 calibrations and 100 science frames of 2048²; or a few small ones."""
    many = not quick
    return NightPlan(
        night=NIGHT,
        size_px=2048 if many else 512,
        biases=10 if many else 5,
        darks={60.0: 10 if many else 5},
        flats={"V": 10, "R": 10} if many else {"V": 5},
        science={"V": 50, "R": 50} if many else {"V": 8},
        seed=5,
    )


@dataclass(frozen=True)
class _Step:
    """What the ledger says of the triggers of one step."""

    name: str
    tasks: int
    units: int
    unit_s: float
    run_s: float
    task_s: float


def _task_of(row: StepRun) -> tuple[str, int, str]:
    return row.task_id or "", row.map_index, row.run_id or ""


def step_rows(corral: Corral, api: AirflowApi, runs: Sequence[tuple[str, str]]) -> list[_Step]:
    """Seconds of units, triggers and tasks, a row for each step."""
    tasks: dict[tuple[str, int, str], float] = {
        (task.task_id, task.map_index, run_id): task.duration_s or 0.0
        for dag_id, run_id in runs
        for task in api.tasks(dag_id, run_id)
    }
    with corral.read() as session:
        triggers = session.scalars(
            select(StepRun).where(StepRun.run_id.in_([run for _, run in runs]))
        ).all()
        by_trigger: dict[int, tuple[int, float]] = {
            trigger_id: (count, seconds or 0.0)
            for trigger_id, count, seconds in session.execute(
                select(UnitRun.step_run_id, func.count(), func.sum(UnitRun.seconds)).group_by(
                    UnitRun.step_run_id
                )
            )
        }
    found = []
    for name in dict.fromkeys(trigger.step for trigger in triggers):
        mine = [trigger for trigger in triggers if trigger.step == name]
        units = [by_trigger.get(trigger.id, (0, 0.0)) for trigger in mine]
        ended = [(t.ended_at - t.started_at).total_seconds() for t in mine if t.ended_at]
        found.append(
            _Step(
                name,
                len(mine),
                sum(count for count, _ in units),
                sum(seconds for _, seconds in units),
                sum(ended),
                sum(tasks.get(_task_of(trigger), 0.0) for trigger in mine),
            )
        )
    return found


def split_table(steps: Sequence[_Step]) -> Table:
    """Where the seconds of each step went."""
    table = Table(
        "A night",
        ("step", "tasks", "units", "work, s", "framework, ms a unit", "Airflow, s a task"),
    )
    for step in steps:
        framework_ms = 1000 * (step.run_s - step.unit_s) / max(step.units, 1)
        airflow_s = (step.task_s - step.run_s) / step.tasks
        table.add(
            step.name,
            str(step.tasks),
            str(step.units),
            f"{step.unit_s:.2f}",
            f"{framework_ms:.1f}",
            f"{airflow_s:.2f}",
        )
    return table


def reduce_night(api: AirflowApi) -> tuple[list[tuple[str, str]], list[float]]:
    """Load the inbox and reduce the night; all runs that had a part in it, and the seconds."""
    api.wait_for_dags(LOAD_DAG, NIGHT_DAG, ARRIVAL_DAG)
    seconds = []
    for dag_id, key in ((LOAD_DAG, None), (NIGHT_DAG, NIGHT.isoformat())):
        start = time.monotonic()
        api.unpause(dag_id)
        finish(api, api.trigger(dag_id, partition_key=key))
        seconds.append(time.monotonic() - start)
        say(f"  {dag_id}: {seconds[-1]:.1f} s")
    # A run by the clock may have done what the one by hand then found done.
    return [(dag, run.run_id) for dag in (LOAD_DAG, NIGHT_DAG) for run in api.runs(dag)], seconds


def held_back(truth: Truth) -> list[Exposure]:
    """Science frames that show the transient, which come later than the others."""
    new = [exposure for n, exposure in enumerate(truth.science) if truth.transient_on(n)]
    return [exposure for exposure in new if exposure.filter == "V"][:LATE_FRAMES]


def arrivals(
    corral: Corral, api: AirflowApi, truth: Truth, late: Sequence[Exposure]
) -> list[dict[str, float]]:
    """Frames that come one by one: seconds from the last byte until each thing was done."""
    api.unpause(ARRIVAL_DAG)
    found = []
    for number, exposure in enumerate(late, start=1):
        wait_until(lambda: _unended(api), timeout_s=TIMEOUT_S, on_progress=sparse(say, every_s=20))
        simulate_frame(truth, exposure, corral.settings.inbox / NIGHT.isoformat())
        begin = datetime.now(UTC)
        wait_until(
            lambda name=exposure.name: _missing(corral, api, name),  # type: ignore[misc]
            timeout_s=TIMEOUT_S,
            on_progress=sparse(say, every_s=20),
        )
        found.append(_parts(corral, begin))
        say(f"  frame {number}: {max(found[-1].values()):.1f} s")
    return found


def _missing(corral: Corral, api: AirflowApi, name: str) -> str | None:
    with corral.read() as session:
        frame = session.scalar(select(Frame.id).where(Frame.path.endswith(name)))
        if frame is None:
            return "waiting for the frame to be loaded"
        reduced = session.scalar(
            select(Unit.id).where(
                Unit.step == "ReduceScience", Unit.key == str(frame), Unit.status == "done"
            )
        )
    if reduced is None:
        return "waiting for the frame to be reduced"
    return _unended(api)


def _unended(api: AirflowApi) -> str | None:
    runs = [run for dag in (LOAD_DAG, ARRIVAL_DAG) for run in api.runs(dag) if not run.ended]
    return f"waiting for {runs[0].dag_id} to end" if runs else None


def _parts(corral: Corral, begin: datetime) -> dict[str, float]:
    """When the last unit of each step that came after this moment was committed, in seconds."""
    with corral.read() as session:
        rows = session.execute(
            select(StepRun.step, func.min(StepRun.started_at), func.max(UnitRun.ended_at))
            .join(UnitRun, UnitRun.step_run_id == StepRun.id)
            .where(UnitRun.ended_at > begin, StepRun.step != "NightGate")
            .group_by(StepRun.step)
        ).all()
    parts: dict[str, float] = {}
    for step, started, ended in rows:
        if step == "FitsInbox":
            parts["loader begins"] = max(0.0, (_aware(started) - begin).total_seconds())
        parts[step] = (_aware(ended) - begin).total_seconds()
    return parts


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def latency_table(frames: Sequence[dict[str, float]]) -> Table:
    """Medians over the frames, in the order in which things happen."""
    table = Table("From the last byte", ("done", "seconds after the last byte", "frames"))
    names = {name for frame in frames for name in frame}
    medians = {
        name: statistics.median(frame[name] for frame in frames if name in frame) for name in names
    }
    for name in sorted(medians, key=medians.__getitem__):
        count = sum(name in frame for frame in frames)
        table.add(name, f"{medians[name]:.1f}", str(count))
    return table


def _judge(report: Report, steps: Sequence[_Step], seconds: Sequence[float]) -> None:
    work_s, units = sum(step.unit_s for step in steps), sum(step.units for step in steps)
    framework_s = sum(step.run_s - step.unit_s for step in steps)
    airflow_s = sum(step.task_s - step.run_s for step in steps)
    tasks = sum(step.tasks for step in steps)
    total_s = sum(seconds)
    allowed_s = TIMES_KERNELS * work_s / CORES + CONSTANT_S
    what = (
        f"loading and the night, over {TIMES_KERNELS:g} × work on {CORES} cores + {CONSTANT_S:g} s"
    )
    report.judge(what, total_s / allowed_s, "at most", 1, "×")
    constant_s = total_s - TIMES_KERNELS * work_s / CORES
    report.notes += [
        f"Loading took {seconds[0]:.1f} s, the night {seconds[1]:.1f} s, their units "
        f"{work_s:.1f} s of work: the constant of this run is {constant_s:.1f} s.",
        f"Framework: {1000 * framework_s / max(units, 1):.1f} ms for each of {units} units, the "
        f"waiting for other workers included; Airflow: {airflow_s / max(tasks, 1):.2f} s for each "
        f"of {tasks} tasks, beside what its scheduler takes between tasks.",
    ]


def run(*, quick: bool) -> Report:
    """A whole night, then frames one by one."""
    plan = plan_of(quick=quick)
    frames = sum(1 for _ in plan.exposures())
    report = Report(
        "A night through Airflow",
        f"{frames} simulated frames of {plan.size_px}², loaded and reduced by a local Airflow "
        f"(LocalExecutor, SQLite); {LATE_FRAMES} of them come one by one afterwards, to an idle "
        "system. Work is the time inside units: reading, computing, writing, syncing.",
    )
    with TemporaryDirectory(prefix="corral-bench-") as made:
        _measure(Path(made), plan, report)
    return report


def _measure(home: Path, plan: NightPlan, report: Report) -> None:
    settings = Settings.below(home / "corral")
    set_corral_options(home, {"CORRAL_HOME": str(home / "corral")})
    corral: Any = Corral(settings)
    corral.engine.dispose()
    folder = settings.inbox / NIGHT.isoformat()
    say(f"  kernels ready after {warm_up():.0f} s")
    truth = simulate_night(plan, folder, on_progress=sparse(say, every_s=10))
    late = held_back(truth)
    for exposure in late:
        (folder / exposure.name).unlink()
    with Stack(home, on_progress=say) as stack, stack.api() as api:
        runs, seconds = reduce_night(api)
        steps = step_rows(corral, api, runs)
        report.tables.append(split_table(steps))
        _judge(report, steps, seconds)
        parts = arrivals(corral, api, truth, late)
    corral.close()
    report.tables.append(latency_table(parts))
    _judge_latency(report, parts)


def _judge_latency(report: Report, frames: Sequence[dict[str, float]]) -> None:
    confirmed = [frame[CONFIRMING] for frame in frames if CONFIRMING in frame]
    if confirmed:
        what = "from the last byte until the candidate is told of"
        report.judge(what, statistics.median(confirmed), "at most", LATENCY_S, "s")
        return
    last = statistics.median(max(frame.values()) for frame in frames)
    report.judge("from the last byte to the last row", last, "at most", LATENCY_S, "s")
    report.notes.append("No candidate was confirmed by the frames that came one by one.")
