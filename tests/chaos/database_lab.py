"""A tiny night, and installations that reduce it on a database that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.pool import NullPool

from include.corral.audit import audit
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import Retryable
from include.corral.processor import Processor
from include.corral.trigger import Trigger
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import NightPlan, simulate_night
from models import Outcome, Product, UnitRun
from tools import postgres

TRIES_AT_MOST = 12
PAUSE_S = 0.2  # between two tries
PROCESSORS = (TORITOS.loader, *TORITOS.steps)
CLIENTS = "backend_type = 'client backend' AND pid <> pg_backend_pid()"


def observe(inbox: Path) -> None:
    """Write the frames of a tiny night."""
    plan = NightPlan(
        night=date(2026, 11, 20),
        size_px=64,
        biases=3,
        darks={60.0: 3},
        flats={"V": 3},
        science={"V": 3},
    )
    simulate_night(plan, inbox / "2026-11-20")


def reduce(corral: Corral) -> int:
    """Trigger everything, again and again, until nothing fails; give how often it did."""
    failed = 0
    for processor in PROCESSORS:
        while _failed(corral, processor(), try_number=failed + 1):
            failed += 1
            assert failed <= TRIES_AT_MOST
            time.sleep(PAUSE_S)
    return failed


def _failed(corral: Corral, processor: Processor, *, try_number: int) -> bool:
    """Trigger it as Airflow does; whatever goes wrong must be worth another try."""
    task = Trigger(dag_id="chaos", run_id="run", task_id=processor.name, try_number=try_number)
    try:
        report = drain(corral, processor, trigger=task)
    except Retryable:
        return True
    assert {failure.failure_class for failure in report.failures} <= {"retry"}
    return bool(report.failures or report.standing)


def violations(corral: Corral) -> list[str]:
    """Broken promises, and units that were done twice for the same wanted result."""
    done = select(UnitRun.unit_id, UnitRun.fingerprint).where(UnitRun.outcome == Outcome.DONE)
    with corral.read() as session:
        times = Counter(map(tuple, session.execute(done)))
    found = [str(each) for each in audit(corral, promises=TORITOS.promises)]
    return found + [f"unit {unit} was done {n} times" for unit, n in times.items() if n > 1]


def made(corral: Corral) -> set[tuple[str, str]]:
    """Kind and content of every current product."""
    with corral.read() as session:
        query = select(Product.kind, Product.sha256).where(Product.current)
        return {(kind, sha256) for kind, sha256 in session.execute(query)}


def differing(wanted: Iterable[object], found: Iterable[object]) -> list[str]:
    """Say what the same inputs have led to in one installation and not in the other."""
    missing, beyond = set(wanted) - set(found), set(found) - set(wanted)
    return [f"missing: {it}" for it in missing] + [f"not expected: {it}" for it in beyond]


class Server:
    """A PostgreSQL server that waits for the disk, and can be ended in every way."""

    def __init__(self, home: Path, url: str) -> None:
        self.url = url
        self.port = make_url(url).port
        self._data = home / "data"

    def end_connections(self) -> None:
        """pg_terminate_backend, of all that there are."""
        statement = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {CLIENTS}"
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(statement))

    def stop_at_once(self) -> None:
        """pg_ctl stop -m immediate, which is a crash; then it is started again."""
        self._control("-m", "immediate", "restart")

    def kill(self) -> None:
        """Kill -9 of the postmaster; its children see it, and it is started again."""
        pid_file = self._data / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        time.sleep(1.0)
        # In a container it may stay as a zombie, which pg_ctl would wait for.
        for left in (pid_file, self._data.parent / f".s.PGSQL.{self.port}.lock"):
            left.unlink()
        self._control("restart")

    def _control(self, *words: str) -> None:
        binaries = postgres.server_binaries()
        assert binaries is not None
        log = self._data.parent / "server.log"
        subprocess.run(
            [binaries / "pg_ctl", "-D", self._data, "-w", "-l", log, *words],
            check=True,
            user="postgres" if os.getuid() == 0 else None,
            cwd="/",
            stdout=subprocess.DEVNULL,
        )
