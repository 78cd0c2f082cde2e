"""Trials in which the power fails: a process is recorded once, and cut at any of its changes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from include.corral.report import Report
from tests.chaos.homes import Home
from tests.chaos.night import recover
from tests.chaos.power import TRACED, Recorded, lay_out
from tests.chaos.syscalls import Traced
from tests.chaos.trials import Trials

# Of the writes that were not synced: none, any, or all of them but torn.
KEPT = (0.0, 0.5, 1.0)


class PowerCuts(Trials):
    """Trials in which what was not synced is gone, torn or in another order."""

    @cached_property
    def recorded(self) -> Recorded:
        """All that an undisturbed process changes on the disk."""
        copy = self.home.copy()
        recorded = Recorded(copy.place)
        recorded.start(copy.place)
        options = ["-xx", "-s", "4000000", "-e", f"trace={TRACED}"]
        log = Path(f"{copy.place}.strace")
        traced = Traced(lambda: self.work(copy), options=options, log=log)
        assert traced.end() == 0, traced.said.read_text()
        recorded.take(traced.calls())
        log.unlink()
        copy.remove()
        return recorded

    def cut(self, dice: random.Random) -> None:
        """Cut at any moment, and keep any part of what was not synced."""
        self._cut(dice.randrange(len(self.recorded.ops) + 1), dice.choice(KEPT), dice)

    def cut_after_the_end(self, dice: random.Random) -> Sequence[Report]:
        """Cut when the process has ended, with nothing kept but what was synced."""
        return self._cut(len(self.recorded.ops), 0.0, dice)

    def _cut(self, end: int, kept: float, dice: random.Random) -> Sequence[Report]:
        found = self._after(end, kept, dice)
        self.injected += 1
        recovery = recover(found, self.wanted, self.kinds)
        changes = f"{end} of {len(self.recorded.ops)} changes, {kept:g} of the rest"
        self.take(f"{self.kinds[0].name}, {changes}", recovery)
        found.remove()
        return recovery.reports

    def _after(self, end: int, kept: float, dice: random.Random) -> Home:
        """Give the installation as it is found when the power is back."""
        place = self.home.place.with_name(f"cut-{dice.getrandbits(48):012x}")
        lay_out(self.recorded, end, place, kept=kept, dice=dice)
        url = f"sqlite:///{place / 'corral.db'}"
        settings = replace(self.home.settings, products=place / "products", database_url=url)
        return Home(place, settings)
