"""A pipeline as a whole: its loader, its steps in their order, its alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from include.corral.alert import Alert
from include.corral.chores import DeepSweep, LightSweep
from include.corral.errors import ConfigurationError
from include.corral.loader import Loader
from include.corral.processor import Processor
from include.corral.step import Step
from include.corral.sweep import Sweep
from include.corral.violation import Promise


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What the command line works with.

    Attributes
    ----------
    name
        For people.
    loader
        The door.
    steps
        In the order in which a partition goes through them.
    alerts
        Rules that are looked at after the steps.
    promises
        That the audit looks at, beside those that every ledger makes.
    sweeps, deep_sweeps
        What looks after the installation, every few minutes and once a day.
    commands
        Functions that add commands of its own to those of the command line, see `alerts_cli`.
    account
        Gives the lines of a table: what came in, in a partition or in all, and what became of it.
    """

    name: str
    loader: type[Loader]
    steps: Sequence[type[Step]] = ()
    alerts: Sequence[type[Alert]] = ()
    promises: Sequence[Promise] = ()
    sweeps: Sequence[type[Sweep]] = (LightSweep,)
    deep_sweeps: Sequence[type[Sweep]] = (DeepSweep,)
    commands: Sequence[Callable[[Any], None]] = ()
    account: Callable[[Session, str | None], Iterable[str]] | None = None

    def processors(self) -> list[type[Processor]]:
        """Give all of them, the loader first."""
        return [self.loader, *self.steps, *self.alerts]

    def find(self, name: str) -> type[Processor]:
        """Give the loader, step or alert with that name.

        Raises
        ------
        ConfigurationError
            If there is none.
        """
        known = {processor.name: processor for processor in self.processors()}
        if name not in known:
            raise ConfigurationError(
                f"{self.name} has no step {name!r}; it has: {', '.join(known)}"
            )
        return known[name]
