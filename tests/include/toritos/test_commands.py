"""`corral report` on the command line."""

from __future__ import annotations

import pytest

from include.corral import cli
from include.toritos.pipeline import TORITOS


@pytest.fixture
def command(station, monkeypatch, capsys):
    """Runs a command; gives its status and what it printed."""
    monkeypatch.setenv("CORRAL_HOME", str(station.corral.settings.inbox.parent))

    def run(*arguments: str) -> tuple[int, str]:
        status = cli.main(TORITOS, arguments)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def test_report_is_printed_or_written(station, command, tmp_path) -> None:
    """As text by default, as a page where it is asked for, as both."""
    station.put("a.fits", kind="science")
    station.load()
    status, text = command("report", "--night", "2026-11-20")
    assert (status, text.splitlines()[0]) == (0, "Night 2026-11-20, Cordón Macón")
    page = tmp_path / "night.html"
    status, text = command("report", "--night", "2026-11-20", "--html", str(page))
    assert text.startswith(f"{page}: ")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    status, text = command(
        "report", "--night", "2026-11-20", "--until", "2026-11-22", "--html", "--text"
    )
    assert (status, text.splitlines()[0]) == (0, "Night 2026-11-20 to 2026-11-22, Cordón Macón")
    folder = station.corral.settings.products.parent / "reports"
    assert [path.name for path in folder.iterdir()] == ["2026-11-20_to_2026-11-22.html"]


def test_report_that_makes_no_sense_is_refused(station, command, tmp_path) -> None:
    """With the reason, and without a trace of Python."""
    station.load()
    status, text = command("report", "--night", "2026-11-20", "--until", "2026-11-19")
    assert (status, text) == (1, "corral: --until 2026-11-19 is before --night 2026-11-20\n")
    (tmp_path / "file").touch()
    status, text = command("report", "--night", "2026-11-20", "--html", str(tmp_path / "file/a"))
    assert status == 1
    assert "cannot be written" in text
    with pytest.raises(SystemExit):
        command("report", "--night", "yesterday")
