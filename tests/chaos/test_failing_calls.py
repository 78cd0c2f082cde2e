"""The N-th system call fails: every call of the store, and calls of everything else by chance."""

from __future__ import annotations

import random

import pytest

from include.toritos.steps import MasterBias
from tests.chaos.failing import ERRORS, MODES, FailingCalls
from tests.chaos.night import PROCESSORS
from tests.chaos.syscalls import WRITING, Call, require_strace

pytestmark = pytest.mark.chaos
BY_CHANCE = 40  # of each processor


@pytest.fixture(autouse=True)
def _strace() -> None:
    require_strace()


def is_of_store(call: Call) -> bool:
    """Tell whether it is about products."""
    return "/products" in call.arguments


def test_every_call_of_the_store_fails_with_every_error(prepared_sqlite, ledger) -> None:
    """Once or for good: the unit fails, nothing half made can be seen, the next trigger mends."""
    trials = FailingCalls(
        "F6 failing calls of the store", prepared_sqlite[MasterBias], [MasterBias]
    )
    calls = [call for call in trials.calls(WRITING) if is_of_store(call)]
    assert len(calls) > 10
    for call in calls:
        for error in ERRORS:
            for mode in MODES:
                trials.fail(call, error, mode)
    trials.close(ledger)


@pytest.mark.parametrize("kind", PROCESSORS, ids=lambda kind: kind.name)
def test_calls_by_chance_fail(prepared_sqlite, ledger, dice: random.Random, kind) -> None:
    """Of the database, the inbox and the store, whatever is triggered."""
    trials = FailingCalls("F6 failing calls by chance", prepared_sqlite[kind], [kind])
    calls = trials.calls()
    for _ in range(BY_CHANCE):
        trials.fail_by_chance(calls, dice)
    trials.close(ledger)
