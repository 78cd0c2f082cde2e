"""The power fails: what was not synced is gone, torn or in another order, and work goes on."""

from __future__ import annotations

import random

import pytest

from include.corral.processor import Processor
from tests.chaos.night import PROCESSORS
from tests.chaos.power_trials import PowerCuts
from tests.chaos.state import sweeps
from tests.chaos.syscalls import require_strace

pytestmark = pytest.mark.chaos
CUTS = 20  # of each processor


@pytest.mark.parametrize("kind", PROCESSORS, ids=lambda kind: kind.name)
def test_work_goes_on_after_power_loss(
    prepared_sqlite, ledger, dice: random.Random, kind: type[Processor]
) -> None:
    """At any moment, whatever of what was not synced is there."""
    require_strace()
    trials = PowerCuts("F5 power loss, unsynced writes lost or torn", prepared_sqlite[kind], [kind])
    for _ in range(CUTS):
        trials.cut(dice)
    trials.close(ledger)


@pytest.mark.parametrize("kind", PROCESSORS, ids=lambda kind: kind.name)
def test_what_was_told_as_done_survives_power_loss(
    prepared_sqlite, ledger, dice: random.Random, kind: type[Processor]
) -> None:
    """When the process has ended, nothing that is needed is unsynced: nothing is done again."""
    require_strace()
    trials = PowerCuts("F5 power loss after the end", prepared_sqlite[kind], [kind])
    (report,) = trials.cut_after_the_end(dice)
    if kind.name not in sweeps() and report.done:
        trials.violations.append(f"{kind.name}: {report.summary()}, again")
    trials.close(ledger)
