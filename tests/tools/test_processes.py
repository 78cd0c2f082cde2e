from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tools.airflow_env import ROOT, make_env
from tools.processes import alive, end, marked, tail

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path) -> Iterator[Start]:
    """Start Python code as a process of the home `tmp_path`; it is gone after the test."""
    children: list[subprocess.Popen[bytes]] = []

    def run(code: str, **env: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            env=make_env(tmp_path, extra=env),
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()


def test_a_process_that_renames_itself_is_still_found(start, tmp_path):
    """Airflow's workers set a title, which writes over the place where the marker stands."""
    child = start(
        "import setproctitle, time\n"
        "setproctitle.setproctitle('airflow worker ' + 'x' * 4000)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    assert [child.pid] == [process.pid for process in marked(tmp_path)]
    assert marked(tmp_path / "another") == []


def test_one_component_is_found_apart_from_the_others(start, tmp_path):
    """A dead scheduler's workers can be ended without touching the triggerer."""
    sleeper = "import time; print('ready', flush=True); time.sleep(60)"
    start(sleeper, _CORRAL_STACK_COMPONENT="triggerer")
    worker = start(sleeper, _CORRAL_STACK_COMPONENT="scheduler")
    assert [worker.pid] == [process.pid for process in marked(tmp_path, component="scheduler")]
    assert len(marked(tmp_path)) == 2


def test_what_ignores_the_polite_signal_is_killed(start, tmp_path):
    """A scheduler that hangs at its end does not outlive its stack."""
    start(
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    assert end(marked(tmp_path), grace_s=0.2) == 1
    assert marked(tmp_path) == []


def test_a_zombie_counts_as_ended(start):
    """Where PID 1 waits for nobody, ending an orphan must not wait for ever."""
    child = start("print('ready', flush=True)")
    process = psutil.Process(child.pid)
    deadline = time.monotonic() + 5
    while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(process)
    assert end([process], grace_s=5) == 0


def test_children_of_a_killed_supervisor_end(start):
    """SIGKILL of the supervisor leaves no Airflow behind."""
    code = (
        "import os, subprocess, sys, time\n"
        "child = 'import os, sys, time; from tools.processes import die_with;'\n"
        "child += 'die_with(os.getppid()); print(os.getpid(), flush=True); time.sleep(60)'\n"
        "process = subprocess.Popen([sys.executable, '-c', child], stdout=subprocess.PIPE)\n"
        "pid = process.stdout.readline()\n"
        "print('ready', flush=True); print(int(pid), flush=True); time.sleep(60)"
    )
    parent = start(code)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(child)


def test_the_tail_of_a_log_is_its_last_lines(tmp_path):
    """An error shows why a component died, not its banner."""
    log = tmp_path / "scheduler.log"
    log.write_text("".join(f"line {n}\n" for n in range(10_000)))
    assert tail(log, lines=2) == "line 9998\nline 9999"
    assert "no log" in tail(tmp_path / "absent.log")
