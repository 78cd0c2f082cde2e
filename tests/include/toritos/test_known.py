"""The life of a refused file: waiting, given up, changed, read otherwise, gone."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from include.toritos.instrument import SHIPPED
from models import Frame, Night, Rejection, Unit
from tests.include.toritos.conftest import MIDNIGHT


def real_now() -> datetime:
    """Time of this machine."""
    return datetime.now(UTC)


def test_refused_file_is_looked_at_again_when_it_changes(both, make_frame) -> None:
    """Half a frame waits; whole, it comes in; the refusal stays on record as resolved."""
    whole = make_frame()
    both.put("2026-11-20/a.fits", whole[:6000])
    assert both.load().done == 1
    assert both.refused() == {"2026-11-20/a.fits": ("WAIT", "truncated_data")}
    assert both.load().done == 0
    both.put("2026-11-20/a.fits", whole)
    both.load()
    (row,) = both.rows(Rejection)
    assert row.resolved_at is not None
    assert set(both.frames()) == {"2026-11-20/a.fits"}


def test_refusal_knows_the_night_where_the_header_tells(both, make_frame) -> None:
    """Of half a file, the header is often whole."""
    both.put("half.fits", make_frame()[:6000])
    both.put("none.fits", b"<html>404</html>" * 200)
    both.load()
    with both.corral.read() as session:
        nights = {
            row.path: row.night and row.night.partition_key for row in session.query(Rejection)
        }
    assert nights == {"half.fits": "2026-11-20", "none.fits": None}


def test_waiting_ends_after_the_profile_s_time(both, make_frame, monkeypatch) -> None:
    """What has not changed for so long counts as bad, and comes in all the same when it does."""
    both.put("a.fits", make_frame()[:6000])
    both.load()
    both.hours_later(monkeypatch, 11)
    assert both.load().done == 0
    both.hours_later(monkeypatch, 2)
    both.load()
    assert both.refused() == {"a.fits": ("QUARANTINE", "truncated_data")}
    assert both.load().done == 0
    first, second = both.rows(Rejection)
    assert (first.verdict, first.resolved_at is None) == ("WAIT", False)
    assert (second.verdict, second.resolved_at) == ("QUARANTINE", None)
    both.put("a.fits", make_frame())
    both.load()
    assert both.refused() == {}


def test_file_that_may_not_be_read_is_tried_again_by_itself(both, monkeypatch) -> None:
    """What forbade it may be a group or a share: nothing about the file changes when that goes."""
    both.put("a.fits", pixels=1)
    both.put("b.fits", pixels=2)
    real = os.open

    def forbidden(path: Any, *flags: Any, **others: Any) -> int:
        if Path(path).name == "b.fits":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *flags, **others)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", forbidden)
        both.load()
        assert both.refused() == {"b.fits": ("WAIT", "not_readable")}
        both.hours_later(patch, 0.2)
        assert both.load().done == 1
        assert both.refused() == {"b.fits": ("WAIT", "not_readable")}
        assert both.load().done == 0
    assert both.load().done == 0
    both.hours_later(monkeypatch, 0.4)
    assert both.load().done == 1
    assert both.refused() == {}
    assert set(both.frames()) == {"a.fits", "b.fits"}
    both.hours_later(monkeypatch, 24)
    assert both.load().done == 0


@pytest.mark.parametrize("years", [0.01, 10])
def test_clock_that_is_behind_loses_no_frame(both, monkeypatch, years) -> None:
    """By it the frames come from the future; they are looked at again when it goes right."""
    both.put("a.fits", pixels=1)
    both.put("b.fits", pixels=2)
    with monkeypatch.context() as wrong:
        both.hours_later(wrong, (MIDNIGHT - real_now()).total_seconds() / 3600 - years * 8766)
        both.load()
        assert set(both.refused().values()) == {("QUARANTINE", "too_late")}
        assert both.load().done == 0
        # It steps, and is still behind: the verdict stands, and no row is written.
        both.hours_later(wrong, years * 4000)
        assert both.load().done == 0
    assert both.load().done == 2
    assert both.refused() == {}
    assert set(both.frames()) == {"a.fits", "b.fits"}
    assert both.load().done == 0


def test_clock_that_goes_back_once_more_refuses_and_believes_once_more(both, monkeypatch) -> None:
    """Each change of verdict is on record, and none is the last."""
    both.put("a.fits", at=real_now() + timedelta(days=3))
    for hours, refused in ((0, 1), (72, 0)):
        with monkeypatch.context() as clock:
            both.hours_later(clock, hours)
            both.load()
            assert len(both.refused()) == refused
    both.put("b.fits", pixels=1, at=real_now() + timedelta(days=3))
    for hours in (0, 30, 20, 49):
        with monkeypatch.context() as clock:
            both.hours_later(clock, hours)
            both.load()
    assert both.refused() == {}
    assert len(both.rows(Rejection)) == 2


def test_verdict_of_a_clock_that_was_ahead_is_given_again(both, make_frame, monkeypatch) -> None:
    """What has only just come had not waited for long enough."""
    both.put("a.fits", make_frame()[:6000])
    with monkeypatch.context() as wrong:
        both.hours_later(wrong, 87_000)
        both.load()
        both.hours_later(wrong, 13)
        both.load()
        assert both.refused() == {"a.fits": ("QUARANTINE", "truncated_data")}
    both.load()
    assert both.refused() == {"a.fits": ("WAIT", "truncated_data")}
    assert both.load().done == 0
    (both.corral.settings.inbox / "a.fits").unlink()
    both.load()
    assert both.refused() == {}


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00", "1970-01-01T00:00:00", "9999-12-31T23:59:59"]
)
def test_time_that_cannot_be_opens_no_night(station, at) -> None:
    """The file is refused for it, and belongs to no night."""
    station.put("a.fits", cards={"DATE-OBS": at})
    station.put("half.fits", station.put("b.fits", cards={"DATE-OBS": at}).read_bytes()[:6000])
    assert station.load().failed == 0
    assert len(station.refused()) == 3
    assert station.rows(Night) == []


def test_refused_file_that_goes_is_resolved_as_gone(both) -> None:
    """And when it comes back as it was, it is refused again."""
    place = both.put("a.fits", b"nothing")
    both.load()
    aside = place.rename(place.with_suffix(".aside"))
    both.load()
    assert both.refused() == {}
    assert [row.verdict for row in both.rows(Rejection)] == ["QUARANTINE", "GONE"]
    assert both.load().done == 0
    aside.rename(place)
    both.load()
    assert list(both.refused()) == ["a.fits"]


def test_file_that_fails_and_goes_leaves_no_failure_standing(both, monkeypatch) -> None:
    """An I/O error of a file that is removed is over."""
    place = both.put("a.fits")

    def failing(*_args: object, **_kwargs: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("include.ccd.safe_reader.inspect_safely", failing)
        assert both.load().failed == 1
    place.unlink()
    report = both.load()
    assert (report.void, report.standing) == (1, [])
    assert [unit.status for unit in both.rows(Unit)] == ["void"]
    both.put("a.fits")
    assert both.load().done == 1


def test_changed_profile_looks_again_at_what_it_refused(both, tmp_path) -> None:
    """A keyword that was missing in the map: the refused file comes in without being touched."""
    both.put("a.fits", cards={"EXPTIME": None, "SECONDS": 60.0})
    both.load()
    assert both.refused() == {"a.fits": ("QUARANTINE", "no_exptime")}
    shipped = (SHIPPED / "toritos.toml").read_text()
    (tmp_path / "toritos.toml").write_text(shipped.replace('"EXPOSURE"', '"EXPOSURE", "SECONDS"'))
    both.corral.settings.pipeline["profiles"] = str(tmp_path)
    both.load()
    assert both.refused() == {}
    assert both.frames()["a.fits"].exptime_s == 60.0
    assert both.load().done == 0


def test_changed_profile_reads_known_headers_anew(both, tmp_path) -> None:
    """The rows of frames say what the profile says now, without reading a file."""
    both.put("a.fits", kind="science", cards={"FILTER": "Clear", "CHANNEL": "R"})
    both.load()
    assert both.frames()["a.fits"].filter == "Clear"
    shipped = (SHIPPED / "toritos.toml").read_text()
    (tmp_path / "toritos.toml").write_text(shipped.replace('["FILTER"]', '["CHANNEL"]'))
    both.corral.settings.pipeline["profiles"] = str(tmp_path)
    (both.corral.settings.inbox / "a.fits").unlink()
    report = both.load()
    assert (report.done, report.partitions) == (1, {"2026-11-20"})
    assert both.frames()["a.fits"].filter == "R"
    assert both.load().done == 0


def test_header_that_the_profile_cannot_read_any_more_leaves_the_frame(station, tmp_path) -> None:
    """It is a failure that is told of; what was believed stands."""
    station.put("a.fits", kind="science")
    station.load()
    shipped = (SHIPPED / "toritos.toml").read_text()
    (tmp_path / "toritos.toml").write_text(
        shipped.replace('["EXPTIME", "EXPOSURE"]', '["SECONDS"]')
    )
    station.corral.settings.pipeline["profiles"] = str(tmp_path)
    assert [failure.failure_class for failure in station.load().failures] == ["bad_data"]
    assert station.frames()["a.fits"].exptime_s == 60.0


def test_touched_file_is_still_the_same_frame(both) -> None:
    """Another time of modification is looked at, found equal, and changes no frame."""
    place = both.put("a.fits")
    both.load()
    before = both.frames()["a.fits"].content()
    place.touch()
    assert both.load().done == 1
    assert both.load().done == 0
    assert [frame.content() for frame in both.rows(Frame)] == [before]


def test_files_beside_folders_cost_no_look_at_what_is_in_these(station) -> None:
    """In the order of paths, all of the archive lies between the two files of the inbox itself."""
    for path in ("0.fits", "z.fits", *(f"m/{k}.fits" for k in range(5))):
        station.put(path, pixels=len(path) * 10 + ord(path[2]))
    station.load()
    rows: list[object] = []

    def count(_connection: object, cursor: Any, statement: str, *_: object) -> None:
        if "FROM sighting" in statement:
            rows.extend(cursor.connection.execute(statement, _[0]).fetchall())

    event.listen(station.corral.engine, "after_cursor_execute", count)
    assert station.load().done == 0
    event.remove(station.corral.engine, "after_cursor_execute", count)
    assert len(rows) == 7


@pytest.mark.parametrize("number", [3, 12])
def test_load_of_what_is_known_changes_no_row(both, make_frame, number, monkeypatch) -> None:
    """Frames, copies, refused and waiting files, in ranges of five names: all stay as they are."""
    monkeypatch.setattr("include.toritos.loader.CHUNK", 5)
    for k in range(number):
        both.put(f"n/{k}.fits", pixels=k)
        both.put(f"n/{k}-copy.fits", pixels=k)
    both.put("n/half.fits", make_frame()[:6000])
    both.put("n/bad.fits", b"nothing")
    both.load()
    before = [both.rows(table) for table in (Frame, Rejection, Unit)]
    assert both.load().done == 0
    after = [both.rows(table) for table in (Frame, Rejection, Unit)]
    assert [[row.content() for row in rows] for rows in after] == [
        [row.content() for row in rows] for rows in before
    ]
