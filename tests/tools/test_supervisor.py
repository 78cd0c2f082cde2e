from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from tools.airflow_env import ROOT
from tools.processes import alive, marked
from tools.progress import wait_until
from tools.supervisor import read_state, start_detached, stop, write_state


def test_a_stranger_with_the_recorded_pid_is_not_the_supervisor(tmp_path):
    """After a reboot `make stop` ends nobody else's process."""
    write_state(tmp_path, url="http://127.0.0.1:1", ready=True)
    state = read_state(tmp_path)
    assert state is not None
    assert state.process() is not None
    reused = type(state)(pid=state.pid, started=state.started - 60, url=state.url, ready=True)
    assert reused.process() is None


def test_stopping_where_nothing_runs_is_no_error(tmp_path):
    """`make stop` can be given twice."""
    assert not stop(tmp_path)
    command = [sys.executable, "-m", "tools.supervisor", "stop", "--home", str(tmp_path)]
    stopped = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert stopped.stdout == "nothing runs here\n"


@pytest.mark.system
def test_a_detached_stack_stays_until_it_is_stopped(tmp_path):
    """`make demo` leaves it up, `make stop` leaves nothing; a killed supervisor neither."""
    said: list[str] = []
    state = start_detached(tmp_path, on_progress=said.append)
    supervisor = psutil.Process(state.pid)
    assert alive(supervisor)
    assert supervisor.ppid() != os.getpid()
    assert any("waiting for api-server" in line for line in said)
    assert stop(tmp_path, on_progress=said.append)
    assert not alive(supervisor)
    assert marked(tmp_path) == []
    assert read_state(tmp_path) is None


@pytest.mark.system
def test_a_killed_supervisor_takes_airflow_along(tmp_path):
    """SIGKILL leaves no component behind, and the home can be used again."""
    state = start_detached(tmp_path, on_progress=print)
    os.kill(state.pid, signal.SIGKILL)
    wait_until(lambda: "processes still there" if marked(tmp_path) else None, timeout_s=180)
    assert not stop(tmp_path)
