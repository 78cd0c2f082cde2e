"""Child processes that never outlive us: spawned in groups, found by a marker, ended by PID."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tools.airflow_env import MARKER, ROOT

_COMPONENT = f"{MARKER}_COMPONENT"
_PR_SET_PDEATHSIG = 1


def spawn_airflow(
    command: Sequence[str], *, component: str, env: Mapping[str, str], log: Path
) -> Child:
    """Start `airflow <command>` in a process group of its own, its output appended to `log`."""
    with log.open("ab") as output:
        return Child(
            [sys.executable, "-m", "tools.processes", str(os.getpid()), *command],
            env={**env, _COMPONENT: component},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class Child(subprocess.Popen[bytes]):
    """A component: a process that leads its own group."""

    def signal_group(self, signum: signal.Signals) -> None:
        """Signal every process of the group; none left is no error."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signum)


def marked(home: Path, *, component: str | None = None) -> list[psutil.Process]:
    """Return the living processes started for this home (or one component), ourselves excepted."""
    wanted = {MARKER: str(home.resolve())} | ({_COMPONENT: component} if component else {})
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            other = process.pid != os.getpid() and alive(process)
            if other and wanted.items() <= process.environ().items():
                found.append(process)
    return found


def alive(process: psutil.Process) -> bool:
    """Return whether it still runs; a zombie that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(processes: Sequence[psutil.Process], *, grace_s: float) -> int:
    """End these processes and return how many outlived SIGTERM by `grace_s` and were killed.

    psutil compares start times before it signals: a PID taken over by a stranger is left alone.
    """
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
    stubborn = _outlive(processes, grace_s)
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()
    _outlive(stubborn, 5)
    return len(stubborn)


def _outlive(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Return those that are still alive after so many seconds."""
    # Not psutil.wait_procs: it waits for a zombie whose parent, a container's PID 1, never does.
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if alive(process)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    return left


def tail(path: Path, *, lines: int = 20) -> str:
    """Return the last lines of a log, or a sentence when there is none."""
    if not path.exists():
        return f"(no log at {path})"
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 16_384))
        text = stream.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def die_with(parent_pid: int) -> None:
    """Ask for SIGTERM at the death of the parent: a killed one has no chance to end us."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:  # it died before we could ask
        sys.exit("the supervisor is gone")


def _become_airflow(parent_pid: int, command: Sequence[str]) -> None:
    die_with(parent_pid)
    os.execv(sys.executable, [sys.executable, "-m", "airflow", *command])  # noqa: S606


if __name__ == "__main__":
    _become_airflow(int(sys.argv[1]), sys.argv[2:])
