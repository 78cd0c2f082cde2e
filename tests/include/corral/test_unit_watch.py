"""Many failures at once are one message, and what does not end is told of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from include.corral.chores import LightSweep
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.ledger import open_run
from include.corral.sweep import sweep
from include.corral.trigger import Trigger
from include.corral.unit_watch import failure_burst, stuck_units
from models import Alert, Unit, UnitRun
from tests.include.corral.lab import Weigh, add_pebbles


class Guard(LightSweep):
    """The two parts."""

    name = "Guard"
    parts = (failure_burst, stuck_units)


def look(corral: Corral, hours: float = 0.0, **parameters: float) -> list[Alert]:
    """The messages that are new."""
    with corral.read() as session:
        known = set(session.scalars(select(Alert.id)))
    clock = datetime.now(UTC) + timedelta(hours=hours)
    report = sweep(corral, Guard(clock=lambda: clock, **({"burst_failures": 10} | parameters)))
    assert report.report.failures == []
    with corral.read() as session:
        return list(session.scalars(select(Alert).where(Alert.id.not_in(known))))


def fail(corral: Corral, number: int, *, good: int = 0, kind: str = "bad_data") -> None:
    """So many units fail, and so many do not."""
    add_pebbles(corral, [7] * number + [1] * good)
    drain(corral, Weigh(poison={"7": kind}))


def test_flood_of_failures_is_one_message_with_counts(lab: Corral) -> None:
    """However long it lasts; by step and class."""
    fail(lab, 30, good=5)
    (alert,) = look(lab)
    assert (alert.rule, alert.severity) == ("failure_burst", "critical")
    assert alert.subject == "[corral] 30 of 35 units failed within an hour"
    assert "    30  Weigh  bad_data" in alert.body
    fail(lab, 30)
    assert look(lab) == []


def test_next_flood_is_told_of_again(lab: Corral) -> None:
    """When the one before has ended."""
    fail(lab, 12)
    assert len(look(lab)) == 1
    with lab.write() as session:
        long_ago = datetime.now(UTC) - timedelta(hours=3)
        session.execute(update(UnitRun).values(ended_at=long_ago))
    assert look(lab) == []
    fail(lab, 12)
    assert len(look(lab)) == 1


@pytest.mark.parametrize(("bad", "good"), [(9, 0), (12, 120)])
def test_some_failures_among_many_are_no_flood(lab: Corral, bad, good) -> None:
    """Each is on record, and told of by its task."""
    fail(lab, bad, good=good)
    assert look(lab) == []


def test_units_that_a_living_process_holds_for_long_are_told_of_once(lab: Corral) -> None:
    """With who holds them; one that was claimed just now is not."""
    fail(lab, 3, kind="retry")
    run = open_run(lab, Weigh(), "2026-11-20", Trigger(dag_id="toritos_night"))
    with lab.write() as session:
        held = {"status": "claimed", "step_run_id": run.id, "fence": Unit.fence + 1}
        now = datetime.now(UTC)
        session.execute(update(Unit).where(Unit.key == "1").values(claimed_at=now, **held))
    assert look(lab) == []
    (alert,) = look(lab, hours=3)
    assert alert.subject.startswith("[corral] Weigh of 2026-11-20: stuck since")
    assert f"{now:%Y-%m-%d %H:%M} UTC" in alert.body
    assert "toritos_night" in alert.body
    assert look(lab, hours=4) == []
    with lab.write() as session:
        session.execute(update(Unit).where(Unit.key == "1").values(fence=Unit.fence + 1))
    assert len(look(lab, hours=5)) == 1
