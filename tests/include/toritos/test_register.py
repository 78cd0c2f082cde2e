"""Many loaders at once: what they find is put on record as if one after the other had."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from include.corral.corral import Corral
from include.corral.drain import drain
from include.toritos.loader import FitsInbox
from models import Frame, Night, Sighting, Unit


class _Meeting(FitsInbox):
    """A loader of one file that waits for another loader before either puts it on record."""

    name = "FitsInbox"

    def __init__(self, path: str, barrier: threading.Barrier) -> None:
        super().__init__()
        self._path = path
        self._barrier = barrier

    def generate(self, corral: Corral) -> Any:
        for item in super().generate(corral):
            if item.key == self._path:
                yield item

    def process(self, work: Any, run: Any) -> Any:
        found = super().process(work, run)
        self._barrier.wait(30)
        return found


def at_once(station, *paths: str) -> list[Any]:
    """Each path comes in by a loader of its own, all at one moment."""
    barrier = threading.Barrier(len(paths))
    reports: list[Any] = []

    def load(path: str) -> None:
        corral = Corral(station.corral.settings)
        try:
            reports.append(drain(corral, _Meeting(path, barrier)))
        finally:
            corral.close()

    threads = [threading.Thread(target=load, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reports


def test_two_loaders_of_one_content_both_end_well(both) -> None:
    """One frame, two sightings, no failed unit."""
    both.put("a.fits")
    both.put("b.fits")
    both.put("z.fits", pixels=9)
    both.load()  # the schema and the night are there
    both.put("c.fits", pixels=1)
    both.put("d.fits", pixels=1)
    reports = at_once(both, "c.fits", "d.fits")
    assert [(report.done, report.failed, report.lost) for report in reports] == [(1, 0, 0)] * 2
    (frame,) = both.rows(Frame, Frame.path == "c.fits")
    assert [row.frame_id for row in both.rows(Sighting)].count(frame.id) == 2
    assert {unit.status for unit in both.rows(Unit)} == {"done"}


@pytest.mark.parametrize("turn", range(3))
def test_two_loaders_of_one_exposure_see_each_other(both, make_frame, turn) -> None:
    """Of two headers that come in at one moment, one is used."""
    both.put("z.fits", pixels=9)
    both.load()
    for name in ("x", "y"):
        both.put(f"{name}.fits", make_frame(pixels=turn, cards={"OBJECT": name}))
    at_once(both, "x.fits", "y.fits")
    twins = both.rows(Frame, Frame.path != "z.fits")
    assert sorted(frame.accepted for frame in twins) == [False, True]


def test_two_loaders_of_a_new_night_make_it_once(both) -> None:
    """Observatory, camera, campaign and night are there once."""
    both.put("a.fits", pixels=1)
    both.put("b.fits", pixels=2)
    with both.corral.read():
        pass
    reports = at_once(both, "a.fits", "b.fits")
    assert [report.failures for report in reports] == [[], []]
    assert len(both.rows(Night)) == 1
    assert len(both.rows(Frame)) == 2


def test_batch_that_is_refused_comes_in_one_by_one(both, monkeypatch) -> None:
    """A frame that the database refuses fails alone; what is retried is not doubled."""
    for pixels in range(12):
        both.put(f"{pixels:02}.fits", pixels=pixels)
    both.put("bad.fits", pixels=99, cards={"OBJECT": "x"})
    real = FitsInbox.write

    def write(self: FitsInbox, session: Any, rows: Any) -> Any:
        tally = real(self, session, rows)
        if any(found.seen.path == "bad.fits" for found in rows):
            raise ValueError("this one cannot be kept")
        return tally

    monkeypatch.setattr(FitsInbox, "write", write)
    report = both.load()
    assert (report.done, report.failed) == (12, 1)
    assert [failure.unit_key for failure in report.failures] == ["bad.fits"]
    assert report.outputs == {"frame": 12, "sighting": 12}
    assert len(both.rows(Frame)) == len(both.rows(Sighting)) == 12
