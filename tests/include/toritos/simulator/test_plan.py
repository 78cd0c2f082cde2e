"""A plan names and dates its exposures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from include.toritos.simulator.plan import LONGITUDE_DEG, NightPlan


def _night_of(instant: datetime) -> date:
    return (instant + timedelta(hours=LONGITUDE_DEG / 15.0 - 12.0)).date()


@pytest.mark.parametrize("night", [date(2026, 11, 20), date(2024, 2, 29), date(2026, 12, 31)])
def test_the_night_is_one_although_the_dates_change(night: date) -> None:
    """Frames lie on two UTC dates and two local ones, in one noon-to-noon night."""
    starts = [exposure.starts_at for exposure in NightPlan.demo(night).exposures()]
    assert {_night_of(instant) for instant in starts} == {night}
    assert {instant.date() for instant in starts} == {night, night + timedelta(days=1)}
    local = {(instant + timedelta(hours=LONGITUDE_DEG / 15.0)).date() for instant in starts}
    assert local == {night, night + timedelta(days=1)}


def test_the_utc_date_changes_among_the_science_frames() -> None:
    """A grouping by UTC date would cut the science of one night in two."""
    demo = NightPlan.demo()
    dates = {each.starts_at.date() for each in demo.exposures() if each.kind == "science"}
    assert dates == {date(2026, 11, 20), date(2026, 11, 21)}


def test_no_two_exposures_overlap() -> None:
    """The camera does one thing at a time."""
    exposures = list(NightPlan.demo().exposures())
    assert len(exposures) == 70
    for now, following in pairwise(exposures):
        assert now.starts_at + timedelta(seconds=now.exptime_s) < following.starts_at


def test_names_are_those_of_the_camera(plan: NightPlan) -> None:
    """Kind, exposure time or filter, and a running number."""
    names = {exposure.name for exposure in plan.exposures()}
    assert {
        "bias-003.fit",
        "dark-060s-002.fit",
        "dark-020s-001.fit",
        "flat-V-002.fit",
        "field01-R-0003.fit",
    } <= names
    assert len(names) == 3 + 3 + 3 + 8


def test_an_exposure_does_not_depend_on_how_many_there_are(plan: NightPlan) -> None:
    """Times and names hold when more frames of the same groups are taken."""
    more = replace(
        plan,
        biases=9,
        darks={60.0: 7, 20.0: 4},
        flats={"V": 5, "R": 5},
        science={"V": 9, "R": 8},
    )
    assert set(plan.exposures()) < set(more.exposures())


def test_a_late_exposure_follows_the_last_of_its_group(plan: NightPlan) -> None:
    """What the plan does not hold has a name and a time as well."""
    late = plan.exposure("science", 6, filter="V")
    assert late not in set(plan.exposures())
    assert late.starts_at > max(exposure.starts_at for exposure in plan.exposures())


def test_a_night_that_does_not_end_is_refused() -> None:
    """The message names the first frame too late and what to change."""
    with pytest.raises(ValueError, match=r"field01-V-0127\.fit .* shorter cadence than 480 s"):
        replace(NightPlan.demo(), science={"V": 200})


@pytest.mark.parametrize(
    "change",
    [{"size_px": 8}, {"biases": -1}, {"seed": -1}, {"exptime_s": 0.0}, {"darks": {-1.0: 2}}],
)
def test_impossible_numbers_are_refused(plan: NightPlan, change: dict[str, Any]) -> None:
    """A plan that exists can be taken."""
    with pytest.raises(ValueError, match=r"pixels|negative|above zero"):
        replace(plan, **change)


def test_light_has_a_filter_and_darkness_none(plan: NightPlan) -> None:
    """The mistake is found where it is made."""
    with pytest.raises(ValueError, match="flat and science have one"):
        plan.exposure("bias", 1, filter="V")
    with pytest.raises(ValueError, match="flat and science have one"):
        plan.exposure("science", 1)
