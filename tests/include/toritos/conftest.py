"""A night in the inbox, and the pipeline run over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.report import Report
from include.corral.settings import Settings
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import NightPlan, Truth, simulate_night

RunAll = Callable[..., dict[str, Report]]
NIGHT = date(2026, 11, 20)


@pytest.fixture
def site(tmp_path: Path) -> Corral:
    """An empty installation on SQLite."""
    corral = Corral(Settings.below(tmp_path / "site"))
    corral.settings.inbox.mkdir(parents=True)
    yield corral
    corral.close()


@pytest.fixture
def small_plan() -> NightPlan:
    """A night that takes a second: all kinds of frames, two filters."""
    return NightPlan(
        night=NIGHT,
        size_px=256,
        biases=5,
        darks={60.0: 3},
        flats={"V": 3, "R": 3},
        science={"V": 3, "R": 2},
        exptime_s=60.0,
        seed=7,
    )


@pytest.fixture
def small_night(site: Corral, small_plan: NightPlan) -> Truth:
    """The frames of that night, in the inbox."""
    return simulate_night(small_plan, site.settings.inbox / NIGHT.isoformat())


@pytest.fixture
def run_all() -> RunAll:
    """Load, then run steps (by default all) for a night."""

    def run(
        corral: Corral, night: str | None = NIGHT.isoformat(), steps: Sequence[str] = ()
    ) -> dict[str, Report]:
        reports = {"load": drain(corral, TORITOS.loader())}
        for step in TORITOS.steps:
            if not steps or step.name in steps:
                reports[step.name] = drain(corral, step(), partition=night)
        return reports

    return run
