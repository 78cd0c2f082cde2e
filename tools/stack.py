"""A local Airflow of four components: started, watched, restarted and ended by us.

`airflow standalone` leaves its children behind on SIGTERM and restarts none that dies.
"""

from __future__ import annotations

import fcntl
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tools.airflow_api import AirflowApi, AirflowError
from tools.airflow_env import USERNAME, make_env, password
from tools.processes import Child, end, marked, spawn_airflow, tail
from tools.progress import Progress, print_progress, wait_until

# Those that run work are ended first, so that a task can still report to the API server.
WORKERS = ("scheduler", "dag-processor", "triggerer")
COMPONENTS = ("api-server", *WORKERS)

# Log servers listen on every address of the machine; on one machine logs are read as files.
_OPTIONS = {"scheduler": ("--skip-serve-logs",), "triggerer": ("--skip-serve-logs",)}
_RESTARTS_PER_MINUTE = 5


class StackError(AirflowError):
    """The stack cannot start or go on; the message carries the log's last lines."""


class Stack:
    """Four Airflow components on one home; `with Stack(home) as stack:` leaves none behind.

    Parameters
    ----------
    home : Path
        Folder of everything that Airflow writes (see `airflow_env`).
    port, smtp_port, extra
        Handed to `make_env`.
    on_progress : callable
        Receives a line for every wait and every restart.
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int = 0,
        smtp_port: int | None = None,
        extra: Mapping[str, str] | None = None,
        on_progress: Progress = print_progress,
        start_timeout_s: float = 300,
        stop_grace_s: float = 20,
    ) -> None:
        self.home = home.resolve()
        self.env = make_env(self.home, port=port, smtp_port=smtp_port, extra=extra)
        self.url = self.env["AIRFLOW__API__BASE_URL"]
        self.children: dict[str, Child] = {}
        self.restarts: list[tuple[float, str]] = []
        self.failure: str | None = None
        self._say = on_progress
        self._start_timeout_s = start_timeout_s
        self._stop_grace_s = stop_grace_s
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="stack-watcher", daemon=True)
        self._lock: IO[str] | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._handle_signals()
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second Ctrl-C must not interrupt the ending, which is bounded in time.
        for signum in self._handlers:
            signal.signal(signum, signal.SIG_IGN)
        try:
            self.stop()
        finally:
            for signum, handler in self._handlers.items():
                signal.signal(signum, handler)

    def api(self) -> AirflowApi:
        """Return a client logged in as the home's user; close it after use."""
        return AirflowApi(self.url, username=USERNAME, password=password(self.home))

    def start(self) -> None:
        """Migrate the database, start the components and return when all are healthy."""
        self._take_home()
        self._migrate()
        for name in COMPONENTS:
            self._spawn(name)
        with self.api() as api:
            try:
                seconds = wait_until(
                    lambda: self._unready(api),
                    timeout_s=self._start_timeout_s,
                    on_progress=self._say,
                )
            except TimeoutError as error:
                logs = "\n".join(f"-- {n}\n{tail(self._log(n), lines=8)}" for n in COMPONENTS)
                raise StackError(f"Airflow is not healthy {error}\n{logs}") from error
        self._say(f"Airflow is healthy at {self.url} after {seconds:.0f} s")
        self._watcher.start()

    def wait(self) -> None:
        """Block until the stack is stopped.

        Raises
        ------
        StackError
            A component died again and again; restarting was given up.
        """
        self._stopping.wait()
        if self.failure is not None:
            raise StackError(self.failure)

    def stop(self) -> None:
        """End every process of this home; none is left when this returns.

        A home that is another stack's, because `start` was refused, is left alone.
        """
        self._stopping.set()
        if self._lock is None:
            return
        if self._watcher.ident is not None:
            self._watcher.join()  # it may be about to restart something
        for wave in (WORKERS, ("api-server",)):
            self._end([self.children[name] for name in wave if name in self.children])
        self.children.clear()
        killed = end(marked(self.home), grace_s=2)
        if killed:
            self._say(f"{killed} processes had to be killed")
        self._lock.close()
        self._lock = None

    def _take_home(self) -> None:
        """Be the only supervisor of this home; what a killed one left behind is ended."""
        (self.home / "logs").mkdir(exist_ok=True)
        lock = (self.home / "supervisor.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise StackError(f"another stack runs on {self.home}; stop it first") from error
        self._lock = lock
        if left := marked(self.home):
            self._say(f"ending {len(left)} processes that an earlier stack left behind")
            end(left, grace_s=self._stop_grace_s)

    def _migrate(self) -> None:
        self._say("migrating Airflow's database")
        started = time.monotonic()
        child = spawn_airflow(
            ["db", "migrate"], component="migrate", env=self.env, log=self._fresh_log("migrate")
        )
        if child.wait(timeout=self._start_timeout_s):
            raise StackError(f"airflow db migrate failed:\n{tail(self._log('migrate'))}")
        self._say(f"  {time.monotonic() - started:5.0f} s  database ready")

    def _spawn(self, name: str) -> None:
        log = self._log(name) if name in self.children else self._fresh_log(name)
        command = [name, *_OPTIONS.get(name, ())]
        self.children[name] = spawn_airflow(command, component=name, env=self.env, log=log)

    def _unready(self, api: AirflowApi) -> str | None:
        for name, child in self.children.items():
            if (code := child.poll()) is not None:
                raise StackError(f"{name} ended with {code}:\n{tail(self._log(name))}")
        waiting = api.unhealthy()
        return f"waiting for {', '.join(waiting)}" if waiting else None

    def _watch(self) -> None:
        while not self._stopping.wait(1):
            for name, child in list(self.children.items()):
                if (code := child.poll()) is not None:
                    self._replace(name, code)

    def _replace(self, name: str, code: int) -> None:
        """Restart a dead component, unless it dies faster than restarting can help."""
        now = time.monotonic()
        self.restarts.append((now, name))
        recent = sum(who == name and now - when < 60 for when, who in self.restarts)
        if recent > _RESTARTS_PER_MINUTE:
            self.failure = f"{name} ended {recent} times in a minute:\n{tail(self._log(name))}"
            self._say(self.failure)
            self._stopping.set()
            return
        self._say(f"{name} ended with {code}; restarting it")
        # Workers and tasks of a killed scheduler would go on beside those of the new one.
        end(marked(self.home, component=name), grace_s=2)
        self._spawn(name)

    def _end(self, children: list[Child]) -> None:
        for child in children:
            child.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + self._stop_grace_s
        for child in children:
            try:
                child.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.signal_group(signal.SIGKILL)
                child.wait()

    def _log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _fresh_log(self, name: str) -> Path:
        """Return the path of an empty log; the one before it is kept as `<name>.1.log`."""
        log = self._log(name)
        if log.exists():
            log.replace(log.with_suffix(".1.log"))
        return log

    def _handle_signals(self) -> None:
        """Make SIGTERM and SIGHUP leave the `with` block the way Ctrl-C does."""
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._handlers[signum] = signal.signal(signum, signal.default_int_handler)
