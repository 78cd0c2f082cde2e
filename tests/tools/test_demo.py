from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from include.corral.settings import Settings
from include.toritos.simulator import NightPlan
from tools import demo
from tools.airflow_env import ROOT
from tools.processes import marked
from tools.supervisor import read_state, stop


@pytest.fixture
def home(tmp_path) -> Iterator[Path]:
    """A home whose demo is ended after the test."""
    yield tmp_path
    stop(tmp_path)
    assert marked(tmp_path) == []


def test_the_simulated_night_lies_below_the_inbox(tmp_path):
    """A second call writes the same files again: a demo can be repeated."""
    settings = Settings.below(tmp_path)
    plan = NightPlan(night=date(2026, 11, 20), size_px=64, biases=2, darks={}, flats={}, science={})
    assert demo.simulate(settings, plan=plan) == "2026-11-20"
    first = {path: path.read_bytes() for path in (tmp_path / "inbox" / "2026-11-20").iterdir()}
    demo.simulate(settings, plan=plan)
    assert len(first) == 2
    assert {path: path.read_bytes() for path in first} == first


@pytest.mark.system
@pytest.mark.timeout(900)
def test_the_demo_reduces_a_night_and_leaves_the_pages_up(home):
    """As `make demo`: it ends by itself, says how to log in, and the address answers."""
    command = [sys.executable, "-m", "tools.demo", "--home", str(home), "--port", "0"]
    shown = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    print(shown.stdout)
    assert shown.returncode == 0
    state = read_state(home)
    assert state is not None
    assert state.url in shown.stdout
    assert "login    admin / " in shown.stdout
    assert httpx.get(state.url, follow_redirects=True, trust_env=False).status_code == 200


@pytest.mark.system
def test_a_demo_that_fails_leaves_nothing_running(home):
    """The exit code tells, the reason is shown, and no process stays."""
    (home / "airflow.db").mkdir()
    command = [sys.executable, "-m", "tools.demo", "--home", str(home), "--port", "0"]
    shown = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert shown.returncode == 1
    assert "unable to open database file" in shown.stdout
    assert marked(home) == []
