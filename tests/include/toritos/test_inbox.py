"""What a scan makes of names, of special files, and of files that are still being written."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from include.corral.errors import ConfigurationError
from include.toritos import inbox
from include.toritos.inbox import Folder, Unlisted, path_key, unmarked, walk
from models import Frame, Rejection, Sighting

ODD_NAMES = [
    "with\nnewline.fits",
    "with'quote\".fits",
    "-rf.fits",
    "a..b.fits",
    "back\\slash.fits",
    "back\\xff.fits",
    " leading space.fits",
    "{{ 7*7 }} <script>.fits",
    "%s %d ; DROP TABLE frame;--.fits",
    "ñandú ☄.FITS",
    "x" * 250 + ".fits",
    os.fsdecode(b"latin \xf1 \xff.fits"),
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_frame_comes_in_whatever_its_name(both, name) -> None:
    """A name is data: it is kept as it is, and found again as it is."""
    both.put(f"2026-11-20/{name}")
    both.load()
    (row,) = both.rows(Sighting)
    assert row.path == f"2026-11-20/{name}"
    assert both.load().summary().startswith("FitsInbox: 0 done")


def test_names_that_look_alike_as_text_are_two(both) -> None:
    """A byte that is no UTF-8 and its spelling in ASCII are not taken for each other."""
    both.put(os.fsdecode(b"\xff.fits"), pixels=1)
    both.put("\\xff.fits", pixels=2)
    both.load()
    assert set(both.frames()) == {os.fsdecode(b"\xff.fits"), "\\xff.fits"}


def test_path_too_long_for_the_ledger_is_refused_by_a_shorter_one(both) -> None:
    """Nothing is lost: the row says what the whole path is, and nothing is looked at twice."""
    path = "/".join(["n" * 200, "m" * 200, "frame.fits"])
    both.put(path)
    both.load()
    (row,) = both.rows(Rejection)
    assert (row.verdict, row.reason, row.path) == ("QUARANTINE", "path_too_long", path_key(path))
    assert path in row.evidence
    assert both.load().done == 0


def test_what_is_no_regular_file_is_refused_unopened(both, tmp_path) -> None:
    """Links are not followed, pipes and sockets not opened, folders not taken for files."""
    box = both.corral.settings.inbox
    outside = tmp_path / "outside.fits"
    outside.write_bytes(b"SIMPLE")
    (box / "link.fits").symlink_to(outside)
    (box / "broken.fits").symlink_to(tmp_path / "nowhere")
    (box / "loop.fits").symlink_to(box / "loop.fits")
    (box / "folder.fits").mkdir()
    os.mkfifo(box / "pipe.fits")
    with socket.socket(socket.AF_UNIX) as unix:
        here = Path.cwd()
        os.chdir(box)  # names of sockets are short
        unix.bind("socket.fits")
        os.chdir(here)
    both.load()
    assert both.refused() == dict.fromkeys(
        ["link.fits", "broken.fits", "loop.fits", "folder.fits", "pipe.fits", "socket.fits"],
        ("QUARANTINE", "not_a_regular_file"),
    )


def test_links_to_folders_are_not_followed(station, tmp_path) -> None:
    """A link to a folder, or to the inbox itself, leads nowhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.fits").write_bytes(b"x")
    box = station.corral.settings.inbox
    (box / "link").symlink_to(elsewhere)
    (box / "again").symlink_to(box)
    assert station.load().done == 0


def test_hidden_files_and_other_suffixes_are_not_looked_at(station) -> None:
    """What begins with a dot belongs to who writes it; a log is no frame."""
    for path in (".a.fits", ".tmp/a.fits", "a.fits.part", "night.log"):
        station.put(path)
    assert station.load().done == 0


@pytest.mark.parametrize("suffix", [".fits", ".fit", ".fts", ".FIT", ".fits.gz", ".fit.fz"])
def test_suffixes_of_frames(station, suffix) -> None:
    """Every spelling that cameras use is met."""
    station.put(f"a{suffix}", b"nothing")
    station.load()
    assert len(station.refused()) == 1


def test_missing_inbox_is_a_fault_of_the_installation(station) -> None:
    """A disk that is not mounted must not look like an empty night."""
    station.corral.settings.inbox.rmdir()
    with pytest.raises(ConfigurationError, match="not mounted"):
        station.load()


def test_folder_that_cannot_be_read_waits_and_the_others_come_in(both, monkeypatch) -> None:
    """It is told of as waiting until it can be read."""
    both.put("open/a.fits")
    both.put("shut/b.fits", pixels=1)
    real = inbox._list

    def list_some(folder: Path) -> object:
        if folder.name == "shut":
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr(inbox, "_list", list_some)
    both.load()
    assert set(both.frames()) == {"open/a.fits"}
    assert both.refused() == {"shut": ("WAIT", "folder_not_readable")}
    assert both.load().done == 0
    monkeypatch.setattr(inbox, "_list", real)
    both.load()
    assert both.refused() == {}
    assert set(both.frames()) == {"open/a.fits", "shut/b.fits"}


@pytest.mark.parametrize(
    ("error", "verdict"), [(errno.EACCES, "WAIT"), (errno.EIO, None), (errno.ESTALE, None)]
)
def test_folder_that_tells_names_and_nothing_more_hides_nothing(
    both, monkeypatch, make_frame, error, verdict
) -> None:
    """Mode 0444, or a disk that fails: it is told of, and what was refused in it is not gone."""
    both.put("shut/b.fits", make_frame()[:6000])
    both.put("shut/c.fits", pixels=1)
    both.load()
    both.put("open/a.fits")
    both.put("shut/d.fits", pixels=2)
    real = os.stat

    def shut(path: object, **options: object) -> os.stat_result:
        if path in {"b.fits", "c.fits", "d.fits"}:
            raise OSError(error, os.strerror(error), path)
        return real(path, **options)

    def look(path: Path) -> os.stat_result:
        if path.parent.name == "shut":
            shut(path.name)
        return real(path, follow_symlinks=False)

    with monkeypatch.context() as patch:
        patch.setattr(inbox.os, "stat", shut)
        patch.setattr(Path, "lstat", look)
        report = both.load()
        assert set(both.frames()) == {"open/a.fits", "shut/c.fits"}
        assert both.refused().get("shut", (None,))[0] == verdict
        assert {failure.failure_class for failure in report.failures} == (
            set() if verdict else {"retry"}
        )
        assert both.refused()["shut/b.fits"] == ("WAIT", "truncated_data")
    both.load()
    assert both.refused() == {"shut/b.fits": ("WAIT", "truncated_data")}
    assert set(both.frames()) == {"open/a.fits", "shut/c.fits", "shut/d.fits"}
    assert both.load().standing == []


def test_inbox_that_tells_names_and_nothing_more_is_a_fault_of_the_installation(
    station, monkeypatch
) -> None:
    """As one that cannot be read at all."""
    station.put("a.fits")

    def shut(*_: object, **__: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("include.toritos.loader.states", shut)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        station.load()


def test_failing_disk_is_tried_again(station, monkeypatch) -> None:
    """A folder that gives an I/O error is a failure that passes, and hides nothing."""
    station.put("a/a.fits")
    real = inbox._list

    def failing(folder: Path) -> object:
        if folder.name == "a":
            raise OSError(5, "Input/output error")
        return real(folder)

    monkeypatch.setattr(inbox, "_list", failing)
    assert [failure.failure_class for failure in station.load().failures] == ["retry"]
    monkeypatch.setattr(inbox, "_list", real)
    assert station.load().failures == []
    assert station.load().standing == []
    assert set(station.frames()) == {"a/a.fits"}


def test_folder_that_vanishes_during_the_walk_is_left_out(tmp_path, monkeypatch) -> None:
    """An observer who tidies up does not stop the others."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    found = []
    for folder in walk(tmp_path):
        assert not isinstance(folder, Unlisted)
        found.append(folder.prefix)
        (tmp_path / "a").exists() and (tmp_path / "a").rmdir()
    assert found == ["", "b/"]


def test_file_that_is_still_written_is_not_loaded(both, monkeypatch, make_frame) -> None:
    """Of two looks, the second finds it changed: it waits, and comes in when it stands still."""
    place = both.put("a.fits")

    def write(_seconds: float) -> None:
        place.write_bytes(make_frame(pixels=7))

    both.corral.settings.pipeline["still_s"] = "0.01"
    with monkeypatch.context() as patch:
        patch.setattr(inbox.time, "sleep", write)
        both.load()
    assert both.refused() == {"a.fits": ("WAIT", "still_written")}
    assert both.rows(Frame) == []
    both.load()
    assert both.refused() == {}
    assert set(both.frames()) == {"a.fits"}


def test_second_look_comes_after_the_time_of_the_profile(station, monkeypatch) -> None:
    """Both looks are at least so far apart; known files cost no waiting."""
    slept: list[float] = []
    monkeypatch.setattr(inbox.time, "sleep", slept.append)
    station.corral.settings.pipeline["still_s"] = "5"
    station.put("a.fits")
    station.load()
    assert len(slept) == 1
    assert 4 < slept[0] <= 5
    station.load()
    assert len(slept) == 1


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (set(), {"n/a.fits", "n/b.fit"}),
        ({"a.fits.done"}, {"n/b.fit"}),
        ({"b.done", "a.done"}, set()),
        ({"c.done", "a.fits.done.part"}, {"n/a.fits", "n/b.fit"}),
    ],
)
def test_marker_beside_a_file_says_that_it_is_complete(others, expected) -> None:
    """After the whole name, or in place of the last suffix."""
    folder = Folder(Path("n"), "n/", ["a.fits", "b.fit"], frozenset(others))
    assert unmarked(folder, ".done") == expected
    assert unmarked(folder, None) == set()
