"""Contenders take turns, each in its own process; what they took and left is handed back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.contest import Contender, ContenderError, Setting, contest, differing, table_of
from bench.table import Report

FAST = """
import time

from bench.worker import Outcome


def maker(task, folder, size):
    held = bytearray(size)

    def work():
        made = bytearray(50_000_000)
        return lambda: Outcome(f"{task} of {size}", [[1.0, 2.0], [3.0, len(made) / 1e7]])

    return work


def slow(task, folder, size):
    return lambda: time.sleep(600 if size == 100 else 0)


def broken(task, folder, size):
    raise ValueError("no such thing")


def plain(task, folder, size):
    print("noise on stdout")
    return lambda: None
"""


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """Two folders, and makers that a worker can import."""
    (tmp_path / "some_contender.py").write_text(FAST)
    monkeypatch.setattr("bench.contest.EXTRA_PATH", str(tmp_path))
    for name in ("frames", "tiny"):
        (tmp_path / name).mkdir()
    return Setting(tmp_path / "frames", tmp_path / "tiny", 100, 10, 3)


def test_each_run_is_measured_and_the_result_kept(setting: Setting) -> None:
    """Seconds of three runs, memory beyond what was held, words and pixels."""
    contenders = [
        Contender("one", "some_contender:maker"),
        Contender("two", "some_contender:plain"),
    ]
    found = contest("work", contenders, setting)
    one, two = found["one"], found["two"]
    assert len(one.runs) == len(two.runs) == 3
    assert one.peak_mb == pytest.approx(48, abs=10)
    assert one.remark == "work of 100"
    assert two.pixels is None
    assert one.pixels is not None
    np.testing.assert_array_equal(np.load(one.pixels), [[1, 2], [3, 5]])
    assert table_of("All", {"work": found}).rows[0][:3] == ["work", "one", "3"]


def test_a_contender_that_fails_says_why(setting: Setting) -> None:
    """The trace of its process is in the message."""
    with pytest.raises(ContenderError, match="no such thing"):
        contest("work", [Contender("one", "some_contender:broken")], setting)


def test_a_contender_that_takes_too_long_is_broken_off(setting: Setting) -> None:
    """The others go on; what it takes is known to be more."""
    contenders = [
        Contender("one", "some_contender:maker", runs=2),
        Contender("two", "some_contender:slow", limit_s=0.5),
    ]
    found = contest("work", contenders, setting)
    assert [len(each.runs) for each in found.values()] == [2, 1]
    assert (found["one"].broken_off, found["two"].broken_off) == (False, True)
    assert found["two"].seconds == 0.5
    row = table_of("All", {"work": found}).rows[1]
    assert row[1:4] == ["two", "1", "> 0.500"]
    assert row[5:] == ["–", "–", "–", "broken off after 0.5 s"]


def test_pixels_are_compared_to_a_tolerance(setting: Setting) -> None:
    """The part of them that differ."""
    contenders = [Contender(n, "some_contender:maker") for n in ("one", "two")]
    found = contest("work", contenders, setting)
    assert differing(found["one"], found["two"], rtol=0, atol=0) == 0
    np.save(setting.frames / "other.npy", [[1, 2], [3, 6]])
    found["two"].pixels = setting.frames / "other.npy"
    assert differing(found["one"], found["two"], rtol=0, atol=0.1) == 0.25


def test_a_figure_is_held_against_its_bound() -> None:
    """In both senses, and so written."""
    report = Report("Part", "About it.")
    report.judge("faster", 49.9, "at least", 50, "×")
    report.judge("memory", 100, "at most", 200, "MB")
    assert [judged.met for judged in report.judged] == [False, True]
    assert "| faster | at least 50 × | 49.9 × | **not met** |" in report.markdown()
