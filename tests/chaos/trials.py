"""Trials: an installation is broken in one way, mended as it mends itself, and looked at."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from include.corral import commit
from include.corral.processor import Processor
from tests.chaos.child import RAISED, TOLD, Child
from tests.chaos.homes import Home
from tests.chaos.moments import Moments
from tests.chaos.night import Recovery, recover, trigger, undisturbed

if TYPE_CHECKING:
    from tests.chaos.conftest import Ledger

Inside = Callable[[Home], object]
Outside = Callable[[Child], object]

MESSAGE = 500  # characters, of a violation


def left_alone(_child: Child) -> None:
    """Do nothing to it."""


class Trials:
    """Faults of one kind, and what came of them.

    Parameters
    ----------
    fault
        Its line in the table.
    home
        The installation as it is before; each trial has a copy.
    kinds
        What is triggered, and triggered again after the fault.
    compared
        Whether the state is to be that of an undisturbed run.
    """

    def __init__(
        self, fault: str, home: Home, kinds: Sequence[type[Processor]], *, compared: bool = True
    ) -> None:
        self.fault = fault
        self.home = home
        self.kinds = kinds
        self.wanted = undisturbed(home, kinds) if compared else None
        self.injected = 0
        self.violations: list[str] = []
        self.orphans = 0
        self.recovery_s = 0.0

    def work(self, home: Home) -> None:
        """Trigger everything in the copy."""
        with home.corral() as corral:
            for kind in self.kinds:
                trigger(corral, kind)

    def one(
        self,
        what: str,
        *,
        inside: Inside,
        outside: Sequence[Outside] = (left_alone,),
        may_raise: bool = False,
        cleared: bool = False,
    ) -> int:
        """Break a copy, recover, look; give the exit code of the process that was broken.

        Parameters
        ----------
        what
            Names the trial in a message.
        inside
            What the process does.
        outside
            What is done to it meanwhile; to that of each item, before it may recover.
        may_raise
            Whether the process may end with an error of the kernel's, as a task may fail.
        cleared
            Whether a person lets everything be tried again that has failed.
        """
        copy = self.home.copy()
        said = copy.place / "said.txt"
        try:
            for strike in outside:
                child = Child(lambda: inside(copy), said=said)
                try:
                    strike(child)
                    code = child.end()
                finally:
                    child.kill()
                if code == RAISED or (code == TOLD and not may_raise):
                    self.violations.append(f"{what}: raised {said.read_text()}")
                elif code != 0:
                    self.injected += 1
            recovery = recover(copy, self.wanted, self.kinds, cleared=cleared)
            self.take(what, recovery)
        finally:
            copy.remove()
        return code

    def take(self, what: str, recovery: Recovery) -> None:
        """Add what was found after one fault."""
        self.violations += [f"{what}: {violation}" for violation in recovery.violations]
        self.orphans += recovery.orphans
        self.recovery_s = max(self.recovery_s, recovery.seconds)

    def moments(self) -> int:
        """Count the moments of an undisturbed process."""
        copy = self.home.copy()
        counted = copy.place / "moments.txt"

        def work() -> None:
            moments = Moments(copy.place)
            moments.watch()
            self.work(copy)
            counted.write_text(str(len(moments.seen)))

        assert Child(work).end() == 0
        number = int(counted.read_text())
        copy.remove()
        return number

    def kill_at(self, at: int) -> int:
        """Kill the process at a moment, and recover; give its exit code."""

        def work(home: Home) -> None:
            Moments(home.place, at=at).watch()
            self.work(home)

        return self.one(f"{self.kinds[0].name}, moment {at}", inside=work)

    def clean_s(self) -> float:
        """Seconds that an undisturbed process takes."""
        copy = self.home.copy()
        began = time.monotonic()
        assert Child(lambda: self.work(copy)).end() == 0
        seconds = time.monotonic() - began
        copy.remove()
        return seconds

    def close(self, ledger: Ledger) -> None:
        """Write the line of the table, and check."""
        ledger.add(
            self.fault,
            self.injected,
            len(self.violations),
            self.recovery_s,
            orphans=self.orphans,
        )
        self.check()

    def check(self) -> None:
        """No promise may be broken."""
        assert not self.violations, "\n".join(it[:MESSAGE] for it in self.violations[:20])


def have_no_patience() -> None:
    """Give up at once, in this process, where a database fails for good."""
    commit.BACK_OFF_S = (0.001, 0.002, 0.004, 0.008, 0.01)


def killed_after(seconds: float) -> Outside:
    """Kill the process so many seconds after it was started."""

    def kill(child: Child) -> None:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and child.poll() is None:
            time.sleep(min(0.002, max(0.0, limit - time.monotonic())))
        child.signal(signal.SIGKILL)

    return kill
