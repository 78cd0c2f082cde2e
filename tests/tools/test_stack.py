from __future__ import annotations

import os
import signal

import psutil
import pytest

from tools.processes import marked
from tools.progress import wait_until
from tools.stack import COMPONENTS, Stack, StackError

pytestmark = pytest.mark.system


def test_a_killed_component_is_restarted_and_its_children_are_ended(probe_stack):
    """Workers of a killed scheduler would claim tasks beside those of the next one."""
    before = {process.pid for process in marked(probe_stack.home, component="scheduler")}
    os.kill(probe_stack.children["scheduler"].pid, signal.SIGKILL)
    wait_until(lambda: None if probe_stack.restarts else "restart", timeout_s=10)
    assert probe_stack.restarts[-1][1] == "scheduler"
    with probe_stack.api() as api:
        wait_until(
            lambda: None if _workers(probe_stack) and not api.unhealthy() else "healthy again",
            timeout_s=90,
        )
    assert not before & {process.pid for process in marked(probe_stack.home)}


def test_nothing_listens_beyond_this_machine(probe_stack):
    """No port of the stack can be reached from the network."""
    listening = [
        connection.laddr
        for process in marked(probe_stack.home)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert f":{listening[0].port}" in probe_stack.url


def test_a_home_has_one_stack(probe_stack, probe_settings):
    """A second one is refused and leaves the first, whose processes bear the same mark, alone."""
    with (
        pytest.raises(StackError, match="another stack"),
        Stack(probe_stack.home, extra=probe_settings),
    ):
        pass
    assert all(probe_stack.children[name].poll() is None for name in COMPONENTS)


def test_a_database_that_cannot_be_used_is_reported_with_the_log(tmp_path, probe_settings):
    """The error shows Airflow's own last lines, and nothing is left running."""
    broken = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/no/such/folder.db"}
    with (
        pytest.raises(StackError, match="unable to open database file"),
        Stack(tmp_path, extra={**probe_settings, **broken}),
    ):
        pass
    assert marked(tmp_path) == []


def _workers(stack: Stack) -> list[psutil.Process]:
    return [
        process
        for process in marked(stack.home, component="scheduler")
        if process.ppid() == stack.children["scheduler"].pid
    ]
