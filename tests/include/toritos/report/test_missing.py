"""What a night lacks is named; what its profile allows is only noted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from include.toritos.instrument import SHIPPED
from include.toritos.report.gather import gather
from include.toritos.simulator import simulate_night

NIGHT = date(2026, 11, 20)


def facts_of(corral, night: date = NIGHT):
    with corral.read() as session:
        return gather(session, corral.settings, night)


@pytest.mark.usefixtures("small_night")
def test_masters_and_images_that_were_not_made_are_missing(site, run_all) -> None:
    """By exposure time and filter."""
    run_all(site, steps=("MasterBias",))
    assert facts_of(site).missing == (
        "2 of 2 science frames R not calibrated",
        "3 of 3 science frames V not calibrated",
        "no master dark 60 s: 3 frames came",
        "no master flat R: 3 frames came",
        "no master flat V: 3 frames came",
    )


def test_failures_stand_with_their_reason(site, small_plan, run_all) -> None:
    """No flat came: the images wait for one."""
    simulate_night(replace(small_plan, flats={}), site.settings.inbox)
    run_all(site)
    facts = facts_of(site)
    assert facts.missing[0] == "2 of 2 science frames R not calibrated"
    standing = {(row.step, row.status, row.failure_class): row.number for row in facts.standing}
    assert standing == {("ReduceScience", "failed", "upstream_missing"): 5}
    assert all("no master_flat" in row.message for row in facts.standing)


@pytest.fixture
def second_night(site, small_plan, run_all) -> date:
    """The second of two nights; its flats did not come."""
    plan = replace(small_plan, science={"V": 1}, flats={"V": 3})
    simulate_night(plan, site.settings.inbox / "1")
    run_all(site)
    night = NIGHT + timedelta(days=1)
    simulate_night(replace(plan, night=night, flats={}), site.settings.inbox / "2")
    run_all(site, night.isoformat())
    return night


def test_master_of_another_night_is_noted(site, second_night) -> None:
    """Nothing is missing where the profile expects no number of flats."""
    facts = facts_of(site, second_night)
    assert facts.missing == ()
    assert facts.notes == ("1 V image with a flat of another night",)
    assert ("flat", "2026-11-20", 1) in {(m.kind, m.night, m.used_by) for m in facts.masters}


def test_master_of_another_night_is_missing_where_its_frames_are_expected(
    site, second_night, tmp_path
) -> None:
    """The profile says how many flats each night should have."""
    text = (SHIPPED / "toritos.toml").read_text()
    (tmp_path / "toritos.toml").write_text(f"{text}\n[gates]\nexpect_flat = 3\n")
    site.settings.pipeline["profiles"] = str(tmp_path)
    assert facts_of(site, second_night).missing == (
        "no flat V of the night's own (3 frames expected): 1 image with one of another night",
    )


def test_correction_that_is_always_made_is_missing_when_it_is_not(
    site, small_plan, run_all
) -> None:
    """A camera that has had darks lacks them; before, it is only noted."""
    plan = replace(small_plan, science={"V": 1}, flats={"V": 3}, darks={})
    simulate_night(plan, site.settings.inbox / "1")
    run_all(site)
    facts = facts_of(site)
    assert (facts.missing, facts.notes) == ((), ("1 image without dark correction",))
    far = NIGHT - timedelta(days=60)
    simulate_night(replace(plan, night=far, darks={60.0: 3}), site.settings.inbox / "2")
    run_all(site, far.isoformat())
    assert facts_of(site).missing == ("1 image without dark correction",)
