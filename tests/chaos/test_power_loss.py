"""The power fails: what was not synced is gone, torn or in another order, and work goes on."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from include.corral.processor import Processor
from tests.chaos.homes import Home
from tests.chaos.night import PROCESSORS, recover
from tests.chaos.power import TRACED, Recorded, lay_out
from tests.chaos.state import sweeps
from tests.chaos.syscalls import Traced, require_strace
from tests.chaos.trials import Trials

pytestmark = pytest.mark.chaos
CUTS = 30
# Of the writes that were not synced: none, any, or all of them but torn.
KEPT = (0.0, 0.5, 1.0)


def record(trials: Trials) -> Recorded:
    """Give all that an undisturbed process changes on the disk."""
    copy = trials.home.copy()
    recorded = Recorded(copy.place)
    recorded.start(copy.place)
    options = ["-xx", "-s", "4000000", "-e", f"trace={TRACED}"]
    log = Path(f"{copy.place}.strace")
    traced = Traced(lambda: trials.work(copy), options=options, log=log)
    assert traced.end() == 0, traced.said.read_text()
    recorded.take(traced.calls())
    log.unlink()
    copy.remove()
    return recorded


def after_power_loss(
    home: Home, recorded: Recorded, end: int, kept: float, dice: random.Random
) -> Home:
    """Give the installation as it is found when the power is back."""
    place = home.place.with_name(f"cut-{dice.getrandbits(48):012x}")
    lay_out(recorded, end, place, kept=kept, dice=dice)
    url = f"sqlite:///{place / 'corral.db'}"
    settings = replace(home.settings, products=place / "products", database_url=url)
    return Home(place, settings)


@pytest.mark.parametrize("kind", PROCESSORS, ids=lambda kind: kind.name)
def test_work_goes_on_after_power_loss(
    prepared_sqlite, ledger, dice: random.Random, kind: type[Processor]
) -> None:
    """At any moment, whatever of what was not synced is there."""
    require_strace()
    trials = Trials("F5 power loss, unsynced writes lost or torn", prepared_sqlite[kind], [kind])
    recorded = record(trials)
    for _ in range(CUTS):
        end, kept = dice.randrange(len(recorded.ops) + 1), dice.choice(KEPT)
        found = after_power_loss(trials.home, recorded, end, kept, dice)
        trials.injected += 1
        what = f"{kind.name}, {end} of {len(recorded.ops)} changes, {kept:g} of the rest"
        trials.take(what, recover(found, trials.wanted, trials.kinds))
        found.remove()
    trials.close(ledger)


@pytest.mark.parametrize("kind", PROCESSORS, ids=lambda kind: kind.name)
def test_what_was_told_as_done_survives_power_loss(
    prepared_sqlite, ledger, dice: random.Random, kind: type[Processor]
) -> None:
    """When the process has ended, nothing that is needed is unsynced: nothing is done again."""
    require_strace()
    trials = Trials("F5 power loss after the end", prepared_sqlite[kind], [kind])
    recorded = record(trials)
    found = after_power_loss(trials.home, recorded, len(recorded.ops), 0.0, dice)
    recovery = recover(found, trials.wanted, trials.kinds)
    found.remove()
    trials.injected = 1
    trials.take(kind.name, recovery)
    if kind.name not in sweeps() and recovery.reports[0].done:
        trials.violations.append(f"{kind.name}: {recovery.reports[0].summary()}, again")
    trials.close(ledger)
