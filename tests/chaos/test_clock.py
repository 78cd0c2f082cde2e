"""The clock of the database is wrong, or jumps: nothing is lost, and nothing done twice."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Engine, event

from include.toritos.loader import FitsInbox
from include.toritos.simulator import simulate_night
from tests.chaos.child import Child
from tests.chaos.homes import Home
from tests.chaos.moments import Moments
from tests.chaos.night import NIGHT, PLAN, PROCESSORS, Recovery, new_home, recover, trigger
from tests.chaos.trials import Trials

pytestmark = pytest.mark.chaos
DAY_S = 86400.0
RACES, WORKERS = 5, 4
# What has lain for long, or a lease that is over: told of by whoever believes the clock.
BELIEVED = ('"rule":"broken_promises"', '"rule":"silent_camera"', "expected: 1 × delivery {")
SHIFTS_S = {
    "an hour ahead": 3600.0,
    "an hour behind": -3600.0,
    "a day ahead": DAY_S,
    "a day behind": -DAY_S,
    "ten years ahead": 3652 * DAY_S,
    "ten years behind": -3652 * DAY_S,
    "after 2038": datetime(2038, 1, 19, 3, 14, 9, tzinfo=UTC).timestamp() - time.time(),
    "after 2106": datetime(2106, 2, 7, 6, 28, 17, tzinfo=UTC).timestamp() - time.time(),
}


@pytest.fixture(scope="module")
def unloaded(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An installation before a small night of whole files: a part is waited for by the clock."""
    place = tmp_path_factory.mktemp("clock")
    simulate_night(replace(PLAN, biases=40), place / "inbox" / NIGHT.isoformat())
    return new_home(place / "homes", place / "inbox")


@pytest.fixture(scope="module")
def loaded(unloaded: Home) -> Home:
    """The same when its frames are loaded: by a clock that is behind, all would be too early."""
    home = unloaded.copy()
    with home.corral() as corral:
        trigger(corral, FitsInbox)
    return home


class Clocks(Trials):
    """Trials in which messages about time may be wrong, and nothing else."""

    def take(self, what: str, recovery: Recovery) -> None:
        """Add what was found, less the messages."""
        left = [it for it in recovery.violations if not any(rule in it for rule in BELIEVED)]
        super().take(what, replace(recovery, violations=left))


def set_clock(shift_s: Callable[[], float]) -> None:
    """Let SQLite's clock be wrong in this process, by what `shift_s` gives at each look."""

    def strftime(_format: str, _when: str) -> str:
        shifted = datetime.now(UTC) + timedelta(seconds=shift_s())
        return shifted.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.create_function("strftime", 2, strftime)

    event.listen(Engine, "connect", connected)


@pytest.mark.parametrize("shift", SHIFTS_S)
def test_killed_while_the_clock_was_wrong(loaded, ledger, dice, shift) -> None:
    """Whoever was killed then is caught up with by the right clock."""
    trials = Clocks("F13 clocks of the database", loaded, PROCESSORS)
    at = dice.randrange(50, 800)

    def work(home: Home) -> None:
        set_clock(lambda: SHIFTS_S[shift])
        Moments(home.place, at=at).watch()
        trials.work(home)

    trials.one(f"{shift}, killed at {at}", inside=work)
    trials.close(ledger)


@pytest.mark.parametrize("largest_s", [2.0, 3600.0, 2 * DAY_S, 365 * DAY_S])
def test_clock_that_jumps_all_the_time(loaded, ledger, dice, largest_s) -> None:
    """A whole night is worked through while each look at the clock tells another time."""
    trials = Clocks("F13 clocks of the database", loaded, PROCESSORS)
    jumps = random.Random(dice.random())

    def work(home: Home) -> None:
        set_clock(lambda: jumps.uniform(-largest_s, largest_s))
        trials.work(home)

    assert trials.one(f"jumps up to {largest_s:g} s", inside=work) == 0
    trials.injected = 1
    trials.close(ledger)


@pytest.mark.parametrize("largest_s", [3600.0, DAY_S])
def test_workers_take_each_other_for_dead(unloaded, ledger, dice, largest_s) -> None:
    """Each look at the clock may end the lease of all others: no frame is loaded twice."""
    trials = Clocks("F13 clocks of the database", unloaded, [FitsInbox])
    for number in range(RACES):
        seeds = [dice.random() for _ in range(WORKERS)]
        copy = trials.home.copy()
        working = [Child(partial(_work_by, trials, copy, seed, largest_s)) for seed in seeds]
        trials.injected += 1
        codes = {worker.end() for worker in working}
        if codes != {0}:
            trials.violations.append(f"race {number}: ended with {codes}")
        # Who was taken for dead three times has had what he held set aside, for a person.
        recovery = recover(copy, trials.wanted, trials.kinds, cleared=True)
        trials.take(f"race {number}", recovery)
        copy.remove()
    trials.close(ledger)


def _work_by(trials: Trials, home: Home, seed: float, largest_s: float) -> None:
    jumps = random.Random(seed)
    set_clock(lambda: jumps.uniform(-largest_s, largest_s))
    trials.work(home)
