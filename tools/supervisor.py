"""A stack that stays up in the background: `python -m tools.supervisor start|stop --home HOME`.

The supervisor's PID, start time and address stand in `HOME/supervisor.json` while it lives, its
lines in `HOME/logs/supervisor.log`. `run` is the same in the foreground.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tools.airflow_env import ROOT
from tools.processes import alive, end, marked
from tools.progress import Progress, print_progress
from tools.stack import Stack, StackError

DEFAULT_HOME = ROOT / ".airflow"


@dataclass(frozen=True, slots=True)
class State:
    """What a supervisor says of itself; `ready` once all components are healthy."""

    pid: int
    started: float
    url: str
    ready: bool

    def process(self) -> psutil.Process | None:
        """Return the living supervisor; a stranger that took over its PID is not one."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if alive(process) and abs(process.create_time() - self.started) < 1:
                return process
        return None


def read_state(home: Path) -> State | None:
    """Return what the home's last supervisor wrote, or None."""
    try:
        return State(**json.loads(_state_path(home).read_text()))
    except FileNotFoundError:
        return None


def start_detached(home: Path, *, port: int = 0, on_progress: Progress = print_progress) -> State:
    """Start a supervisor that outlives this process; return once its stack is healthy.

    Raises
    ------
    StackError
        It ended before that; its lines were handed to `on_progress`.
    """
    log = _log_path(home)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    command = [sys.executable, "-m", "tools.supervisor", "start", "--home", str(home)]
    forked = subprocess.run(
        [*command, "--port", str(port)],
        cwd=ROOT,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    supervisor = psutil.Process(int(forked.stdout))
    try:
        return _wait_ready(home, supervisor, on_progress)
    except BaseException:
        end([supervisor], grace_s=90)
        raise


def _wait_ready(home: Path, supervisor: psutil.Process, on_progress: Progress) -> State:
    with _log_path(home).open() as lines:
        while alive(supervisor):
            _relay(lines.readlines(), on_progress)
            state = read_state(home)
            if state is not None and state.pid == supervisor.pid and state.ready:
                return state
            time.sleep(0.3)
        _relay(lines.readlines(), on_progress)
    raise StackError(f"the supervisor ended; see {_log_path(home)}")


def stop(home: Path, *, on_progress: Progress = print_progress) -> bool:
    """End the home's supervisor and all its processes; return whether there was anything."""
    state = read_state(home)
    supervisor = state.process() if state is not None else None
    if supervisor is not None:
        on_progress(f"stopping Airflow (supervisor {supervisor.pid})")
        end([supervisor], grace_s=90)
    left = marked(home)
    end(left, grace_s=20)
    _state_path(home).unlink(missing_ok=True)
    return supervisor is not None or bool(left)


def run(home: Path, *, port: int) -> None:
    """Supervise a stack until SIGTERM or SIGINT."""
    if (state := read_state(home)) is not None and state.process() is not None:
        raise StackError(f"supervisor {state.pid} runs on {home} at {state.url}; stop it first")
    stack = Stack(home, port=port)
    write_state(home, url=stack.url, ready=False)
    try:
        with stack:
            write_state(home, url=stack.url, ready=True)
            stack.wait()
    finally:
        _state_path(home).unlink(missing_ok=True)


def write_state(home: Path, *, url: str, ready: bool) -> None:
    """Leave the whole state of this process in the home, never a half of it."""
    me = psutil.Process()
    state = State(pid=me.pid, started=me.create_time(), url=url, ready=ready)
    partial = _state_path(home).with_suffix(".partial")
    partial.write_text(json.dumps(asdict(state)))
    partial.replace(_state_path(home))


def _state_path(home: Path) -> Path:
    return home / "supervisor.json"


def _log_path(home: Path) -> Path:
    return home / "logs" / "supervisor.log"


def _fork(home: Path, *, port: int) -> None:
    """Print the PID of a supervisor that goes on when this process ends.

    Nobody's child, it is no zombie when it ends and no concern of the process that asked for it.
    """
    if pid := os.fork():
        print(pid)
        return
    log = os.open(_log_path(home), os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.exit(main(["run", "--home", str(home), "--port", str(port)]))


def _relay(lines: list[str], on_progress: Progress) -> None:
    for line in lines:
        on_progress(line.rstrip("\n"))


def main(argv: list[str] | None = None) -> int:
    """Start, run or stop a supervisor from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.supervisor", description=__doc__)
    parser.add_argument("action", choices=("start", "run", "stop"))
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME)
    parser.add_argument("--port", type=int, default=0, help="of the API server; 0: any free one")
    given = parser.parse_args(argv)
    home = given.home.resolve()
    if given.action == "stop":
        print("stopped" if stop(home) else "nothing runs here")
        return 0
    if given.action == "start":
        _fork(home, port=given.port)
        return 0
    try:
        run(home, port=given.port)
    except KeyboardInterrupt:
        print_progress("stopped")
    except StackError as error:
        print_progress(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
