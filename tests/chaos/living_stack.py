"""A running Airflow that reduces nights while its processes are killed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

import httpx
import psutil
from sqlalchemy import select

from include.corral.backlog import partitions_to_do
from include.corral.corral import Corral
from include.corral.settings import Settings
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import NightPlan, simulate_night
from models import Night, Product, StepRun
from tools.airflow_api import ENDED, AirflowApi, AirflowError
from tools.processes import marked
from tools.stack import Stack

DAGS = ("toritos_load", "toritos_arrival", "toritos_sweep")
WHOLE_NIGHT = Counter(master_bias=1, master_dark=1, master_flat=2, calibrated=8)
FIRST_NIGHT = date(2026, 4, 1)
# The clock of the DAGs ticks every ten minutes; a test cannot wait for that.
TICK_S = 45
EXTRA = {
    # Seconds of silence after which the scheduler takes a task for dead: five minutes by default.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_DETECTION_INTERVAL": "5",
    "CORRAL_ALERT_TO": "night-shift@example.org",
}


class Observatory:
    """A camera that writes nights, the stack that reduces them, and a hand that kills."""

    def __init__(self, stack: Stack, api: AirflowApi, corral: Corral) -> None:
        self.stack = stack
        self.corral = corral
        self.nights: list[str] = []
        self.kills: Counter[str] = Counter()
        self._api = api
        self._ticked = time.monotonic()

    def observe(self) -> None:
        """One more small night comes into the inbox, all of it at once."""
        night = FIRST_NIGHT + timedelta(days=len(self.nights))
        plan = NightPlan(
            night=night,
            size_px=128,
            biases=3,
            darks={60.0: 3},
            flats={"V": 3, "R": 3},
            science={"V": 4, "R": 4},
        )
        camera = self.corral.settings.inbox.parent / "camera" / night.isoformat()
        simulate_night(plan, camera)
        camera.rename(self.corral.settings.inbox / night.isoformat())
        self.nights.append(night.isoformat())

    def kill(self, what: str) -> bool:
        """SIGKILL one process of that kind; False where there is none at the moment."""
        for victim in VICTIMS.get(what, _component(what))(self.stack):
            with suppress(psutil.NoSuchProcess):
                victim.kill()
                self.kills[what] += 1
                return True
        return False

    def tick(self) -> None:
        """Start what the clock starts, when it is time and it does not run."""
        if time.monotonic() - self._ticked < TICK_S:
            return
        self._ticked = time.monotonic()
        with suppress(AirflowError, httpx.HTTPError):
            for dag_id in ("toritos_sweep", "toritos_load"):
                if all(run.state in ENDED for run in self._api.runs(dag_id)):
                    self._api.trigger(dag_id)

    def missing(self) -> str | None:
        """What is still to be done, in words; None when every night is whole."""
        self.tick()
        with self.corral.read() as session:
            query = select(Night.date, Product.kind).join(Product.night).where(Product.current)
            made = Counter((str(day), kind) for day, kind in session.execute(query))
            running = session.scalars(select(StepRun.step).where(StepRun.is_running())).all()
        for night in self.nights:
            for kind, number in WHOLE_NIGHT.items():
                if made[night, kind] != number:
                    return f"{night}: {made[night, kind]} of {number} {kind}"
        if running:
            return f"{', '.join(running)} count as running"
        todo = partitions_to_do(self.corral, [step() for step in TORITOS.steps])
        return f"{', '.join(todo)} to do" if todo else None


def _tasks(stack: Stack) -> Iterator[psutil.Process]:
    for process in marked(stack.home, component="scheduler"):
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if words.startswith("airflow worker -- ") and "LocalExecutor" not in words:
                yield process


def _supervisors(stack: Stack) -> Iterator[psutil.Process]:
    for task in _tasks(stack):
        with suppress(psutil.Error):
            yield psutil.Process(task.ppid())


def _component(name: str) -> Callable[[Stack], Iterator[psutil.Process]]:
    def find(stack: Stack) -> Iterator[psutil.Process]:
        child = stack.children.get(name)
        if child is not None and child.poll() is None:
            yield psutil.Process(child.pid)

    return find


VICTIMS = {
    "task": _tasks,
    "supervisor of a task": _supervisors,
}
KINDS = (*VICTIMS, "scheduler", "triggerer", "dag-processor", "api-server")


@contextmanager
def observatory(home: Path, *, smtp_port: int) -> Iterator[Observatory]:
    """Run the stack of the project's DAGs on an empty installation below `home`."""
    (home / "corral" / "inbox").mkdir(parents=True)
    with Stack(home, smtp_port=smtp_port, extra=EXTRA) as stack, stack.api() as api:
        api.wait_for_dags(*DAGS)
        for dag_id in DAGS:
            api.unpause(dag_id)
        corral = Corral(Settings.from_env(stack.env))
        try:
            yield Observatory(stack, api, corral)
        finally:
            corral.close()
