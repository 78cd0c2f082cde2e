"""Garbage is collected rarely only while many cheap units are worked on."""

from __future__ import annotations

import gc

import pytest

from include.corral.garbage import RARELY, own_collections


def test_habits_of_the_process_come_back_whatever_happens() -> None:
    """As it was before, after an error as well."""
    before = gc.get_threshold()
    with pytest.raises(RuntimeError):
        _work_and_fail(before)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def _work_and_fail(before: tuple[int, int, int]) -> None:
    with own_collections() as collect_rarely:
        assert gc.get_threshold() == (RARELY, *before[1:])
        collect_rarely(False)
        assert gc.get_threshold() == before
        collect_rarely(True)
        assert gc.get_threshold() == (RARELY, *before[1:])
        raise RuntimeError


def test_what_is_there_already_is_not_searched() -> None:
    """A full collection takes as long as what it looks through."""
    with own_collections():
        assert len(gc.get_objects()) < gc.get_freeze_count() / 10
