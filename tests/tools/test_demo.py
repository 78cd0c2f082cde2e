from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from include.corral.errors import ConfigurationError
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
    """A second call leaves the files as they are: a demo can be repeated."""
    settings = Settings.below(tmp_path)
    plan = NightPlan(night=date(2026, 11, 20), size_px=64, biases=2, darks={}, flats={}, science={})
    assert demo.simulate(settings, plan=plan) == "2026-11-20"
    first = {path: path.stat() for path in (tmp_path / "inbox" / "2026-11-20").iterdir()}
    demo.simulate(settings, plan=plan)
    assert len(first) == 2
    assert {path: path.stat() for path in settings.inbox.glob("*/*")} == first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "no/such"], "DATA=no/such is no folder"),
        (["--data", ".", "--profile", "holga"], "known are eaba, kpno, microobs, nickel"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_starts(tmp_path, capsys, words, said):
    """One sentence names what is wrong and what there is; the home of before stays as it was."""
    assert demo.main(["--home", str(tmp_path), *words]) == 2
    assert said in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_printed_command_writes_the_report(tmp_path):
    """From any folder, of the installation that the demo has made."""
    home = tmp_path / "with a blank"
    home.mkdir()
    command = demo.report_command(demo.options(home, None, ""), "2026-11-20")
    done = subprocess.run(
        command, shell=True, check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = home / "corral" / "reports" / "2026-11-20.html"
    assert "Night 2026-11-20" in page.read_text(encoding="utf-8")


def test_a_disk_too_small_is_said_before_anything_starts(tmp_path):
    """How much there is, how much is needed, and what to do."""
    with pytest.raises(ConfigurationError, match="MB are needed; free some, or name another place"):
        demo.require_space(tmp_path, needed_bytes=1 << 60)


def test_a_folder_of_frames_has_a_ledger_of_its_own(tmp_path):
    """What was made of the simulated night is not mixed with it."""
    data = tmp_path / "nickel"
    data.mkdir()
    simulated, real = demo.options(tmp_path, None, ""), demo.options(tmp_path, data, "nickel")
    assert simulated["CORRAL_HOME"] != real["CORRAL_HOME"]
    assert real["CORRAL_INBOX"] == str(data)
    assert real["CORRAL_PROFILE"] == "nickel"


def test_a_folder_without_frames_says_what_was_refused(tmp_path):
    """The likeliest cause is the wrong profile."""
    with pytest.raises(demo.StackError, match=r"no frame of .*inbox could be loaded with profile"):
        demo.loaded_nights(Settings.below(tmp_path))


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
    assert "Placed    40 images" in shown.stdout
    assert "Zero V    " in shown.stdout
    assert "login     admin / " in shown.stdout
    assert "Products  40 calibrated, 2 coadd, 40 difference, 1 master_bias" in shown.stdout
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
