"""Trials in which one system call fails, SQLite's own as well as Python's."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from include.corral.corral import Corral
from tests.chaos.child import TOLD
from tests.chaos.homes import Home
from tests.chaos.night import recover, trigger
from tests.chaos.syscalls import READING, WRITING, Call, Traced
from tests.chaos.trials import Trials, have_no_patience

ERRORS = ("ENOSPC", "EIO", "EACCES", "EDQUOT", "ESTALE")
MODES = ("", "+")  # once, and from then on
# A product that cannot be read is told of, and that is as it should be.
RIGHTLY_TOLD = ('"rule":"altered_files"', '"rule":"broken_promises"', "expected: 1 × delivery {")
# A file that may not be read is refused and looked at again: the ledger tells of both looks.
OF_LOOKS = ("rejection {", "unit of FitsInbox", "done by FitsInbox")


@contextmanager
def _half_an_hour_later() -> Iterator[None]:
    real = Corral.now
    with patch.object(Corral, "now", lambda corral: real(corral) + timedelta(minutes=30)):
        yield


class FailingCalls(Trials):
    """Trials in which one system call fails, once or for good."""

    def work(self, home: Home) -> None:
        """Trigger everything; nobody waits for a database that fails for good."""
        have_no_patience()
        corral = Corral(home.settings)
        for kind in self.kinds:
            trigger(corral, kind)
        corral.close()

    def calls(self, names: str = f"{WRITING},{READING}") -> list[Call]:
        """Give the calls that an undisturbed process makes on its own files and the inbox."""
        copy = self.home.copy()
        traced = self._traced(copy, [f"trace={names}"])
        assert traced.end() == 0, traced.said.read_text()
        places = (str(copy.place), str(copy.settings.inbox))
        calls = [call for call in traced.calls() if any(p in call.arguments for p in places)]
        copy.remove()
        return calls

    def fail_by_chance(self, calls: Sequence[Call], dice: random.Random) -> None:
        """Let one of `calls` fail, in one of the ways in which such a call does."""
        call = dice.choice(calls)
        error = "EIO" if call.name in READING.split(",") else dice.choice(ERRORS)
        self.fail(call, error, dice.choice(MODES))

    def fail(self, call: Call, error: str, mode: str) -> None:
        """Let that call fail, then recover; a person clears what permissions have stopped."""
        what = f"{self.kinds[0].name}: {call.name} {call.number}{mode} gives {error}"
        copy = self.home.copy()
        when = f"{call.name}:error={error}:when={call.number}{mode}"
        traced = self._traced(copy, [f"trace={call.name}", f"inject={when}"])
        code = traced.end()
        self.injected += "(INJECTED)" in traced.log.read_text()
        if code not in {0, TOLD}:
            said = traced.said.read_text() if traced.said.exists() else "nothing"
            self.violations.append(f"{what}: ended with {code}, and said {said}")
        cleared = error == "EACCES"
        with _half_an_hour_later():  # a file that may not be read is left alone for a while
            recovery = recover(copy, self.wanted, self.kinds, cleared=cleared)
        expected = (*RIGHTLY_TOLD, *(OF_LOOKS if cleared else ()))
        violations = [it for it in recovery.violations if not any(r in it for r in expected)]
        self.take(what, replace(recovery, violations=violations))
        copy.remove()

    def _traced(self, copy: Home, expressions: Sequence[str]) -> Traced:
        options = [word for expression in expressions for word in ("-e", expression)]
        log = Path(f"{copy.place}.strace")
        return Traced(lambda: self.work(copy), options=["-s", "0", *options], log=log)
