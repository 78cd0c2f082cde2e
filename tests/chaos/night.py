"""A tiny night, and what is triggered for it: everything that the pipeline has registered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.corral.audit import audit, orphans
from include.corral.chores import DeepSweep
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import CorralError
from include.corral.processor import Processor
from include.corral.report import Report
from include.corral.settings import Settings
from include.corral.sweep import Sweep
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import NightPlan, simulate_night
from tests.chaos.child import Child
from tests.chaos.homes import Home
from tests.chaos.moments import Moments
from tests.chaos.state import differences, state

# Long ago: of a night that is near, the sweep says other things by day than by night.
NIGHT = date(2026, 2, 20)
PLAN = NightPlan(
    night=NIGHT,
    size_px=64,
    biases=3,
    darks={60.0: 3},
    flats={"V": 3},
    science={"V": 3},
    exptime_s=60.0,
    seed=7,
)
# Disks of the machine that tests run on are no matter; and nothing is to be waited for.
PARAMETERS = {
    "warning_free_gb": 0.0,
    "warning_free_fraction": 0.0,
    "critical_free_gb": 0.0,
    "critical_free_fraction": 0.0,
    "orphan_grace_h": 0.0,
}
SWEEPS: Sequence[type[Sweep]] = (*TORITOS.sweeps, *TORITOS.deep_sweeps)
PROCESSORS: Sequence[type[Processor]] = (*TORITOS.processors(), *SWEEPS)


def make(kind: type[Processor]) -> Processor:
    """Give a processor with the parameters of these tests."""
    known = {name: value for name, value in PARAMETERS.items() if name in kind.parameters}
    return kind(**known)


def trigger(corral: Corral, kind: type[Processor], *, cleared: bool = False) -> Report:
    """Trigger it, as the next task does, or one that a person has cleared."""
    return drain(corral, make(kind), retry_failed=cleared)


def whole_night(corral: Corral) -> None:
    """Trigger everything, in its order."""
    for kind in PROCESSORS:
        trigger(corral, kind)


def fill_inbox(inbox: Path, plan: NightPlan = PLAN) -> None:
    """Put a night into the inbox, with a file that is bad and one that came in part."""
    folder = inbox / plan.night.isoformat()
    simulate_night(plan, folder)
    (folder / "page.fit").write_text("<html>gateway timeout</html>")
    whole = next(folder.glob("bias-*.fit")).read_bytes()
    (folder / "part.fit").write_bytes(whole[: len(whole) // 2])


def new_home(place: Path, inbox: Path, url: str | None = None) -> Home:
    """Make an empty installation below `place`."""
    home = place / "first"
    home.mkdir(parents=True)
    still = {"still_s": "0"}
    settings = Settings.below(home, inbox=inbox, database_url=url, pipeline=still)
    return Home(home, settings)


def before_each(home: Home) -> dict[type[Processor], Home]:
    """Give an installation for each processor, as it is when that is to be triggered."""
    found: dict[type[Processor], Home] = {}
    for kind in PROCESSORS:
        if kind in SWEEPS:
            _leave_something(home, kind)
        found[kind] = home.copy()
        with home.corral() as corral:
            trigger(corral, kind)
    return found


def _leave_something(home: Home, sweep: type[Processor]) -> None:
    """See to it that a sweep has something to do: a dead trigger, or a file that nobody names."""
    if issubclass(sweep, DeepSweep):
        stray = home.settings.products / NIGHT.isoformat() / "stray-0123456789ab.fits"
        stray.write_bytes(b"left by the dead")
        with home.corral() as corral:
            trigger(corral, sweep)
        return
    (step,) = [kind for kind in TORITOS.steps if kind.name == "ReduceScience"]
    child = Child(lambda: _die_before_commit(home, step))
    assert child.end() < 0, "it was to be killed"


def _die_before_commit(home: Home, step: type[Processor]) -> None:
    """Do the step anew, by another version of the code, up to where its files are published."""
    step.version = "of tomorrow"
    Moments(home.place, at=2, kinds="os.rename").watch()
    with home.corral() as corral:
        trigger(corral, step)


@dataclass(frozen=True)
class Recovery:
    """What was found when work had been done again after a fault."""

    violations: list[str]
    seconds: float
    orphans: int
    reports: Sequence[Report]


def recover(
    home: Home,
    wanted: Counter[str] | None,
    kinds: Sequence[type[Processor]],
    *,
    cleared: bool = False,
) -> Recovery:
    """Trigger `kinds` again, look for broken promises, and compare with an undisturbed run.

    A person may have `cleared` the tasks before.
    """
    with home.corral() as corral:
        began = time.monotonic()
        try:
            reports = [trigger(corral, kind, cleared=cleared) for kind in kinds]
        except CorralError as error:
            return Recovery([f"not recovered: {error}"], 0.0, 0, [])
        seconds = time.monotonic() - began
        violations = [] if wanted is None else differences(wanted, state(corral))
        if left := len(orphans(corral)):
            _sweep_up(corral)
            violations += [f"not swept: {path}" for path in orphans(corral)]
        violations += [str(violation) for violation in audit(corral, promises=TORITOS.promises)]
    return Recovery(violations, seconds, left, reports)


def undisturbed(home: Home, kinds: Sequence[type[Processor]]) -> Counter[str]:
    """Give the state after `kinds` have been triggered twice, as after a fault, but without."""
    case = (home.place, tuple(kinds))
    if case not in _UNDISTURBED:
        copy = home.copy()
        with copy.corral() as corral:
            for kind in (*kinds, *kinds):
                trigger(corral, kind)
            _UNDISTURBED[case] = state(corral)
        copy.remove()
    return _UNDISTURBED[case]


# An installation that is copied is never changed.
_UNDISTURBED: dict[tuple[Path, tuple[type[Processor], ...]], Counter[str]] = {}


def _sweep_up(corral: Corral) -> None:
    """Let the sweeps close the dead, see what is left of them, and remove it."""
    for kind in (*SWEEPS, *TORITOS.deep_sweeps):
        trigger(corral, kind)
