"""Several inboxes: their files are told apart, and one that is missing stops no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.corral.corral import Corral
from include.toritos.files import place_of
from include.toritos.pipeline import TORITOS
from models import Frame, Rejection, Unit


@pytest.fixture
def three(station, tmp_path):
    """A station with two more inboxes, and their folders."""
    folders = (tmp_path / "nas", tmp_path / "usb")
    for folder in folders:
        folder.mkdir()
    settings = replace(station.corral.settings, more_inboxes=folders)
    site = replace(station, corral=Corral(settings))
    yield site, *folders
    site.corral.close()


def test_files_of_one_name_in_two_inboxes_are_two(three, make_frame) -> None:
    """Each is found again where it is; the copy of a frame is a sighting of it."""
    station, nas, usb = three
    station.put("n/a.fits", pixels=1)
    (nas / "n").mkdir()
    (nas / "n" / "a.fits").write_bytes(make_frame(pixels=2))
    (usb / "copy.fits").write_bytes(make_frame(pixels=1))
    station.load()
    frames = {frame.sha256: frame for frame in station.rows(Frame)}
    assert sorted(frame.path for frame in frames.values()) == [".nas/n/a.fits", ".usb/copy.fits"]
    with station.corral.read() as session:
        places = {
            place_of(session.merge(each), station.corral.settings) for each in frames.values()
        }
    assert places == {nas / "n" / "a.fits", usb / "copy.fits"}
    assert station.load().done == 0


def test_missing_inbox_is_told_of_and_stops_no_other(three, make_frame) -> None:
    """What was refused there is not taken for gone; when it is back, all is as it was."""
    station, nas, _ = three
    (nas / "half.fits").write_bytes(make_frame(pixels=1)[:4000])
    station.load()
    away = nas.rename(nas.with_name("away"))
    station.put("a.fits", pixels=2)
    report = station.load()
    (failure,) = report.failures
    assert (failure.failure_class, str(nas) in failure.message) == ("configuration", True)
    assert set(station.frames()) == {"a.fits"}
    assert [*station.refused()] == [".nas/half.fits"]
    assert station.load().standing != []
    away.rename(nas)
    report = station.load()
    assert (report.done, report.failures, report.standing) == (0, [], [])
    assert len(station.rows(Rejection)) == 1
    assert station.rows(Unit, Unit.key.startswith("/inbox"))[0].status == "void"


def test_steps_read_frames_of_every_inbox(three, small_plan, run_all, tmp_path) -> None:
    """A night whose flats came by another way is reduced as any."""
    from include.toritos.simulator import simulate_night

    station, nas, usb = three
    simulate_night(small_plan, tmp_path / "camera")
    for file in (tmp_path / "camera").iterdir():
        folder = {"b": nas, "d": nas, "f": usb}.get(file.name[0], station.corral.settings.inbox)
        file.rename(folder / file.name)
    reports = run_all(station.corral)
    assert reports["load"].outputs["frame"] == len(station.rows(Frame))
    assert reports["ReduceScience"].done == 5
    assert [step.name for step in TORITOS.steps if reports[step.name].failures] == []
