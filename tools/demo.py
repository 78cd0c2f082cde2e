"""What `make demo` runs: a night, reduced by a real Airflow that is left running.

The night is a simulated one of TORITOS, or what lies in a folder of real frames. The stack stays
up in the background when this ends well; `make stop` ends it. When this fails or is interrupted
nothing is left running. A second demo restarts the stack on the same database.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from include.corral.corral import Corral
from include.corral.errors import ConfigurationError
from include.corral.settings import Settings
from include.toritos.instrument import profile_name, profile_of
from include.toritos.simulator import NightPlan, simulate_night
from include.toritos.simulator.catalog import write_truth_catalog
from models import (
    Frame,
    Night,
    Product,
    Rejection,
    StepRun,
)
from tools.airflow_api import AirflowApi, AirflowError, Run
from tools.airflow_env import USERNAME, password, set_corral_options
from tools.demo_sky import seen_in_the_sky
from tools.progress import Progress, Stopwatch, print_progress
from tools.stack import StackError
from tools.supervisor import DEFAULT_HOME, start_detached, stop

LOAD_DAG = "toritos_load"
NIGHT_DAG = "toritos_night"
DAGS = (LOAD_DAG, "toritos_arrival", NIGHT_DAG)
RUN_TIMEOUT_S = 900
NEEDED_BYTES = 1 << 30

_INTERRUPTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def demo(home: Path, *, port: int, data: Path | None = None, profile: str = "") -> None:
    """Leave reduced nights and a running Airflow, or raise and leave nothing running."""
    watch = Stopwatch()
    chosen = options(home, data, profile)
    settings = Settings.from_env(chosen)
    profile_of(profile_name(settings), settings)
    require_space(home)
    stop(home)
    set_corral_options(home, chosen)
    if data is None:
        with watch.part("simulate a TORITOS night into the inbox"):
            simulate(settings, plan=NightPlan.demo())
    try:
        with watch.part("start Airflow"):
            url = start_detached(home, port=port).url
        with (
            watch.part("load and reduce through the scheduler"),
            AirflowApi(url, username=USERNAME, password=password(home)) as api,
        ):
            nights = reduce_nights(api, settings)
        require_products(settings, nights)
    except BaseException:
        # A second Ctrl-C must not interrupt the ending, which is bounded in time.
        for signum in _INTERRUPTS:
            signal.signal(signum, signal.SIG_IGN)
        stop(home)
        raise
    print(f"\n{summary(settings, nights)}\n\nTook\n{watch.table()}")
    print(f"\nframes    {settings.inbox}\nproducts  {settings.products}")
    print(f"report    {report_command(chosen, nights[-1])}")
    print(f"Airflow   {url}\nlogin     {USERNAME} / {password(home)}\nstop it   make stop")


def options(home: Path, data: Path | None, profile: str) -> dict[str, str]:
    """Return how the pipeline is set up: what was made of one folder is kept from that of others.

    Raises
    ------
    ConfigurationError
        The folder of frames is not there.
    """
    if data is None:
        place = home / "corral"
        return {"CORRAL_HOME": str(place), "CORRAL_CATALOGS": str(place / "catalogs")}
    if not data.is_dir():
        raise ConfigurationError(f"DATA={data} is no folder; name one that holds raw frames")
    place = home / f"corral-{data.resolve().name}"
    given = {"CORRAL_HOME": str(place), "CORRAL_INBOX": str(data.resolve())}
    return given | ({"CORRAL_PROFILE": profile} if profile else {})


def report_command(options: Mapping[str, str], night: str) -> str:
    """Return what a shell runs, from any folder, to write the report of a night as a page."""
    variables = [f"{name}={shlex.quote(value)}" for name, value in options.items()]
    corral = shlex.quote(str(Path(sys.executable).with_name("corral")))
    return " ".join([*variables, corral, "report", "--night", night, "--html"])


def require_space(home: Path, *, needed_bytes: int = NEEDED_BYTES) -> None:
    """Refuse a disk that would be full before the night is done.

    Raises
    ------
    ConfigurationError
        There is too little room.
    """
    home.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(home).free) < needed_bytes:
        raise ConfigurationError(
            f"only {free >> 20} MB are free at {home}, {needed_bytes >> 20} MB are needed; free "
            "some, or name another place: python -m tools.demo --home /other/disk/demo"
        )


def simulate(settings: Settings, *, plan: NightPlan) -> str:
    """Write the frames of the planned night below the inbox and return the night's key."""
    night = plan.night.isoformat()
    folder = settings.inbox / night
    folder.mkdir(parents=True, exist_ok=True)
    Corral(settings).engine.dispose()  # the schema is in place before four tasks want it at once
    say = sparse(lambda line: print_progress(f"  {line}"))
    truth = simulate_night(plan, folder, on_progress=say)
    # What a site has from a survey of the sky, a simulated field has from its truth.
    catalog = profile_of(profile_name(settings), settings).catalog
    if catalog is not None and (catalogs := settings.pipeline.get("catalogs")):
        write_truth_catalog(truth, Path(catalogs) / catalog.file)
    print_progress(f"  {sum(1 for _ in folder.iterdir())} files in {folder}")
    return night


def reduce_nights(api: AirflowApi, settings: Settings) -> list[str]:
    """Have the frames loaded and their nights reduced; nothing is running any more afterwards.

    Raises
    ------
    StackError
        A run failed, with the logs of its failed tasks; or no frame came in.
    """
    api.wait_for_dags(*DAGS)
    for dag_id in DAGS:
        api.unpause(dag_id)
    # The watcher of the inbox would ring too; a run by hand does not wait for its turn.
    finish(api, api.trigger(LOAD_DAG))
    nights = loaded_nights(settings)
    for night in nights:
        finish(api, api.trigger(NIGHT_DAG, partition_key=night))
    for run in [run for dag_id in DAGS for run in api.runs(dag_id) if not run.ended]:
        finish(api, run)
    return nights


def loaded_nights(settings: Settings) -> list[str]:
    """Return the nights that have frames.

    Raises
    ------
    StackError
        There is none; what was refused is in the message.
    """
    with Corral(settings).read() as session:
        dates = session.scalars(
            sa.select(Night.date).distinct().where(Night.id.in_(sa.select(Frame.night_id)))
        ).all()
        refused = session.execute(
            sa.select(Rejection.reason, sa.func.count()).group_by(Rejection.reason)
        ).all()
    if not dates:
        reasons = ", ".join(f"{count} {reason}" for reason, count in refused) or "no FITS file"
        raise StackError(
            f"no frame of {settings.inbox} could be loaded with profile "
            f"{profile_name(settings)!r}: {reasons}. Is PROFILE the right one?"
        )
    return [day.isoformat() for day in sorted(dates)]


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


def require_products(settings: Settings, nights: Sequence[str]) -> None:
    """Refuse nights whose runs all succeeded because there was nothing that they could do.

    Raises
    ------
    StackError
        No product was made; what each step did is in the message.
    """
    with Corral(settings).read() as session:
        made = session.scalar(sa.select(sa.func.count()).select_from(Product))
    if not made:
        raise StackError(f"no product was made\n{summary(settings, nights)}")


def summary(settings: Settings, nights: Sequence[str]) -> str:
    """Return what the Corral database says: nights, frames, what each step has done, products."""
    frames = sa.select(Frame.kind, sa.func.count()).group_by(Frame.kind)
    products = (
        sa.select(Product.kind, sa.func.count()).where(Product.current).group_by(Product.kind)
    )
    steps = (
        sa.select(StepRun.step, sa.func.sum(StepRun.done), sa.func.sum(StepRun.failed))
        .group_by(StepRun.step)
        .order_by(sa.func.min(StepRun.id))
    )
    with Corral(settings).read() as session:
        work = [f"  {done:5} done {bad:5} failed  {s}" for s, done, bad in session.execute(steps)]
        came = ", ".join(f"{count} {kind}" for kind, count in session.execute(frames))
        made = ", ".join(f"{count} {kind}" for kind, count in session.execute(products))
        sky = seen_in_the_sky(session)
    rows = [f"Night     {', '.join(nights)}", *work, f"Frames    {came}", f"Products  {made}"]
    return "\n".join([*rows, *sky])


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
    parser.add_argument("--data", type=Path, help="reduce the frames of this folder instead")
    parser.add_argument("--profile", default="", help="instrument profile by which they are read")
    given = parser.parse_args(argv)
    for signum in _INTERRUPTS:
        signal.signal(signum, signal.default_int_handler)
    try:
        demo(given.home.resolve(), port=given.port, data=given.data, profile=given.profile)
    except KeyboardInterrupt:
        print_progress("interrupted; nothing is left running")
        return 130
    except ConfigurationError as error:
        print_progress(f"{error}\nnothing was started")
        return 2
    except (AirflowError, TimeoutError) as error:
        print_progress(f"{error}\nnothing is left running; logs are below {given.home / 'logs'}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
