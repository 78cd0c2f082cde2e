"""Drains one part of the lab in a process of its own: what the crash tests kill and stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from include.corral import drain as module
from include.corral.claims import LeaseKeeper
from include.corral.corral import Corral
from tests.include.corral.lab import Calibrate, Master, Measure, Pile, Quarry, Weigh

STEPS = {step.name: step for step in (Weigh, Pile, Master, Calibrate, Measure, Quarry)}


def main(answer: Connection, arguments: Mapping[str, Any]) -> None:
    """Drain one part; stop or die where it is asked for; answer with what was done."""
    corral = Corral(arguments["settings"])
    step = STEPS[arguments["step"]](**arguments["parameters"])
    if arguments["mark"]:
        # It is to be stopped in its work, not while it shows life: see test_ledger.
        LeaseKeeper._keep = lambda _keeper: None  # type: ignore[method-assign]
    if arguments["die"]:
        _arm(step, arguments["die"], Moment(arguments["after"], arguments["mark"]))
    report = module.drain(corral, step)
    answer.send((report.done, report.failed, report.lost))
    corral.close()


class Moment:
    """Ends the process, or stops it, when it is passed for the n-th time."""

    def __init__(self, after: int, mark: Path | None) -> None:
        self.left = after
        self.mark = mark

    def passed(self) -> None:
        """Count, and act at zero."""
        self.left -= 1
        if self.left == -1 and self.mark:
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.left == -1:
            os.kill(os.getpid(), signal.SIGKILL)


def _arm(step: Any, die: str, moment: Moment) -> None:
    """Make the process meet its moment in the work, before the commit, or after it."""
    process, commit = step.process, module.commit

    def dying(work: Any, run: Any) -> Any:
        moment.passed()
        return process(work, run)

    def committing(*args: Any) -> Any:
        if die == "published":
            moment.passed()
        lost = commit(*args)
        if die == "committed":
            moment.passed()
        return lost

    if die == "process":
        step.process = dying
    else:
        module.commit = committing
