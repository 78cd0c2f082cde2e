"""A small night that every test of the simulator may look at."""

from __future__ import annotations

from datetime import date

import pytest

from include.toritos.simulator import NightPlan, Truth


@pytest.fixture(scope="session")
def plan() -> NightPlan:
    """Every kind of frame, few of each, 160 pixels a side."""
    return NightPlan(
        night=date(2026, 11, 20),
        size_px=160,
        biases=3,
        darks={60.0: 2, 20.0: 1},
        flats={"V": 2, "R": 1},
        science={"V": 5, "R": 3},
        seed=7,
    )


@pytest.fixture(scope="session")
def truth(plan: NightPlan) -> Truth:
    """The truth of that night; tests read it and do not change it."""
    return Truth(plan)
