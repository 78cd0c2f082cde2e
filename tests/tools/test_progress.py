from __future__ import annotations

import itertools

import pytest

from tools.progress import Stopwatch, wait_until


def test_a_wait_says_what_is_missing_once_for_each_change():
    """A log of a long wait is short, and still tells where it stood."""
    states = iter(["scheduler", "scheduler", "triggerer", None])
    said: list[str] = []
    wait_until(lambda: next(states), timeout_s=5, on_progress=said.append, poll_s=0.001)
    assert [line.split()[-1] for line in said] == ["scheduler", "triggerer"]


def test_a_long_wait_repeats_itself():
    """Silence is not progress: the same words come again after a while."""
    calls = itertools.count()
    said: list[str] = []
    wait_until(
        lambda: "scheduler" if next(calls) < 50 else None,
        timeout_s=5,
        on_progress=said.append,
        poll_s=0.002,
        repeat_s=0.02,
    )
    assert len(said) > 2


def test_a_wait_in_vain_names_what_was_missing():
    """The error alone says which component did not come."""
    with pytest.raises(TimeoutError, match="waiting: api-server"):
        wait_until(lambda: "api-server", timeout_s=0.01, on_progress=lambda _: None, poll_s=0.005)


def test_a_part_that_fails_is_timed_too():
    """The table tells how long it took until the failure."""
    watch = Stopwatch(on_progress=lambda _: None)
    with watch.part("good"):
        pass
    with pytest.raises(ZeroDivisionError), watch.part("bad"):
        raise ZeroDivisionError
    assert [line.split("s  ")[1] for line in watch.table().splitlines()] == [
        "good",
        "bad",
        "in all",
    ]
