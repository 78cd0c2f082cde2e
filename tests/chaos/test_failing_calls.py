"""The N-th system call fails: every call of the store, and calls of everything else by chance."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from include.corral import commit
from include.corral.corral import Corral
from include.toritos.steps import MasterBias
from tests.chaos.child import TOLD
from tests.chaos.homes import Home
from tests.chaos.night import PROCESSORS, recover, trigger
from tests.chaos.syscalls import READING, WRITING, Call, Traced, require_strace
from tests.chaos.trials import Trials

pytestmark = pytest.mark.chaos
ERRORS = ("ENOSPC", "EIO", "EACCES", "EDQUOT", "ESTALE")
MODES = ("", "+")  # once, and from then on
BY_CHANCE = 60


# A product that cannot be read is told of, and that is as it should be.
RIGHTLY_TOLD = ('"rule":"altered_files"', '"rule":"broken_promises"', "expected: 1 × delivery {")


class FailingCalls(Trials):
    """Trials in which one system call fails, once or for good."""

    def work(self, home: Home) -> None:
        """Trigger everything; nobody waits for a database that fails for good."""
        commit.BACK_OFF_S = (0.001, 0.01)
        corral = Corral(home.settings)
        for kind in self.kinds:
            trigger(corral, kind)
        corral.close()

    def calls(self, names: str) -> list[Call]:
        """Give the calls that an undisturbed process makes on its own files and the inbox."""
        copy = self.home.copy()
        traced = self._traced(copy, [f"trace={names}"])
        assert traced.end() == 0, traced.said.read_text()
        places = (str(copy.place), str(copy.settings.inbox))
        calls = [call for call in traced.calls() if any(p in call.arguments for p in places)]
        copy.remove()
        return calls

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
        recovery = recover(copy, self.wanted, self.kinds, cleared=cleared)
        violations = [it for it in recovery.violations if not any(r in it for r in RIGHTLY_TOLD)]
        self.take(what, replace(recovery, violations=violations))
        copy.remove()

    def _traced(self, copy: Home, expressions: Sequence[str]) -> Traced:
        options = [word for expression in expressions for word in ("-e", expression)]
        log = Path(f"{copy.place}.strace")
        return Traced(lambda: self.work(copy), options=["-s", "0", *options], log=log)


@pytest.fixture(autouse=True)
def _strace() -> None:
    require_strace()


def is_of_store(call: Call) -> bool:
    """Tell whether it is about products."""
    return "/products" in call.arguments


def test_every_call_of_the_store_fails_with_every_error(prepared_sqlite, ledger) -> None:
    """Once or for good: the unit fails, nothing half made can be seen, the next trigger mends."""
    trials = FailingCalls(
        "F6 failing calls of the store", prepared_sqlite[MasterBias], [MasterBias]
    )
    calls = [call for call in trials.calls(WRITING) if is_of_store(call)]
    assert len(calls) > 10
    for call in calls:
        for error in ERRORS:
            for mode in MODES:
                trials.fail(call, error, mode)
    trials.close(ledger)


@pytest.mark.parametrize("kind", PROCESSORS, ids=lambda kind: kind.name)
def test_calls_by_chance_fail(prepared_sqlite, ledger, dice: random.Random, kind) -> None:
    """Of the database, the inbox and the store, whatever is triggered."""
    trials = FailingCalls("F6 failing calls by chance", prepared_sqlite[kind], [kind])
    calls = trials.calls(f"{WRITING},{READING}")
    for _ in range(BY_CHANCE):
        call = dice.choice(calls)
        error = "EIO" if call.name in READING.split(",") else dice.choice(ERRORS)
        trials.fail(call, error, dice.choice(MODES))
    trials.close(ledger)
