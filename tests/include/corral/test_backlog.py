"""Partitions with work that nobody does are found without any event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from include.corral.backlog import Backlog, partitions_to_do
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.ledger import open_run
from include.corral.sweep import sweep
from include.corral.trigger import Trigger
from models import Frame, Unit
from tests.include.corral.lab import Calibrate, Master, Measure, Weigh, add_frames, add_pebbles

PAST, FUTURE = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2100))
FIRST, SECOND, THIRD = "2026-11-20", "2026-11-21", "2027-06-01"


def to_do(corral: Corral, *steps) -> list[str]:
    return partitions_to_do(corral, steps or (Master(), Calibrate(), Measure()))


@pytest.fixture
def nights(lab: Corral) -> Corral:
    """Three nights that are done."""
    for night in (FIRST, SECOND, THIRD):
        add_frames(lab, "ab", night=night)
    for step in (Master, Calibrate, Measure):
        drain(lab, step())
    assert to_do(lab) == []
    return lab


def test_partitions_that_were_never_looked_at_are_found(lab: Corral) -> None:
    """The latest first; done for one step is not done for all."""
    add_frames(lab, "a", night=FIRST)
    add_frames(lab, "a", night=SECOND)
    assert to_do(lab) == [SECOND, FIRST]
    drain(lab, Calibrate(), partition=SECOND)
    assert to_do(lab, Calibrate()) == [FIRST]
    assert to_do(lab) == [SECOND, FIRST]


def test_partition_of_a_changed_row_is_found(nights: Corral) -> None:
    """New, or another than before."""
    add_frames(nights, "c", night=SECOND)
    assert to_do(nights) == [SECOND]
    drain(nights, Calibrate())
    drain(nights, Master())
    drain(nights, Measure())
    assert to_do(nights) == []
    with nights.write() as session:
        session.execute(update(Frame).where(Frame.id == 1).values(accepted=False))
    assert to_do(nights) == [FIRST]


def test_partitions_near_a_new_product_are_found(nights: Corral) -> None:
    """A master may be chosen within its reach, and not half a year away."""
    add_frames(nights, "xyz", kind="bias", night=FIRST)
    drain(nights, Master())
    assert to_do(nights, Calibrate()) == [SECOND, FIRST]


def test_partitions_of_another_version_are_found(nights: Corral) -> None:
    """Other parameters make every partition be looked at anew."""
    assert to_do(nights, Calibrate(gain=2.0)) == [THIRD, SECOND, FIRST]


def test_open_units_are_found_and_failures_that_may_pass(nights: Corral) -> None:
    """What a person must mend is not tried again and again."""
    waits = {"status": "failed", "failure_class": "upstream_missing"}
    for values, expected in (
        ({"status": "open"}, [FIRST]),
        ({"status": "failed", "failure_class": "retry"}, [FIRST]),
        ({"status": "failed", "failure_class": "bad_data"}, []),
        ({**waits, "retry_at": PAST}, [FIRST]),
        ({**waits, "retry_at": FUTURE}, []),
        ({"status": "void"}, []),
    ):
        with nights.write() as session:
            session.execute(update(Unit).where(Unit.id == 1).values(values))
        assert (values, to_do(nights)) == (values, expected)


def test_partition_that_is_being_worked_on_is_left_out(nights: Corral) -> None:
    """Its trigger will see to it."""
    add_frames(nights, "c", night=FIRST)
    add_frames(nights, "c", night=SECOND)
    open_run(nights, Calibrate(), SECOND, Trigger())
    assert to_do(nights) == [FIRST]


def test_step_without_partitions_has_none_to_do(lab: Corral) -> None:
    """Its rows are done by any trigger of it."""
    add_pebbles(lab, range(3))
    assert to_do(lab, Weigh()) == []


class LabBacklog(Backlog):
    def steps(self):
        return [Calibrate()]


def test_open_partitions_are_named_a_few_at_a_time(lab: Corral) -> None:
    """The latest first: each becomes a run, and a small machine is not endless."""
    for day in range(20, 26):
        add_frames(lab, "a", night=f"2026-11-{day}")
    report = sweep(lab, LabBacklog())
    assert report.partitions == [f"2026-11-{day}" for day in (25, 24, 23, 22)]
    assert report.lines()[-1].endswith("2026-11-22 and 2 more to be done")
    assert sweep(lab, LabBacklog()).partitions == ["2026-11-21", "2026-11-20"]
    drain(lab, Calibrate())
    assert sweep(lab, LabBacklog()).partitions == []


def test_partition_that_stays_open_is_named_less_and_less_often(lab: Corral) -> None:
    """By the next sweep, then after 20 minutes, 40, an hour; anew when it was done in between."""
    add_frames(lab, "a")
    named = []
    for minutes in range(0, 200, 10):
        moment = datetime.now(UTC) + timedelta(minutes=minutes)
        named.append(sweep(lab, LabBacklog(clock=lambda moment=moment: moment)).partitions != [])
    assert [10 * number for number, was in enumerate(named) if was] == [0, 10, 30, 70, 130, 190]
    drain(lab, Calibrate())
    assert sweep(lab, LabBacklog()).partitions == []
    add_frames(lab, "b")
    assert sweep(lab, LabBacklog()).partitions == ["2026-11-20"]
