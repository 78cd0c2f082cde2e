"""Workers side by side: racing, killed among others, and stopped until others have taken over."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from include.corral.claims import LeaseKeeper
from include.corral.corral import Corral
from include.toritos.steps import MasterDark, MasterFlat, ReduceScience
from models.work import Unit, UnitStatus
from tests.chaos.child import Child
from tests.chaos.homes import Home
from tests.chaos.moments import Moments, stop_this_process
from tests.chaos.night import recover, trigger
from tests.chaos.trials import Trials

pytestmark = pytest.mark.chaos
UNITS = 500
KILLS = 50
# Never within a transaction, which would keep the others waiting: see `models.session`.
BETWEEN_TRANSACTIONS = "os.mkdir fsync os.rename os.remove"
LEASE_S = 0.3


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_racing_workers_do_each_unit_once(many_units, ledger, workers) -> None:
    """Five hundred frames, any number of workers: each is reduced by one, and once."""
    trials = Trials("F14 units raced for by 2, 4 and 8 workers", many_units, [ReduceScience])
    copy = trials.home.copy()
    racing = [Child(lambda: trials.work(copy)) for _ in range(workers)]
    try:
        assert [worker.end() for worker in racing] == [0] * workers
    finally:
        for worker in racing:
            worker.kill()
    trials.injected = UNITS
    recovery = recover(copy, trials.wanted, trials.kinds)
    trials.take(f"{workers} workers", recovery)
    copy.remove()
    if again := recovery.reports[0].done:
        trials.violations.append(f"{workers} workers: {again} left to be done")
    trials.close(ledger)


def test_others_go_on_when_one_is_killed(many_units, ledger, dice: random.Random) -> None:
    """One of four is killed now and now, and another takes its place."""
    trials = Trials("F4 kill -9 of one worker of four", many_units, [ReduceScience])
    while trials.injected < KILLS:
        copy = trials.home.copy()
        trials.injected += _kill_while_there_is_work(trials, copy, dice)
        # A unit may have been held by three that were killed: a person lets it be tried again.
        trials.take("four workers", recover(copy, trials.wanted, trials.kinds, cleared=True))
        copy.remove()
    trials.close(ledger)


def _kill_while_there_is_work(trials: Trials, home: Home, dice: random.Random) -> int:
    kills = 0
    working = [Child(lambda: trials.work(home)) for _ in range(4)]
    try:
        while any(worker.poll() is None for worker in working):
            time.sleep(dice.uniform(0, 0.4))
            place = dice.randrange(4)
            if working[place].poll() is None:
                working[place].kill()
                kills += 1
                working[place] = Child(lambda: trials.work(home))
    finally:
        for worker in working:
            worker.kill()
    return kills


@pytest.mark.parametrize("kind", [MasterDark, MasterFlat, ReduceScience], ids=lambda k: k.name)
def test_one_that_wakes_after_its_lease_commits_nothing(prepared, ledger, kind) -> None:
    """Stopped at a file event, its units done by another meanwhile: its results are thrown away."""
    home = Home(prepared[kind].place, replace(prepared[kind].settings, lease_s=LEASE_S))
    trials = Trials("F15 SIGSTOP beyond the lease, SIGCONT", home, [kind])
    at = 0
    stopped = True
    while stopped:
        at += 1
        copy = home.copy()
        stopped = _stop_and_wake(trials, copy, at)
        copy.remove()
    trials.close(ledger)


def _stop_and_wake(trials: Trials, home: Home, at: int) -> bool:
    """Stop a worker at a moment, let another do its work, wake it; False where it was not met."""

    def work() -> None:
        # It is to be stopped in its work, not while it shows life and holds SQLite's lock.
        setattr(LeaseKeeper, "_keep", lambda _keeper: None)  # noqa: B010
        Moments(
            home.settings.products, at=at, action=stop_this_process, kinds=BETWEEN_TRANSACTIONS
        ).watch()
        trials.work(home)

    sleeper = Child(work)
    try:
        while sleeper.poll() is None and not sleeper.is_stopped():
            time.sleep(0.002)
        if sleeper.poll() is not None:
            return False
        trials.injected += 1
        time.sleep(1.2 * LEASE_S)
        with home.corral() as corral:
            second = trigger(corral, trials.kinds[0])
            held = _claimed(corral)
        sleeper.signal(signal.SIGCONT)
        code = sleeper.end()
    finally:
        sleeper.kill()
    if second.failed or held or code != 0:
        trials.violations.append(f"moment {at}: {second.summary()}, {held} held, ended {code}")
    trials.take(f"moment {at}", recover(home, trials.wanted, trials.kinds))
    return True


def _claimed(corral: Corral) -> int:
    with corral.read() as session:
        query = select(func.count()).select_from(Unit).where(Unit.is_(UnitStatus.CLAIMED))
        return session.scalar(query) or 0
