"""What `make demo` runs: a simulated night, reduced by a real Airflow that is left running.

The stack stays up in the background when this ends well; `make stop` ends it. When this fails or
is interrupted nothing is left running. A second demo restarts the stack on the same database.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

import sqlalchemy as sa

from include.corral.corral import Corral
from include.corral.settings import Settings
from include.toritos.simulator import NightPlan, simulate_night
from models import Frame, Product, StepRun
from tools.airflow_api import AirflowApi, AirflowError, Run
from tools.airflow_env import USERNAME, make_env, password
from tools.progress import Progress, Stopwatch, print_progress
from tools.stack import StackError
from tools.supervisor import DEFAULT_HOME, start_detached, stop

LOAD_DAG = "toritos_load"
NIGHT_DAG = "toritos_night"
DAGS = (LOAD_DAG, "toritos_arrival", NIGHT_DAG)
RUN_TIMEOUT_S = 900

_INTERRUPTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def demo(home: Path, *, port: int) -> None:
    """Leave a reduced night and a running Airflow, or raise and leave nothing running."""
    watch = Stopwatch()
    stop(home)
    settings = Settings.from_env(make_env(home))
    with watch.part("simulate a TORITOS night into the inbox"):
        night = simulate(settings, plan=NightPlan.demo())
    try:
        with watch.part("start Airflow"):
            url = start_detached(home, port=port).url
        with (
            watch.part(f"reduce night {night} through the scheduler"),
            AirflowApi(url, username=USERNAME, password=password(home)) as api,
        ):
            reduce_night(api, night)
        require_products(settings, night)
    except BaseException:
        # A second Ctrl-C must not interrupt the ending, which is bounded in time.
        for signum in _INTERRUPTS:
            signal.signal(signum, signal.SIG_IGN)
        stop(home)
        raise
    print(f"\nNight {night}\n{summary(settings, night)}")
    print(f"\nTook\n{watch.table()}")
    print(f"\nAirflow  {url}\nlogin    {USERNAME} / {password(home)}\nstop it  make stop")


def simulate(settings: Settings, *, plan: NightPlan) -> str:
    """Write the frames of the planned night below the inbox and return the night's key."""
    night = plan.night.isoformat()
    folder = settings.inbox / night
    folder.mkdir(parents=True, exist_ok=True)
    Corral(settings).engine.dispose()  # the schema is in place before four tasks want it at once
    simulate_night(plan, folder, on_progress=sparse(lambda line: print_progress(f"  {line}")))
    print_progress(f"  {sum(1 for _ in folder.iterdir())} files in {folder}")
    return night


def reduce_night(api: AirflowApi, night: str) -> None:
    """Have the frames loaded and the night reduced; nothing is running any more afterwards.

    Raises
    ------
    StackError
        A run failed; the logs of its failed tasks are in the message.
    """
    api.wait_for_dags(*DAGS)
    for dag_id in DAGS:
        api.unpause(dag_id)
    # The watcher of the inbox would ring too; a run by hand does not wait for its turn.
    finish(api, api.trigger(LOAD_DAG))
    finish(api, api.trigger(NIGHT_DAG, partition_key=night))
    for run in [run for dag_id in DAGS for run in api.runs(dag_id)]:
        finish(api, run)


def finish(api: AirflowApi, run: Run) -> None:
    """Wait for a run to succeed, or raise what its failed tasks say."""
    ended = api.wait_for_run(run.dag_id, run.run_id, timeout_s=RUN_TIMEOUT_S)
    if ended.state != "success":
        raise StackError(f"{run.dag_id} {run.run_id} {ended.state}\n{failures(api, ended)}")


def failures(api: AirflowApi, run: Run) -> str:
    """Return the end of the log of each failed task of a run."""
    failed = [task for task in api.tasks(run.dag_id, run.run_id) if task.state == "failed"]
    parts = []
    for task in failed:
        log = api.log(
            run.dag_id,
            run.run_id,
            task.task_id,
            try_number=task.try_number,
            map_index=task.map_index,
        )
        parts.append(f"-- {task.task_id}\n" + "\n".join(log.splitlines()[-30:]))
    return "\n".join(parts)


def require_products(settings: Settings, night: str) -> None:
    """Refuse a night whose runs all succeeded because there was nothing that they could do.

    Raises
    ------
    StackError
        No product was made; what each step did is in the message.
    """
    with Corral(settings).read() as session:
        made = session.scalar(sa.select(sa.func.count()).select_from(Product))
    if not made:
        raise StackError(f"no product was made of night {night}\n{summary(settings, night)}")


def summary(settings: Settings, night: str) -> str:
    """Return what the Corral database says of the night: frames, work of each step, products."""
    frames = sa.select(Frame.kind, sa.func.count()).group_by(Frame.kind)
    products = sa.select(Product.kind, sa.func.count()).group_by(Product.kind)
    steps = (
        sa.select(StepRun.step, sa.func.sum(StepRun.done), sa.func.sum(StepRun.failed))
        .where(StepRun.partition.in_(("", night)))
        .group_by(StepRun.step)
        .order_by(sa.func.min(StepRun.id))
    )
    with Corral(settings).read() as session:
        rows = [
            *(f"  {kind:20} {count:5} frames" for kind, count in session.execute(frames)),
            *(f"  {s:20} {done:5} done {bad:5} failed" for s, done, bad in session.execute(steps)),
            *(f"  {kind:20} {count:5} products" for kind, count in session.execute(products)),
        ]
    return "\n".join(rows)


def sparse(on_progress: Progress, *, every_s: float = 2.0) -> Progress:
    """Let one line pass in `every_s`."""
    last = 0.0

    def say(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= every_s:
            last = time.monotonic()
            on_progress(line)

    return say


def main(argv: list[str] | None = None) -> int:
    """Run the demo from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME)
    parser.add_argument("--port", type=int, default=8080, help="another is taken when it is in use")
    given = parser.parse_args(argv)
    for signum in _INTERRUPTS:
        signal.signal(signum, signal.default_int_handler)
    try:
        demo(given.home.resolve(), port=given.port)
    except KeyboardInterrupt:
        print_progress("interrupted; nothing is left running")
        return 130
    except (AirflowError, TimeoutError) as error:
        print_progress(f"{error}\nnothing is left running; logs are below {given.home / 'logs'}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
