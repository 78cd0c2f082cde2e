"""A night from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from include.ccd.reference_catalog import read_catalog
from include.toritos.simulator.cli import main

FEW = ["--size", "64", "--biases", "1", "--darks", "1", "--flats", "1", "--science", "1"]


def test_options_become_a_night(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two dark exposure times, two filters, the truth outside of the inbox, a line per frame."""
    inbox, truth = tmp_path / "inbox", tmp_path / "truth.json"
    assert main([*FEW, "--out", str(inbox), "--truth", str(truth), "--exptime", "30"]) == 0
    assert sorted(path.name for path in inbox.iterdir()) == [
        "bias-001.fit",
        "dark-010s-001.fit",
        "dark-030s-001.fit",
        "field01-R-0001.fit",
        "field01-V-0001.fit",
        "flat-R-001.fit",
        "flat-V-001.fit",
    ]
    assert json.loads(truth.read_text())["plan"]["exptime_s"] == 30.0
    assert capsys.readouterr().out.count("\n") == 7 + 2


def test_the_field_is_written_as_a_catalogue_of_the_site(tmp_path: Path) -> None:
    """With magnitudes in all filters and a colour; nothing else lies beside it."""
    path = tmp_path / "catalogs" / "toritos.ecsv"
    assert main([*FEW, "--out", str(tmp_path / "inbox"), "--catalog", str(path)]) == 0
    catalog = read_catalog(path)
    assert sorted(catalog.mag) == ["B", "I", "R", "V"]
    assert len(catalog) > 0
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("options", "reason"),
    [(["--size", "1"], "64 to 10560 pixels"), (["--science", "500"], "shorter cadence")],
)
def test_a_night_that_cannot_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    """Exit status 2, the reason on standard error, nothing written."""
    with pytest.raises(SystemExit) as stop:
        main([*FEW, "--out", str(tmp_path / "inbox"), *options])
    assert stop.value.code == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "inbox").exists()


def test_the_package_runs_as_a_program() -> None:
    """Help says how."""
    command = [sys.executable, "-m", "include.toritos.simulator", "--help"]
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--dark-exptimes" in done.stdout
