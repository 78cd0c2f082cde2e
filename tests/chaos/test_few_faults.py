"""A few faults of each kind for whatever is registered, in seconds: `make chaos` has all."""

from __future__ import annotations

import random
import signal

import pytest

from include.corral.processor import Processor
from tests.chaos.failing import FailingCalls
from tests.chaos.night import PROCESSORS
from tests.chaos.power_trials import PowerCuts
from tests.chaos.syscalls import require_strace
from tests.chaos.trials import Trials

each = pytest.mark.parametrize("kind", PROCESSORS, ids=lambda kind: kind.name)


@pytest.fixture
def dice() -> random.Random:
    """Chances that are always the same."""
    return random.Random(3)


@each
def test_killed_at_some_moment(prepared_sqlite, kind: type[Processor]) -> None:
    """Early in the work of the first, late in that of the last: it is caught up with."""
    trials = Trials("kill", prepared_sqlite[kind], [kind])
    # Not in the last fifth: a fast run has fewer moments than a slow one.
    at = 1 + trials.moments() * PROCESSORS.index(kind) * 4 // (5 * len(PROCESSORS))
    assert trials.kill_at(at) == -signal.SIGKILL
    trials.check()


@each
def test_a_call_fails(prepared_sqlite, kind: type[Processor], dice) -> None:
    """Of the database, the inbox or the store."""
    require_strace()
    trials = FailingCalls("call", prepared_sqlite[kind], [kind])
    trials.fail_by_chance(trials.calls(), dice)
    trials.check()
    assert trials.injected == 1


@each
def test_the_power_fails_once(prepared_sqlite, kind: type[Processor], dice) -> None:
    """At some moment of its work."""
    require_strace()
    trials = PowerCuts("cut", prepared_sqlite[kind], [kind])
    trials.cut(dice)
    trials.check()
