"""Killed at the k-th file, fsync or SQL event, for every k, whatever is registered."""

from __future__ import annotations

import signal
from itertools import count

import pytest

from tests.chaos.night import PROCESSORS
from tests.chaos.trials import Trials

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("kind", PROCESSORS, ids=lambda kind: kind.name)
def test_killed_at_every_moment_it_is_caught_up_with(prepared, ledger, kind) -> None:
    """Whatever the moment: no promise is broken, nothing is done twice, nothing is missing."""
    trials = Trials("F1 killed at every moment of every processor", prepared[kind], [kind])
    for at in count(1):
        code = trials.kill_at(at)
        if code == 0:
            break
        assert code == -signal.SIGKILL
    trials.close(ledger)
