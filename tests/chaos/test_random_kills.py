"""Killed at instants that nobody chose: a night, a large batch of the loader."""

from __future__ import annotations

import os
import random

import pytest

from tests.chaos.night import PROCESSORS
from tests.chaos.trials import Trials, killed_after

pytestmark = pytest.mark.chaos
# Beyond 1, some are not killed at all.
OF_CLEAN = 1.15
# How often, the night on each database.
NIGHT_KILLS = int(os.environ.get("CORRAL_CHAOS_NIGHT_KILLS", "250"))
LOADER_KILLS = int(os.environ.get("CORRAL_CHAOS_LOADER_KILLS", "400"))
# Killed, and killed again while it recovers, and again. What was held three times is set aside.
TIMES = 3


def kill_often(trials: Trials, dice: random.Random, *, until: int) -> None:
    """Kill until it was done so often."""
    clean_s = trials.clean_s()
    while trials.injected < until:
        instants = [dice.uniform(0, OF_CLEAN * clean_s) for _ in range(TIMES)]
        trials.one(
            f"after {', '.join(f'{instant:.4f}' for instant in instants)} s",
            inside=trials.work,
            outside=[killed_after(instant) for instant in instants],
            cleared=True,
        )


def test_night_killed_at_any_instant_is_completed(prepared, ledger, dice) -> None:
    """Loader, steps, alerts and sweeps are killed, and complete the night when nobody kills."""
    trials = Trials("F2 kill -9 of a night", prepared[PROCESSORS[0]], PROCESSORS)
    kill_often(trials, dice, until=NIGHT_KILLS)
    trials.close(ledger)


def test_loader_killed_in_a_large_batch_is_completed(large_inbox, ledger, dice) -> None:
    """Of 200 frames none is lost, and none is there twice."""
    loader = PROCESSORS[0]
    trials = Trials("F3 kill -9 of the loader, 200 frames", large_inbox, [loader])
    kill_often(trials, dice, until=LOADER_KILLS)
    trials.close(ledger)
