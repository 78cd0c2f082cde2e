"""What is stale is done again, and nothing else; what is no longer wanted is withdrawn."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import ConfigurationError, FailureClass
from include.corral.step import Step
from models import Due, Frame, Planned, Product, StepRun, Unit, UnitRun
from tests.include.corral.lab import (
    NIGHT,
    Calibrate,
    Master,
    Measure,
    Pebble,
    Weigh,
    Weight,
    add_frames,
    add_pebbles,
    dump,
    ensure_night,
    files,
    frame_values,
)

NEXT = "2026-11-21"
CHAIN = (Master, Calibrate, Measure)


def run_chain(corral: Corral, night: str | None = None, **parameters: Any) -> dict[str, int]:
    """Drain the three steps; give how many units each has done."""
    return {
        step.name: drain(corral, step(**parameters.get(step.name, {})), partition=night).done
        for step in CHAIN
    }


def chain_of_two_nights(corral: Corral) -> None:
    """Two biases and three science frames in each of two nights, reduced."""
    for night in (NIGHT, NEXT):
        add_frames(corral, ["a", "b"], kind="bias", night=night, hour=20)
        add_frames(corral, ["x", "y", "z"], night=night)
    assert run_chain(corral) == {"Master": 2, "Calibrate": 6, "Measure": 6}


def current(corral: Corral, kind: str) -> dict[int, Product]:
    """Current products of a kind, by the id of the frame or product they were made from first."""
    with corral.read() as session:
        query = select(Product).where(Product.kind == kind, Product.current)
        return {product.id: product for product in session.scalars(query)}


def update(corral: Corral, statement: str, **values: Any) -> None:
    with corral.write() as session:
        session.execute(text(statement), values)


def test_rerun_changes_nothing(lab: Corral) -> None:
    """Three more triggers, of all and of one night: the same rows, the same bytes."""
    chain_of_two_nights(lab)
    rows, content = dump(lab), files(lab)
    assert len(content) == 14
    for night in (None, NIGHT, NEXT):
        assert run_chain(lab, night) == {"Master": 0, "Calibrate": 0, "Measure": 0}
    assert dump(lab) == rows
    assert files(lab) == content


def test_new_parameter_redoes_the_step_and_what_follows(lab: Corral) -> None:
    """Masters stay; calibrated images are superseded one by one, what is downstream is redone."""
    chain_of_two_nights(lab)
    masters, before = current(lab, "master"), current(lab, "calibrated")
    done = run_chain(lab, Calibrate={"gain": 2.0})
    assert done == {"Master": 0, "Calibrate": 6, "Measure": 6}
    assert current(lab, "master").keys() == masters.keys()
    after = current(lab, "calibrated")
    assert not after.keys() & before.keys()
    with lab.read() as session:
        old = session.scalars(select(Product).where(Product.id.in_(before))).all()
        measured = session.scalars(select(Product).where(Product.kind == "measured")).all()
    assert {product.superseded_by_id for product in old} == set(after)
    assert Counter(product.current for product in measured) == {True: 6, False: 6}
    assert run_chain(lab, Calibrate={"gain": 2.0}) == {"Master": 0, "Calibrate": 0, "Measure": 0}


def test_new_version_redoes_from_the_first_step_on(lab: Corral, monkeypatch) -> None:
    """A master of another version is another master: everything made with it is stale."""
    chain_of_two_nights(lab)
    monkeypatch.setattr(Master, "version", "2")
    assert run_chain(lab, NIGHT) == {"Master": 1, "Calibrate": 3, "Measure": 3}
    assert run_chain(lab, NEXT) == {"Master": 1, "Calibrate": 3, "Measure": 3}
    assert run_chain(lab) == {"Master": 0, "Calibrate": 0, "Measure": 0}


def test_product_takes_the_place_of_its_namesake(lab: Corral) -> None:
    """A unit of several products: each is superseded by the one of the same name."""

    class Pair(Step):
        model = Frame
        conditions = (Frame.kind == "science",)
        parameters = {"pass_": 1}

        def process(self, work, run):
            from tests.include.corral.lab import Blob

            for band in ("V", "R"):
                content = f"{band}{self.parameters['pass_']}"
                yield run.product("band", Blob(content), inputs={"f": work}, like=work, filter=band)

    add_frames(lab, ["x"], kind="science")
    drain(lab, Pair())
    drain(lab, Pair(pass_=2))
    with lab.read() as session:
        products = {p.id: p for p in session.scalars(select(Product))}
    old = [p for p in products.values() if not p.current]
    assert len(old) == 2
    for product in old:
        successor = product.superseded_by_id
        assert successor is None or products[successor].filter == product.filter


def test_late_master_that_is_nearer_redoes_exactly_what_it_concerns(lab: Corral) -> None:
    """The night has only a master of the next one until its own comes; other cameras stay."""
    add_frames(lab, ["a"], kind="bias", night=NEXT, hour=20)
    add_frames(lab, ["x", "y"], night=NIGHT)
    add_frames(lab, ["x", "y"], night=NEXT)
    add_frames(lab, ["x"], night=NIGHT, camera="other")
    assert run_chain(lab) == {"Master": 1, "Calibrate": 5, "Measure": 5}
    add_frames(lab, ["a"], kind="bias", night=NIGHT, hour=20)
    assert run_chain(lab, NIGHT) == {"Master": 1, "Calibrate": 2, "Measure": 2}
    assert run_chain(lab, NEXT) == {"Master": 0, "Calibrate": 0, "Measure": 0}
    assert run_chain(lab) == {"Master": 0, "Calibrate": 0, "Measure": 0}


def test_late_master_is_noticed_by_nights_triggered_later(lab: Corral) -> None:
    """The first trigger that hears of a master does not keep the news from the other nights."""
    add_frames(lab, ["x"], night=NIGHT)
    add_frames(lab, ["x"], night=NEXT)
    run_chain(lab, NIGHT), run_chain(lab, NEXT)
    add_frames(lab, ["a"], kind="bias", night=NIGHT, hour=20)
    assert drain(lab, Master(), partition=NIGHT).done == 1
    assert drain(lab, Calibrate(), partition=NIGHT).done == 1
    assert drain(lab, Calibrate(), partition=NEXT).done == 1


def test_master_far_away_in_time_lets_nights_rest(lab: Corral) -> None:
    """A master that cannot be chosen takes no mark away: the night is not looked at again."""
    add_frames(lab, ["x"], night=NIGHT)
    drain(lab, Calibrate(), partition=NIGHT)
    add_frames(lab, ["a"], kind="bias", night="2027-03-01", hour=20)
    drain(lab, Master())
    drain(lab, Calibrate(), partition="2027-03-01")
    with lab.read() as session:
        marked = session.scalars(select(Planned.partition).where(Planned.step == "Calibrate"))
        assert set(marked) == {NIGHT, "2027-03-01"}
    add_frames(lab, ["a"], kind="bias", night="2026-12-01", hour=20)
    drain(lab, Master())
    drain(lab, Calibrate(), partition="2027-03-01")
    with lab.read() as session:
        marked = session.scalars(select(Planned.partition).where(Planned.step == "Calibrate"))
        assert set(marked) == {"2027-03-01"}


def test_row_that_no_longer_satisfies_is_withdrawn(lab: Corral) -> None:
    """A vetoed frame: its unit is void, its products are not current; and back again."""
    chain_of_two_nights(lab)
    update(lab, "UPDATE frame SET accepted = :no WHERE path LIKE '%science-cam-x%'", no=False)
    reports = [drain(lab, step(), partition=NIGHT) for step in CHAIN]
    assert [(report.done, report.void) for report in reports] == [(0, 0), (0, 1), (0, 1)]
    with lab.read() as session:
        void = session.scalars(select(Unit).where(Unit.status == "void")).all()
        alive = session.scalars(select(Product.unit_id).where(Product.current)).all()
    assert {unit.partition for unit in void} == {NIGHT}
    assert not {unit.id for unit in void} & set(alive)
    update(lab, "UPDATE frame SET accepted = :yes", yes=True)
    assert run_chain(lab) == {"Master": 0, "Calibrate": 1, "Measure": 1}
    assert len(current(lab, "calibrated")) == 6


@pytest.mark.parametrize("night", [NIGHT, None])
def test_deleted_row_is_withdrawn_whatever_the_trigger(lab: Corral, night) -> None:
    """A row that is gone lies in no partition any more, and is missed all the same."""
    ids = add_frames(lab, ["x", "y"], night=NIGHT)

    class Name(Step):
        model = Frame
        conditions = (Frame.kind == "science",)

        def process(self, work, run):
            return None

    assert drain(lab, Name(), partition=night).done == 2
    update(lab, "DELETE FROM frame WHERE id = :id", id=ids[0])
    assert drain(lab, Name(), partition=night).void == 1
    with lab.read() as session:
        assert session.scalars(select(Due)).all() == []


def test_claimed_unit_whose_input_changes_cannot_be_committed(lab: Corral) -> None:
    """Another planner sees the change while the unit is worked on: the fence has moved."""
    add_pebbles(lab, [1])
    inner = []

    class Disturbed(Weigh):
        name = "Weigh"

        def process(self, work: Pebble, run):
            if not inner:
                inner.append(work.value)
                update(lab, "UPDATE lab_pebble SET value = 7")
                from include.corral.plan import Planner

                planner = Planner(lab, self, None)
                while planner.plan():
                    pass
            yield from super().process(work, run)

    report = drain(lab, Disturbed())
    assert (report.done, report.lost) == (1, 1)
    with lab.read() as session:
        assert session.scalars(select(Weight.grams)).all() == [7.0]
        outcomes = session.scalars(select(UnitRun.outcome).order_by(UnitRun.id)).all()
    assert outcomes == ["superseded", "done"]


def test_change_during_the_work_is_caught_up_with_in_the_same_trigger(lab: Corral) -> None:
    """Committed from what was read, then found stale, then done again; one result is current."""
    add_pebbles(lab, [1])
    changed = []

    class Disturbed(Weigh):
        name = "Weigh"

        def process(self, work: Pebble, run):
            if not changed:
                changed.append(update(lab, "UPDATE lab_pebble SET value = 7"))
            yield from super().process(work, run)

    assert drain(lab, Disturbed()).done == 2
    with lab.read() as session:
        rows = session.execute(select(Weight.grams, Weight.current).order_by(Weight.id)).all()
    assert rows == [(1.0, False), (7.0, True)]


def test_result_is_labelled_with_what_made_it_not_with_what_was_planned(lab: Corral) -> None:
    """Old code that gets a unit planned by newer code: the newer finds the result stale."""
    add_pebbles(lab, [1])

    class Newer(Weigh):
        name = "Weigh"
        version = "2"

    from include.corral.plan import Planner

    newer = Planner(lab, Newer(), None)
    newer.prepare()

    class Older(Weigh):
        name = "Weigh"

        def work(self, corral, run):
            work = super().work(corral, run)
            while newer.plan():
                pass
            work._planner.plan = lambda: False
            return work

    assert drain(lab, Older()).done == 1
    with lab.read() as session:
        made, wanted = session.execute(
            select(UnitRun.fingerprint, Unit.fingerprint).join(Unit)
        ).one()
    assert made == wanted
    assert drain(lab, Newer()).done == 1
    with lab.read() as session:
        assert len(set(session.scalars(select(UnitRun.fingerprint)))) == 2


def test_changed_condition_is_looked_at_with_the_same_version(lab: Corral) -> None:
    """More rows satisfy the step's conditions: the new ones are done, the others are left."""
    ids = add_pebbles(lab, range(10))

    class Heavy(Weigh):
        conditions = (Pebble.value >= 5,)

    assert drain(lab, Heavy()).done == 5
    Heavy.conditions = (Pebble.value >= 3,)
    assert drain(lab, Heavy()).done == 2
    Heavy.conditions = (Pebble.value >= 8,)
    report = drain(lab, Heavy())
    assert (report.done, report.void) == (0, 5)
    with lab.read() as session:
        weighed = session.scalars(select(Weight.pebble_id).where(Weight.current)).all()
    assert sorted(weighed) == ids[8:]


def test_row_that_cannot_be_planned_fails_alone(lab: Corral) -> None:
    """A step that cannot say what it wants of one row still gets all the others."""
    ids = add_pebbles(lab, range(10))

    class Picky(Weigh):
        def configuration(self, rows):
            if rows[0].value == 4:
                raise ConfigurationError("no profile for 4")
            return {}

    report = drain(lab, Picky())
    assert (report.done, report.failed) == (9, 1)
    (failure,) = report.failures
    assert (failure.unit_key, failure.failure_class) == (str(ids[4]), FailureClass.CONFIGURATION)
    assert drain(lab, Picky()).standing == report.failures


def test_nothing_noted_is_left_and_nothing_is_noted_twice(lab: Corral) -> None:
    """After all steps have looked, the queue of changes is empty, whatever happened before."""
    chain_of_two_nights(lab)
    add_pebbles(lab, range(5))
    update(lab, "UPDATE lab_pebble SET value = value + 1")
    drain(lab, Weigh())
    update(lab, "UPDATE lab_pebble SET value = value + 1 WHERE value > 2")
    drain(lab, Weigh())
    run_chain(lab)
    with lab.read() as session:
        assert session.scalar(select(func.count()).select_from(Due)) == 0


def test_other_partitions_are_left_for_their_own_trigger(lab: Corral) -> None:
    """What is noted of a night waits for the night, and does not slow down another."""
    add_frames(lab, ["x", "y"], night=NIGHT)
    add_frames(lab, ["x", "y", "z"], night=NEXT)
    assert drain(lab, Calibrate(), partition=NIGHT).done == 2
    add_frames(lab, ["w"], night=NEXT)
    assert drain(lab, Calibrate(), partition=NIGHT).done == 0
    assert drain(lab, Calibrate(), partition=NEXT).done == 4


def test_frame_moved_to_another_night_is_done_there(lab: Corral) -> None:
    """A corrected night: the unit changes partition, its result is made anew."""
    (frame,) = add_frames(lab, ["x"], night=NIGHT)
    assert drain(lab, Calibrate(), partition=NIGHT).done == 1
    with lab.write() as session:
        night = ensure_night(session, NEXT)
        session.flush()
        session.get_one(Frame, frame).night_id = night.id
    assert drain(lab, Calibrate(), partition=NIGHT).done == 0
    assert drain(lab, Calibrate(), partition=NEXT).done == 1
    assert [product.partition_key for product in current(lab, "calibrated").values()] == [NEXT]


def test_step_over_products_never_sees_superseded_ones(lab: Corral) -> None:
    """Its author need not think of it: Measure has no condition on `current`."""
    chain_of_two_nights(lab)
    run_chain(lab, Calibrate={"gain": 3.0})
    with lab.read() as session:
        query = select(Unit.row_ids).where(Unit.step == "Measure", Unit.status == "done")
        sources = {row_ids[0] for row_ids in session.scalars(query)}
    assert sources == set(current(lab, "calibrated"))


def test_racing_planners_plan_each_row_once(lab: Corral, start) -> None:
    """Three processes find the same new rows and agree on the units."""
    add_frames(lab, [f"f{number}" for number in range(60)])
    workers = [start("Calibrate") for _ in range(3)]
    assert sum(worker.result()[0] for worker in workers) == 60
    assert len(current(lab, "calibrated")) == 60


def test_planning_is_fast_when_much_is_noted_elsewhere(lab: Corral) -> None:
    """A backfill: ten thousand changes of other nights do not make this night's queue slow."""
    add_frames(lab, ["x"], night=NIGHT)
    drain(lab, Calibrate(), partition=NIGHT)
    add_frames(lab, ["y"], night=NEXT)
    with lab.write() as session:
        night = ensure_night(session, NEXT)
        many = (f"many/{number}" for number in range(10_000))
        rows = [frame_values(path.encode(), path, night, kind="science") for path in many]
        session.execute(insert(Frame), rows)
    begin = time.monotonic()
    drain(lab, Calibrate(), partition=NIGHT)
    assert time.monotonic() - begin < 1
    with lab.read() as session:
        run = session.scalars(select(StepRun).order_by(StepRun.id.desc())).first()
        assert session.scalar(select(func.count()).select_from(Due)) >= 10000
    assert run.ended_at - run.started_at < timedelta(seconds=1)
