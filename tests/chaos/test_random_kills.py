"""Killed at instants that nobody chose: a night, a large batch of the loader, a worker of four."""

from __future__ import annotations

import pytest

from tests.chaos.night import PROCESSORS
from tests.chaos.trials import Trials, killed_after

pytestmark = pytest.mark.chaos
# Beyond 1, some are not killed at all.
OF_CLEAN = 1.15


def kill_often(trials: Trials, dice, *, until: int, times: int = 1) -> None:
    """Kill until it was done so often; each trial is killed and killed again while it recovers."""
    clean_s = trials.clean_s()
    while trials.injected < until:
        instant = dice.uniform(0, OF_CLEAN * clean_s)
        trials.one(
            f"after {instant:.4f} s", inside=trials.work, outside=killed_after(instant), times=times
        )


def test_night_killed_at_any_instant_is_completed(prepared, ledger, dice) -> None:
    """Loader, steps, alerts and sweeps are killed, twice, and complete the night the third time."""
    trials = Trials("F2 kill -9 of a night", prepared[PROCESSORS[0]], PROCESSORS)
    kill_often(trials, dice, until=400, times=2)
    trials.close(ledger)


def test_loader_killed_in_a_large_batch_is_completed(large_inbox, ledger, dice) -> None:
    """Of 200 frames none is lost, and none is there twice."""
    loader = PROCESSORS[0]
    trials = Trials("F3 kill -9 of the loader, 200 frames", large_inbox, [loader])
    kill_often(trials, dice, until=200)
    trials.close(ledger)
