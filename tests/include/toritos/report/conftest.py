"""Facts of a night made by hand, of any size and kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.toritos.report.facts import (
    Check,
    Exposures,
    Files,
    Master,
    Measured,
    NightFacts,
    Refusal,
    Standing,
    Start,
    Tally,
    Told,
)

NIGHT = date(2026, 11, 20)
DUSK = datetime(2026, 11, 20, 23, 40, tzinfo=UTC)
MakeFacts = Callable[..., NightFacts]


def full(text: str = "V", number: int = 40) -> NightFacts:
    """Something of everything; `text` stands wherever somebody may have written something."""
    times = [DUSK + timedelta(minutes=8 * count) for count in range(number)]
    return bare(
        cameras=(text,),
        exposures=(Exposures("science", text, text, number, 60.0 * number, times[0], times[-1]),),
        starts=tuple(Start("science", time) for time in times),
        files=Files(number + 2, number, (Tally(text, 1),), (Tally("empty", 1),)),
        refusals=tuple(Refusal(f"{text}-{count}", "WAIT", text, text) for count in range(number)),
        set_aside=(Tally("vetoed", 1),),
        corrected=1,
        masters=(Master("flat", text, None, "2026-11-19", 5, number, (text,), "level_adu 2e4"),),
        images=tuple(measured(time, text, count) for count, time in enumerate(times)),
        checks=(Check(text, "fwhm_px", None, 3.2, number - 1, 0, 1, 0),),
        standing=(Standing("MasterBias", "failed", "bad_data", text, 1),),
        notes=(text,),
        alerts=tuple(
            Told(DUSK, "warning", text, text, ("email: pending",), is_stuck=True)
            for _ in range(number)
        ),
    )


def measured(time: datetime, band: str, count: int) -> Measured:
    """One image; the first is bad, and has no seeing."""
    verdict, fwhm_px = ("bad", None) if count == 0 else ("good", 3.0 + 0.01 * count)
    return Measured("2026-11-20", time, band, fwhm_px, 600.0 + count, "e", 20.0, verdict)


def bare(**changes: Any) -> NightFacts:
    """Nothing, but for what is given."""
    known = {"first": NIGHT, "last": NIGHT, "site": "Cordón Macón", "cameras": (), "made_at": DUSK}
    return NightFacts(**{**known, **changes})


@pytest.fixture
def full_facts() -> MakeFacts:
    """Makes facts with something of everything."""
    return full


@pytest.fixture
def bare_facts() -> MakeFacts:
    """Makes facts of nothing but what is given."""
    return bare
