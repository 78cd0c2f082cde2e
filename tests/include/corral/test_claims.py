"""Any number of workers share the units; each unit is done once."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, select, text, update

from include.corral.claims import claim, count, release, reopen_failed
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.ledger import OpenRun, open_run
from include.corral.trigger import Trigger
from models import StepRun, Unit, UnitRun, UnitStatus
from tests.include.corral.lab import Pebble, Weigh, Weight, add_pebbles

FORK = multiprocessing.get_context("fork")


def opened(corral: Corral, units: int, **columns) -> OpenRun:
    """A trigger, and units that are open for it."""
    run = open_run(corral, Weigh(), None, Trigger())
    with corral.write() as session:
        for number in range(units):
            values = {"key": str(number), "fingerprint": "f", "row_ids": [], **columns}
            session.add(Unit(step="Weigh", **values))
    return run


def test_racing_processes_do_each_unit_once(lab: Corral, start) -> None:
    """Four processes, 500 units: one attempt, one result each, nobody waits in vain."""
    ids = add_pebbles(lab, range(500))
    workers = [start("Weigh") for _ in range(4)]
    assert sum(worker.result()[0] for worker in workers) == 500
    with lab.read() as session:
        assert Counter(session.scalars(select(Weight.pebble_id))) == Counter(ids)
        attempts = session.execute(select(UnitRun.unit_id, UnitRun.outcome)).all()
        runs = session.execute(select(StepRun.outcome, StepRun.done)).all()
    assert Counter(outcome for _, outcome in attempts) == {"done": 500}
    assert len({unit for unit, _ in attempts}) == 500
    assert [run.outcome for run in runs] == ["done"] * 4
    assert sum(run.done for run in runs) == 500


def test_claim_takes_no_more_than_asked_for(lab: Corral) -> None:
    """Two triggers share ten units: four, four, two, none."""
    first, second = opened(lab, 10), opened(lab, 0)
    taken = [claim(lab, run, 4) for run in (first, second, first, second)]
    assert [len(some) for some in taken] == [4, 4, 2, 0]
    assert len({one.unit_id for some in taken for one in some}) == 10
    assert {one.fence for some in taken for one in some} == {1}
    assert count(lab, first, UnitStatus.CLAIMED) == 10


def test_claim_of_a_partition_leaves_the_others(lab: Corral) -> None:
    """A trigger for a night does not see those of another."""
    run = opened(lab, 3, partition="2026-11-20")
    assert claim(lab, replace(run, partition="2026-11-21"), 10) == []
    assert len(claim(lab, replace(run, partition="2026-11-20"), 10)) == 3


def test_unit_that_was_lost_is_taken_alone_and_last(lab: Corral) -> None:
    """What may have killed a process does not take others with it."""
    run = opened(lab, 4)
    with lab.write() as session:
        session.execute(update(Unit).where(Unit.key == "0").values(lost=2))
        session.execute(update(Unit).where(Unit.key == "1").values(lost=1))
    assert [[one.key for one in claim(lab, run, 10)] for _ in range(4)] == [
        ["2", "3"],
        ["1"],
        ["0"],
        [],
    ]


def test_released_unit_is_open_again_and_its_fence_has_moved(lab: Corral) -> None:
    """Who gives a unit back cannot commit it any more once another has it."""
    run = opened(lab, 1)
    first = claim(lab, run, 1)
    release(lab, run, first)
    (second,) = claim(lab, run, 1)
    assert second.fence == first[0].fence + 1


def test_only_retryable_failures_are_opened_again(lab: Corral) -> None:
    """A person who asks gets all of them."""
    run = opened(lab, 0)
    with lab.write() as session:
        for key, failure_class in (("a", "retry"), ("b", "bug"), ("c", "bad_data")):
            session.add(
                Unit(
                    step="Weigh",
                    key=key,
                    fingerprint="f",
                    row_ids=[],
                    status="failed",
                    failure_class=failure_class,
                )
            )
    assert reopen_failed(lab, run, every_class=False) == 1
    assert reopen_failed(lab, run, every_class=True) == 2
    assert count(lab, run, UnitStatus.OPEN) == 3


def test_claimed_row_that_has_gone_fails_its_unit_only(lab: Corral) -> None:
    """Between the plan and the work a row may be deleted."""
    ids = add_pebbles(lab, range(3))

    class Slow(Weigh):
        name = "Weigh"

        def work(self, corral, run):
            work = super().work(corral, run)
            work._planner.plan()
            with corral.write() as session:
                session.execute(text(f"DELETE FROM lab_pebble WHERE id = {ids[1]}"))
            work._planner.plan = lambda: False
            return work

    report = drain(lab, Slow())
    assert (report.done, report.failed) == (2, 1)
    assert report.failures[0].failure_class == "upstream_missing"
    assert drain(lab, Weigh()).void == 1


def test_forked_child_has_connections_of_its_own(lab: Corral) -> None:
    """A task that is forked off a process with connections inherits none, and disturbs nobody."""
    ids = add_pebbles(lab, range(20))
    with lab.read() as session:
        session.scalar(select(func.count()).select_from(Pebble))
    child = FORK.Process(target=work_as_child, args=(lab,))
    child.start()
    child.join()
    assert child.exitcode == 0
    with lab.read() as session:
        assert sorted(session.scalars(select(Weight.pebble_id))) == ids
    assert drain(lab, Weigh()).done == 0


def work_as_child(lab: Corral) -> None:
    """Do all there is, with nothing open from the parent."""
    assert [path for path in open_files() if "corral.db" in path] == []
    assert drain(lab, Weigh()).done == 20


def open_files() -> list[str]:
    """Paths of what this process has open."""
    return [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.exists()]


def test_workers_keep_up_with_rows_that_keep_changing(lab: Corral, start) -> None:
    """Three workers, and rows that change under them: in the end each result is of the last."""
    ids = add_pebbles(lab, range(40))
    workers = [start("Weigh", pause_s=0.005) for _ in range(3)]
    for turn in range(15):
        with lab.write() as session:
            some = ids[turn::15]
            session.execute(update(Pebble).where(Pebble.id.in_(some)).values(value=1000 + turn))
        time.sleep(0.03)
    for worker in workers:
        assert worker.result()[1] == 0
    drain(lab, Weigh(pause_s=0.005))
    with lab.read() as session:
        current = session.execute(
            select(Pebble.value, Weight.grams)
            .join(Weight, Weight.pebble_id == Pebble.id)
            .where(Weight.current)
        ).all()
        failed = session.scalar(select(func.count()).where(UnitRun.outcome == "failed"))
    assert len(current) == 40
    assert all(value == grams for value, grams in current)
    assert failed == 0
