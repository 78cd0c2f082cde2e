"""Processes that are killed or stopped at the worst moments leave nothing half done."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pytest
from sqlalchemy import select

from include.corral.audit import audit
from include.corral.corral import Corral
from include.corral.drain import drain
from models import Product, StepRun, Unit, UnitRun
from tests.include.corral.lab import Calibrate, Weigh, Weight, add_frames, add_pebbles


def sound(corral: Corral) -> bool:
    """No promise about products is broken, whatever the audit says of frames made by hand."""
    return [violation for violation in audit(corral) if violation.invariant != "I5"] == []


@pytest.mark.parametrize("moment", ["process", "published", "committed"])
def test_killed_process_is_caught_up_with(lab: Corral, start, moment) -> None:
    """Killed in the middle, before a commit, or after one: the next trigger completes the work."""
    names = [f"f{number:02}" for number in range(20)]
    ids = add_frames(lab, names)
    after = {"process": 12, "published": 1, "committed": 1}[moment]
    assert start("Calibrate", die=moment, after=after).end() == -signal.SIGKILL
    with lab.read() as session:
        held = session.scalars(select(Unit.id).where(Unit.status == "claimed")).all()
        before = session.scalars(select(Product.path)).all()
    assert bool(held) == (moment != "committed")
    assert sound(lab)
    report = drain(lab, Calibrate())
    assert report.done == 20 - len(before)
    assert sound(lab)
    with lab.read() as session:
        sources = [p.inputs[0].frame_id for p in session.scalars(select(Product))]
        outcomes = Counter(session.scalars(select(UnitRun.outcome)))
        runs = session.scalars(select(StepRun.outcome).order_by(StepRun.id)).all()
    assert sorted(sources) == sorted(ids)
    assert outcomes == Counter(done=20, lost=len(held))
    assert runs == ["lost", "done"]


def test_unit_that_kills_is_set_aside_and_the_others_are_done(lab: Corral, start) -> None:
    """After three deaths it has failed, as something for a person; nobody else has."""
    ids = add_pebbles(lab, range(30))
    poison = {"20": "kill"}
    for _ in range(3):
        assert start("Weigh", poison=poison).end() == -signal.SIGKILL
    report = drain(lab, Weigh(poison=poison))
    (failure,) = report.standing
    assert failure.unit_key == str(ids[20])
    assert failure.failure_class == "bug"
    assert "ended without a word, 3 time(s) on this unit" in failure.message
    with lab.read() as session:
        assert set(session.scalars(select(Weight.pebble_id))) == set(ids) - {ids[20]}
        status = Counter(session.scalars(select(Unit.status)))
        lost = Counter(session.scalars(select(UnitRun.unit_id).where(UnitRun.outcome == "lost")))
    assert status == {"done": 29, "failed": 1}
    assert max(lost.values()) == 3
    assert sorted(lost.values())[-2] == 1


def wait_for(condition, timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


@pytest.mark.parametrize("moment", ["process", "published"])
def test_stopped_process_cannot_commit_what_another_has_done(
    lab: Corral, start, tmp_path, moment
) -> None:
    """Stopped past its lease, its unit done by another: its own result is thrown away."""
    add_frames(lab, ["one"])
    mark = tmp_path / "stopped"
    zombie = start("Calibrate", die=moment, mark=mark, lease_s=0.3)
    wait_for(mark.exists)
    time.sleep(0.4)
    # This process sees that the zombie's process is there: only its lease tells.
    report = drain(lab, Calibrate())
    assert report.done == 1
    zombie.signal(signal.SIGCONT)
    assert zombie.result() == (0, 0, 1)
    with lab.read() as session:
        attempts = session.execute(
            select(UnitRun.fence, UnitRun.outcome).order_by(UnitRun.id)
        ).all()
        runs = session.scalars(select(StepRun.outcome).order_by(StepRun.id)).all()
    assert attempts == [(1, "lost"), (2, "done"), (1, "superseded")]
    assert runs == ["done", "done"]
    assert sound(lab)


def test_worker_waits_for_what_another_holds_and_sees_its_death(lab: Corral, start, tmp_path):
    """A trigger ends only when nothing of its step is held; here the holder is killed."""
    add_pebbles(lab, range(3))
    mark = tmp_path / "stopped"
    stopped = start("Weigh", die="process", mark=mark)
    wait_for(mark.exists)
    second = start("Weigh")
    assert second.end(0.5) is None
    stopped.signal(signal.SIGKILL)
    stopped.end()
    assert second.result() == (3, 0, 0)


def test_lease_is_renewed_during_a_long_unit(lab: Corral, start) -> None:
    """A unit that takes several leases is left to the one that is at it."""
    add_pebbles(lab, [1])
    worker = start("Weigh", lease_s=0.6, pause_s=2.0)

    def held() -> bool:
        with lab.read() as session:
            return bool(session.scalars(select(Unit.id).where(Unit.status == "claimed")).all())

    wait_for(held)
    time.sleep(1.0)
    report = drain(lab, Weigh(pause_s=2.0))
    assert (report.done, report.failed) == (0, 0)
    assert worker.result() == (1, 0, 0)
