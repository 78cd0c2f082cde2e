"""Gates before masters: how many frames are expected, how long they are waited for, what then."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from include.ccd.calibration import Gates
from include.ccd.cards import flags_of
from include.ccd.errors import ProfileError
from include.ccd.image import Image
from include.ccd.profile import load_profile
from include.corral.backlog import partitions_to_do
from include.corral.corral import Corral
from include.corral.errors import NotYet, UpstreamMissing
from include.corral.settings import Settings
from include.toritos.gates import gate_of
from include.toritos.instrument import SHIPPED
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import simulate_night
from models import Frame, Product, Unit, UnitRun

MORNING = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NIGHT, BEFORE = date(2026, 11, 20), date(2026, 11, 18)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The database's clock, in our hand: the morning after the night."""
    hand = SimpleNamespace(now=MORNING)
    monkeypatch.setattr(Corral, "now", lambda _corral: hand.now)
    return hand


@pytest.fixture
def gated(site: Corral, tmp_path: Path):
    """The station with gates in its profile."""

    def with_gates(**gates: object) -> Corral:
        lines = "\n".join(f"{name} = {value!r}" for name, value in gates.items())
        (tmp_path / "toritos.toml").write_text(
            f"{(SHIPPED / 'toritos.toml').read_text()}\n[gates]\nwait_hours = 48\n{lines}\n"
        )
        site.settings.pipeline["profiles"] = str(tmp_path)
        return site

    return with_gates


@pytest.fixture
def night(site: Corral, small_plan):
    """A function that lets a night of small frames come in: kinds can be left out."""

    def expose(day: date = NIGHT, **plan: object) -> None:
        made = replace(small_plan, night=day, size_px=96, **plan)
        simulate_night(made, site.settings.inbox / day.isoformat())

    return expose


def made(corral: Corral, kind: str, *, current: bool = True) -> list[Product]:
    with corral.read() as session:
        query = select(Product).where(Product.kind == kind, Product.current == current)
        return list(session.scalars(query.order_by(Product.id)))


def classes(report) -> Counter[str]:
    return Counter(failure.failure_class for failure in report.failures)


def last_message(corral: Corral, step: str) -> str:
    with corral.read() as session:
        query = select(UnitRun).join(Unit).where(Unit.step == step).order_by(UnitRun.id.desc())
        return session.scalars(query).first().message


def to_do(corral: Corral) -> list[str]:
    steps = [step() for step in TORITOS.steps]
    for step in steps:
        step.settings = corral.settings
    return partitions_to_do(corral, steps)


def test_night_waits_for_the_biases_that_it_should_have(gated, night, run_all, clock) -> None:
    """No master of fewer, and no image with another night's, while they may still come."""
    corral = gated(expect_bias=7)
    night(BEFORE, biases=7)
    run_all(corral, night=BEFORE.isoformat())
    night(biases=5)
    reports = run_all(corral)
    assert classes(reports["MasterBias"]) == {"upstream_missing": 1}
    assert "5 of 7 bias frames are here" in reports["MasterBias"].failures[0].message
    assert classes(reports["ReduceScience"]) == {"upstream_missing": 5}
    assert to_do(corral) == []
    night(biases=7)
    reports = run_all(corral)
    assert reports["ReduceScience"].done == 5
    flags = {flag for product in made(corral, "calibrated") for flag in product.flags}
    assert flags == set()


def test_fewer_are_used_and_flagged_after_the_deadline(gated, night, run_all, clock) -> None:
    """The decision is on the master, on what is made with it, in their files, and on record."""
    corral = gated(expect_bias=7, short_bias="flag")
    night()
    run_all(corral)
    clock.now += timedelta(hours=49)
    assert to_do(corral) == ["2026-11-20"]
    reports = run_all(corral)
    assert [report.failures for report in reports.values()] == [[]] * len(reports)
    (master,) = made(corral, "master_bias")
    assert master.flags == ["few_frames"]
    image = Image.read(corral.store.locate(master.path))
    assert image.cards["NEXPECT"][0] == 7
    assert flags_of(image) == ("few_frames",)
    assert last_message(corral, "MasterBias") == (
        "5 of 7 bias frames are here: made of these, and flagged"
    )
    assert {tuple(product.flags) for product in made(corral, "calibrated")} == {("few_bias",)}
    reports = run_all(corral)
    assert sum(report.done + report.failed for report in reports.values()) == 0
    assert to_do(corral) == []


def test_frames_that_come_after_the_deadline_remake_the_master(gated, night, run_all, clock):
    """Complete at last, it is made anew without the flag, and so is what was made with it."""
    corral = gated(expect_bias=7, short_bias="flag")
    night()
    clock.now += timedelta(hours=49)
    run_all(corral)
    night(biases=7)
    reports = run_all(corral)
    assert (reports["MasterBias"].done, reports["ReduceScience"].done) == (1, 5)
    (old,), (new,) = made(corral, "master_bias", current=False), made(corral, "master_bias")
    assert (old.flags, old.superseded_by_id) == (["few_frames"], new.id)
    assert new.flags == []


def test_night_falls_back_on_another_night_s_master(gated, night, run_all, clock) -> None:
    """No master is made of too few; images say that theirs is of another night, and of which."""
    corral = gated(expect_bias=7, short_bias="fallback")
    night(BEFORE, biases=7)
    run_all(corral, night=BEFORE.isoformat())
    night(biases=5)
    clock.now += timedelta(hours=49)
    reports = run_all(corral)
    assert reports["MasterBias"].failures == []
    assert "another night's is used" in last_message(corral, "MasterBias")
    (master,) = made(corral, "master_bias")
    assert master.partition_key == "2026-11-18"
    images = [image for image in made(corral, "calibrated") if image.night_id != master.night_id]
    assert {tuple(image.flags) for image in images} == {("other_bias",)}
    cards = Image.read(corral.store.locate(images[0].path)).cards
    assert cards["BIASNITE"][0] == "2026-11-18"
    assert cards["FLATNITE"][0] == "2026-11-20"
    assert sum(report.done for report in run_all(corral).values()) == 0


def test_night_stops_where_the_profile_says_so(gated, night, run_all, clock) -> None:
    """Nothing that needs the master is made, though another night has one; frames mend it."""
    corral = gated(expect_bias=7, short_bias="stop")
    night(BEFORE, biases=7)
    run_all(corral, night=BEFORE.isoformat())
    night(biases=5)
    clock.now += timedelta(hours=49)
    reports = run_all(corral)
    assert classes(reports["MasterBias"]) == {"upstream_missing": 1}
    assert classes(reports["ReduceScience"]) == {"upstream_missing": 5}
    assert "short_bias" in reports["ReduceScience"].failures[0].message
    assert to_do(corral) == []
    night(biases=7)
    assert run_all(corral)["ReduceScience"].done == 5


@pytest.mark.parametrize(("policy", "flag"), [("flag", "few_bias"), ("fallback", "other_bias")])
def test_changed_policy_is_heeded_by_those_that_stopped(
    gated, night, run_all, clock, policy, flag
) -> None:
    """The observer decides to go on: what stood as failed is made, flagged."""
    corral = gated(expect_bias=7, short_bias="stop")
    night(BEFORE, biases=7)
    run_all(corral, night=BEFORE.isoformat())
    night()
    clock.now += timedelta(hours=49)
    assert classes(run_all(corral)["ReduceScience"]) == {"upstream_missing": 5}
    gated(expect_bias=7, short_bias=policy)
    assert run_all(corral)["ReduceScience"].done == 5
    assert flag in made(corral, "calibrated")[-1].flags


def test_expecting_fewer_leaves_what_is_complete_alone(gated, night, run_all, clock) -> None:
    """How many are expected, and how long, decides nothing about a complete master."""
    corral = gated(expect_bias=5)
    night()
    run_all(corral)
    gated(expect_bias=4, short_bias="fallback")
    reports = run_all(corral)
    assert sum(report.done for report in reports.values()) == 0


def test_night_without_any_flat_waits_before_it_takes_another_s(gated, night, run_all, clock):
    """None is there: what counts is when the science frame came."""
    corral = gated(expect_flat=3, short_flat="fallback")
    night(BEFORE)
    run_all(corral, night=BEFORE.isoformat())
    night(flats={})
    reports = run_all(corral)
    assert classes(reports["ReduceScience"]) == {"upstream_missing": 5}
    assert "0 of 3 flat frames" in reports["ReduceScience"].failures[0].message
    clock.now += timedelta(hours=49)
    assert run_all(corral)["ReduceScience"].done == 5
    assert {flag for image in made(corral, "calibrated") for flag in image.flags} == {"other_flat"}


def test_darks_of_another_exposure_do_not_count(gated, night, run_all, clock) -> None:
    """A science frame of 60 s waits for darks that go with it, not for any."""
    corral = gated(expect_dark=3, short_dark="flag")
    night(darks={10.0: 3})
    reports = run_all(corral)
    assert classes(reports["ReduceScience"]) == {"upstream_missing": 5}
    clock.now += timedelta(hours=49)
    assert run_all(corral)["ReduceScience"].done == 5
    assert {flag for image in made(corral, "calibrated") for flag in image.flags} == {"no_dark"}


def test_order_of_frames_and_deadline_leaves_no_trace(
    gated, night, run_all, clock, site, tmp_path, small_plan
) -> None:
    """Flagged first and completed later, or complete at once: the same files."""
    corral = gated(expect_bias=7, short_bias="flag")
    night(biases=5)
    clock.now += timedelta(hours=49)
    run_all(corral)
    night(biases=7)
    run_all(corral)
    other = Corral(Settings.below(tmp_path / "other", pipeline=dict(site.settings.pipeline)))
    plan = replace(small_plan, biases=7, size_px=96)
    simulate_night(plan, other.settings.inbox / NIGHT.isoformat())
    run_all(other)
    kinds = ("master_bias", "master_dark", "master_flat", "calibrated")
    hashes = [
        {product.sha256 for kind in kinds for product in made(each, kind)}
        for each in (corral, other)
    ]
    other.close()
    assert hashes[0] == hashes[1]


def frame(hours_ago: float, *, clock_ahead_days: float = 0.0) -> Frame:
    came = MORNING - timedelta(hours=hours_ago)
    return Frame(observed_at=came + timedelta(days=clock_ahead_days), loaded_at=came)


@pytest.mark.parametrize(
    ("hours_ago", "state"), [([5, 3], "waiting"), ([20, 13], "short"), ([20, 3, 2], "open")]
)
def test_gate_waits_from_the_last_frame_on(hours_ago, state) -> None:
    """Twelve hours after the last of them; enough of them open it whenever they came."""
    gate = gate_of(
        "bias",
        [frame(hours) for hours in hours_ago],
        Gates(expect_bias=3, wait_hours=12),
        SimpleNamespace(now=MORNING),
    )
    assert gate.state == state
    assert gate.until == MORNING + timedelta(hours=12 - min(hours_ago))


def test_camera_whose_clock_is_ahead_makes_nobody_wait_longer() -> None:
    """The earlier of its clock and ours counts."""
    gates = Gates(expect_bias=3, wait_hours=12)
    run = SimpleNamespace(now=MORNING)
    gate = gate_of("bias", [frame(13, clock_ahead_days=36500)], gates, run)
    assert gate.state == "short"


@pytest.mark.parametrize(
    ("policy", "admits"), [("flag", True), ("fallback", False), ("stop", UpstreamMissing)]
)
def test_short_gate_does_what_the_profile_says(policy, admits) -> None:
    """Flag, fall back, or stop."""
    gates = Gates(expect_flat=3, short_flat=policy)
    gate = gate_of("flat", [frame(100)], gates, SimpleNamespace(now=MORNING))
    if isinstance(admits, bool):
        assert gate.admits() is admits
    else:
        with pytest.raises(admits, match="1 of 3 flat frames"):
            gate.admits()


def test_waiting_gate_says_until_when() -> None:
    """The unit is tried again then by itself."""
    gate = gate_of("bias", [frame(1)], Gates(expect_bias=3), SimpleNamespace(now=MORNING))
    with pytest.raises(NotYet, match="2026-11-21 23:00 UTC") as caught:
        gate.admits()
    assert caught.value.until == MORNING + timedelta(hours=11)


@pytest.mark.parametrize(
    "line", ["expect_bias = 0", "wait_hours = -1", 'short_dark = "hope"', "expect_biass = 3"]
)
def test_gate_that_makes_no_sense_is_refused(tmp_path, line) -> None:
    """The message names the file and what is allowed."""
    text = (SHIPPED / "toritos.toml").read_text()
    (tmp_path / "own.toml").write_text(f"{text}\n[gates]\n{line}\n")
    with pytest.raises(ProfileError, match=r"own\.toml gates"):
        load_profile(tmp_path / "own.toml")
