"""New masters against those of earlier nights."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from include.corral.drain import drain
from include.toritos.instrument import SHIPPED
from include.toritos.simulator import NightPlan, simulate_night
from include.toritos.simulator.detector import DetectorSpec
from include.toritos.steps import MasterBias, MasterFlat
from models import Product, UnitRun

FIRST, SECOND, THIRD = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)


@pytest.fixture
def observe(station, small_plan):
    """A night of few frames comes in."""

    def come(night: date, **changes) -> None:
        plan: NightPlan = replace(
            small_plan, night=night, darks={60.0: 3}, flats={"V": 3}, science={"V": 1}, **changes
        )
        simulate_night(plan, station.corral.settings.inbox / night.isoformat())
        station.load()

    return come


def work(station, night: date, *steps, retry_failed: bool = False):
    """Reports of steps."""
    return [
        drain(station.corral, step(), partition=night.isoformat(), retry_failed=retry_failed)
        for step in steps
    ]


def told(station, step: str) -> list[str]:
    """What stands on the attempts of a step."""
    with station.corral.read() as session:
        runs = session.query(UnitRun).join(UnitRun.unit).order_by(UnitRun.id).all()
        return [run.message or "" for run in runs if run.unit.step == step]


def own_profile(station, section: str) -> None:
    folder = station.corral.settings.inbox.parent / "profiles"
    folder.mkdir(exist_ok=True)
    text = (SHIPPED / "toritos.toml").read_text()
    (folder / "toritos.toml").write_text(f"{text}\n[master_check]\n{section}\n")
    station.corral.settings.pipeline["profiles"] = str(folder)


def test_a_master_like_the_last_is_accepted_and_says_how_alike(station, observe) -> None:
    """The same camera a night later: next to no pixel is off; the first night has none before."""
    for night in (FIRST, SECOND):
        observe(night)
        assert [report.done for report in work(station, night, MasterBias, MasterFlat)] == [1, 1]
    first, second = told(station, "MasterBias")
    assert first == ""
    assert second.startswith("0.0")
    assert "differ by more than 8 sigma from master_bias" in second
    assert "of 2026-11-20" in second


def test_a_changed_camera_is_refused_and_the_science_takes_another_nights(station, observe) -> None:
    """The reason names the part, the other master, what follows, and the remedy."""
    observe(FIRST)
    work(station, FIRST, MasterBias)
    observe(SECOND, detector=DetectorSpec(bias_level_adu=1400.0))
    (report,) = work(station, SECOND, MasterBias)
    (failure,) = report.failures
    assert failure.failure_class == "bad_data"
    for words in (
        "master_bias of 2026-11-21",
        "100.00% of the pixels",
        "of 2026-11-20",
        "allows 2.00%",
        "another night's",
        "since = 2026-11-21",
        "--retry-failed",
    ):
        assert words in failure.message
    report.raise_for_policy("tolerate_refused")
    assert [row.partition_key for row in station.rows(Product)] == ["2026-11-20"]


def test_since_accepts_the_new_camera_and_compares_with_it_from_then_on(station, observe) -> None:
    """As the reason says: `since`, and tried again; the third night is compared with the second."""
    observe(FIRST)
    work(station, FIRST, MasterBias)
    for night in (SECOND, THIRD):
        observe(night, detector=DetectorSpec(bias_level_adu=1400.0))
    assert [report.failed for report in work(station, SECOND, MasterBias)] == [1]
    own_profile(station, "since = 2026-11-21")
    (again,) = work(station, SECOND, MasterBias, retry_failed=True)
    assert (again.done, again.failed) == (1, 0)
    (third,) = work(station, THIRD, MasterBias)
    assert third.done == 1
    assert "of 2026-11-21" in told(station, "MasterBias")[-1]


def test_the_check_is_no_part_of_what_a_master_is(station, observe) -> None:
    """Another threshold makes nothing anew."""
    for night in (FIRST, SECOND):
        observe(night)
        work(station, night, MasterBias)
    own_profile(station, "sigma = 9.0")
    assert [report.done for report in work(station, SECOND, MasterBias)] == [0]


def test_masters_of_other_settings_are_not_compared(station, observe, monkeypatch) -> None:
    """A new version may make all of them otherwise; the first night's is of the old one."""
    observe(FIRST)
    work(station, FIRST, MasterBias)
    monkeypatch.setattr(MasterBias, "version", "2")
    observe(SECOND, detector=DetectorSpec(bias_level_adu=1400.0))
    (report,) = work(station, SECOND, MasterBias)
    assert report.done == 1
    assert "made otherwise" in told(station, "MasterBias")[-1]


def test_a_master_whose_file_is_damaged_is_no_reason_to_refuse(station, observe) -> None:
    """It is said that nothing was compared."""
    observe(FIRST)
    work(station, FIRST, MasterBias)
    (kept,) = station.rows(Product)
    path = station.corral.store.locate(kept.path)
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[: len(whole) // 2])
    observe(SECOND)
    (report,) = work(station, SECOND, MasterBias)
    assert report.done == 1
    assert "not compared with master_bias" in told(station, "MasterBias")[-1]
