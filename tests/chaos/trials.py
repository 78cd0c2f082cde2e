"""Trials: an installation is broken in one way, mended as it mends itself, and looked at."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from include.corral.corral import Corral
from include.corral.processor import Processor
from tests.chaos.child import RAISED, TOLD, Child
from tests.chaos.homes import Home
from tests.chaos.night import Recovery, recover, trigger, undisturbed

if TYPE_CHECKING:
    from tests.chaos.conftest import Ledger

Inside = Callable[[Home], object]
Outside = Callable[[Child], object]


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
        outside: Outside = lambda _child: None,
        between: Callable[[Corral], None] | None = None,
        may_raise: bool = False,
        times: int = 1,
    ) -> int:
        """Break a copy, recover, look; give the exit code of the process that was broken.

        Parameters
        ----------
        what
            Names the trial in a message.
        inside, outside
            What the process does, and what is done to it meanwhile.
        between
            What is done to the installation before it recovers.
        may_raise
            Whether the process may end with an error of the kernel's, as a task may fail.
        times
            How often it is broken before it may recover.
        """
        copy = self.home.copy()
        said = copy.place / "said.txt"
        try:
            for _ in range(times):
                child = Child(lambda: inside(copy), said=said)
                try:
                    outside(child)
                    code = child.end()
                finally:
                    child.kill()
                if code == RAISED or (code == TOLD and not may_raise):
                    self.violations.append(f"{what}: raised {said.read_text()}")
                elif code != 0:
                    self.injected += 1
            self.take(what, recover(copy, self.wanted, self.kinds, between=between))
        finally:
            copy.remove()
        return code

    def take(self, what: str, recovery: Recovery) -> None:
        """Add what was found after one fault."""
        self.violations += [f"{what}: {violation}" for violation in recovery.violations]
        self.orphans += recovery.orphans
        self.recovery_s = max(self.recovery_s, recovery.seconds)

    def clean_s(self) -> float:
        """Seconds that an undisturbed process takes."""
        copy = self.home.copy()
        began = time.monotonic()
        assert Child(lambda: self.work(copy)).end() == 0
        seconds = time.monotonic() - began
        copy.remove()
        return seconds

    def close(self, ledger: Ledger) -> None:
        """Write the line of the table; no promise may be broken."""
        ledger.add(
            self.fault,
            self.injected,
            len(self.violations),
            self.recovery_s,
            orphans=self.orphans,
        )
        assert not self.violations, "\n".join(self.violations[:20])


def killed_after(seconds: float) -> Outside:
    """Kill the process so many seconds after it was started."""

    def kill(child: Child) -> None:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and child.poll() is None:
            time.sleep(min(0.002, max(0.0, limit - time.monotonic())))
        child.signal(signal.SIGKILL)

    return kill
