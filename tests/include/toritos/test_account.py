"""Every file that was seen is registered, rejected, or waits: the account closes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from include.corral import cli
from include.toritos.account import account, account_lines, files_are_accounted_for
from include.toritos.pipeline import TORITOS
from models import Rejection, Sighting

AT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)


@pytest.fixture
def full(both, make_frame):
    """Two nights with good, bad and waiting files, copies, and files without a header."""
    both.put("n/1.fits", pixels=1)
    both.put("n/2.fits", pixels=2)
    both.put("n/2-copy.fits", pixels=2)
    both.put("n/half.fits", make_frame(pixels=3)[:6000])
    both.put("n/bad.fits", cards={"EXPTIME": -5.0})
    both.put("m/4.fits", pixels=4, at=AT + timedelta(days=1))
    both.put("page.fits", b"<html>404</html>" * 200)
    both.put("empty.fits", b"")
    both.load()
    return both


def counted(station, night: str | None = None) -> dict[str, tuple]:
    with station.corral.read() as session:
        return {
            row.night: (row.seen, row.registered, dict(row.rejected), dict(row.waiting))
            for row in account(session, night)
        }


def closes(station) -> bool:
    with station.corral.read() as session:
        rows = account(session)
        lost = list(files_are_accounted_for(session))
    return lost == [] and all(row.difference == 0 for row in rows)


def test_files_are_counted_by_night_and_reason(full) -> None:
    """Those whose header cannot be read have no night."""
    assert counted(full) == {
        "2026-11-20": (5, 3, {"bad_exptime": 1}, {"truncated_data": 1}),
        "2026-11-21": (1, 1, {}, {}),
        "no night": (2, 0, {"not_fits": 1}, {"empty": 1}),
        "all": (8, 4, {"bad_exptime": 1, "not_fits": 1}, {"truncated_data": 1, "empty": 1}),
    }
    assert counted(full, "2026-11-21") == {"2026-11-21": (1, 1, {}, {})}
    assert closes(full)


def test_account_closes_while_files_change_turn_bad_and_go(full, make_frame, monkeypatch) -> None:
    """After every load, whatever became of the files."""
    box = full.corral.settings.inbox
    (box / "n/bad.fits").unlink()
    (box / "n/1.fits").unlink()  # a registered frame counts, wherever its file is now
    full.put("n/half.fits", make_frame(pixels=3))
    full.put("n/2.fits", make_frame(pixels=2)[:6000])
    full.load()
    assert counted(full)["all"] == (7, 4, {"not_fits": 1}, {"truncated_data": 1, "empty": 1})
    assert closes(full)
    full.hours_later(monkeypatch, 13)
    full.load()
    assert counted(full)["all"] == (
        7,
        4,
        {"not_fits": 1, "truncated_data": 1, "empty": 1},
        {},
    )
    assert closes(full)


def test_file_that_could_not_be_read_yet_waits(full, monkeypatch) -> None:
    """An I/O error is neither the file's fault nor its end."""

    def failing(*_args: object, **_kwargs: object) -> None:
        raise OSError(5, "Input/output error")

    full.put("n/new.fits", pixels=9)
    with monkeypatch.context() as patch:
        patch.setattr("include.ccd.safe_reader.inspect_safely", failing)
        full.load()
    assert counted(full)["no night"][3] == {"empty": 1, "not_read_yet": 1}
    assert closes(full)
    full.load()
    assert counted(full)["no night"][3] == {"empty": 1}


@pytest.mark.parametrize("table", [Sighting, Rejection])
def test_lost_file_is_found_by_the_account(full, table) -> None:
    """A row that vanishes from under the ledger is a difference, and named."""
    path = "n/1.fits" if table is Sighting else "n/bad.fits"
    with full.corral.write() as session:
        session.execute(delete(table).where(table.path == path))
    with full.corral.read() as session:
        total = account(session)[-1]
        (violation,) = files_are_accounted_for(session)
        lines = "\n".join(account_lines(account(session)))
    assert total.difference == 1
    assert (violation.invariant, violation.subject) == ("I24", f"file '{path}'")
    assert "1 file(s) of which nobody knows what became" in lines


def test_account_is_printed_as_a_table(full) -> None:
    """Nights, the sum, and the reasons below."""
    with full.corral.read() as session:
        lines = list(account_lines(account(session)))
    assert lines[0].split() == ["night", "seen", "registered", "rejected", "waiting"]
    assert lines[1].split() == ["2026-11-20", "5", "3", "1", "1"]
    assert lines[2].split() == ["rejected", "1", "bad_exptime"]
    assert any(line.split() == ["all", "8", "4", "2", "2"] for line in lines)


def test_account_is_printed_by_a_command(full, monkeypatch, capsys) -> None:
    """For all nights, or for one."""
    monkeypatch.setenv("CORRAL_DATABASE", full.corral.settings.database_url)
    assert cli.main(TORITOS, ["account"]) == 0
    assert capsys.readouterr().out.count("2026-11-20") == 1
    assert cli.main(TORITOS, ["account", "--night", "2026-11-20"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["2026-11-20", "5", "3", "1", "1"]
    assert all(line[0] != "all" for line in lines)


def test_pipeline_without_an_account_says_so(full, monkeypatch, capsys) -> None:
    """What it brings in need not be files."""
    monkeypatch.setenv("CORRAL_DATABASE", full.corral.settings.database_url)
    assert cli.main(replace(TORITOS, account=None), ["account"]) == 1
    assert "keeps no account" in capsys.readouterr().err
