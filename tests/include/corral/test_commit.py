"""Results become visible together, and fall apart where one of them is refused."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections import Counter

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DatabaseError, OperationalError

from include.corral import commit as module
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import ConfigurationError, FailureClass, Retryable
from models import Unit, UnitRun
from tests.include.corral.lab import Pebble, Weigh, Weight, add_pebbles

TOO_LONG = """
CREATE TRIGGER too_long BEFORE INSERT ON lab_weight WHEN length(NEW.label) > 8
BEGIN SELECT RAISE(ABORT, 'too long'); END
"""


def busy() -> OperationalError:
    """The database's word for: not now."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return OperationalError("COMMIT", {}, error)


@pytest.mark.parametrize("poison", ["twin", "long", "surrogate"])
def test_refused_result_fails_only_its_unit(lab: Corral, poison) -> None:
    """A label that is there already, is too long, or is no text: the rest of the batch is kept."""
    if lab.engine.dialect.name == "sqlite":  # which takes any length
        with lab.engine.begin() as connection:
            connection.execute(text(TOO_LONG))
    ids = add_pebbles(lab, range(90))
    bad = {"10": "twin", "50": poison} if poison == "twin" else {"50": poison}
    report = drain(lab, Weigh(poison=bad))
    assert (report.done, report.failed) == (89, 1)
    (failure,) = report.failures
    assert (failure.unit_key, failure.failure_class) == (str(ids[50]), FailureClass.BUG)
    with lab.read() as session:
        rows = session.scalars(select(Weight).order_by(Weight.id)).all()
        made_by = dict(session.execute(select(UnitRun.id, UnitRun.unit_id)).all())
        outcomes = Counter(session.scalars(select(UnitRun.outcome)))
    assert {row.pebble_id for row in rows} == set(ids) - {ids[50]}
    assert len({row.id for row in rows}) == 89
    assert all(made_by[row.unit_run_id] == row.unit_id for row in rows)
    assert outcomes == {"done": 89, "failed": 1}


def test_ids_given_by_the_step_survive_a_refused_batch(lab: Corral) -> None:
    """What falls apart and is added again keeps the ids that its author chose."""

    class Numbered(Weigh):
        def process(self, work: Pebble, run):
            for weight in super().process(work, run):
                weight.id = 1000 + work.value
                yield weight

    add_pebbles(lab, range(20))
    report = drain(lab, Numbered(poison={"2": "twin", "11": "twin"}))
    assert (report.done, report.failed) == (19, 1)
    with lab.read() as session:
        ids = set(session.scalars(select(Weight.id)))
    assert ids == set(range(1000, 1020)) - {1011}


def test_refusal_is_of_the_class_that_the_step_says(lab: Corral) -> None:
    """A step that knows what a refusal means is asked."""

    class Sure(Weigh):
        def classify(self, error):
            return FailureClass.RETRY

    add_pebbles(lab, range(3))
    report = drain(lab, Sure(poison={"0": "twin", "1": "twin"}))
    assert [failure.failure_class for failure in report.failures] == [FailureClass.RETRY]


def test_connection_lost_after_commit_is_no_second_result(lab: Corral, monkeypatch) -> None:
    """The commit went through, its answer did not: what stands is found, and counts as done."""
    monkeypatch.setattr(module, "BACK_OFF_S", (0.0, 0.0))
    ids = add_pebbles(lab, range(5))
    once, turns = module._commit_once, []

    def losing_the_answer(*args, **kwargs):
        lost = once(*args, **kwargs)
        turns.append(len(args[2]))
        if len(turns) in {1, 3}:
            raise busy()
        return lost

    monkeypatch.setattr(module, "_commit_once", losing_the_answer)
    report = drain(lab, Weigh())
    assert (report.done, report.lost, report.failed) == (5, 0, 0)
    with lab.read() as session:
        assert sorted(session.scalars(select(Weight.pebble_id))) == ids
        assert set(session.scalars(select(UnitRun.outcome))) == {"done"}


def test_trouble_that_passes_is_waited_for(lab: Corral, monkeypatch) -> None:
    """A busy database delays the commit and costs no result."""
    monkeypatch.setattr(module, "BACK_OFF_S", (0.0, 0.0, 0.0))
    add_pebbles(lab, range(5))
    once, turns = module._commit_once, []

    def busy_at_first(*args, **kwargs):
        turns.append(1)
        if len(turns) < 4:
            raise busy()
        return once(*args, **kwargs)

    monkeypatch.setattr(module, "_commit_once", busy_at_first)
    assert drain(lab, Weigh()).done == 5


def test_trouble_that_stays_is_retryable_and_leaves_nothing(lab: Corral, monkeypatch) -> None:
    """The units are open again, and the next trigger does them."""
    monkeypatch.setattr(module, "BACK_OFF_S", (0.0,))
    add_pebbles(lab, range(5))
    with monkeypatch.context() as patch:
        patch.setattr(module, "_commit_once", lambda *a, **k: (_ for _ in ()).throw(busy()))
        with pytest.raises(Retryable, match="database is locked"):
            drain(lab, Weigh())
    with lab.read() as session:
        assert set(session.scalars(select(Unit.status))) == {"open"}
        assert session.scalars(select(Weight)).all() == []
    assert drain(lab, Weigh()).done == 5


def test_damaged_database_condemns_no_result(lab: Corral, monkeypatch) -> None:
    """Nothing can be said of the units: a person brings the file back, then they are done."""
    add_pebbles(lab, range(5))
    damage = sqlite3.DatabaseError("database disk image is malformed")
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    error = DatabaseError("INSERT", {}, damage)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_commit_once", lambda *a, **k: (_ for _ in ()).throw(error))
        with pytest.raises(ConfigurationError, match="damaged"):
            drain(lab, Weigh())
    with lab.read() as session:
        assert session.scalars(select(UnitRun)).all() == []
    assert drain(lab, Weigh()).done == 5


@pytest.mark.parametrize(
    ("number", "failure_class"),
    [(errno.EIO, "retry"), (errno.ESTALE, "retry"), (errno.EACCES, "configuration")],
)
def test_disk_that_fails_while_results_are_written_fails_the_unit(
    lab: Corral, monkeypatch, number, failure_class
) -> None:
    """Its file cannot be looked at: the others are committed, and it is done when it can."""
    ids = add_pebbles(lab, range(20))

    def fails(rows: object) -> None:
        if any(row.pebble_id == ids[7] for row in rows):
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(module, "_require_files", lambda _corral, rows: fails(rows))
        report = drain(lab, Weigh())
    assert (report.done, report.failed) == (19, 1)
    assert [failure.failure_class for failure in report.failures] == [failure_class]
    assert drain(lab, Weigh(), retry_failed=failure_class != "retry").done == 1
    with lab.read() as session:
        assert sorted(session.scalars(select(Weight.pebble_id))) == ids


def test_commit_takes_few_statements_for_many_units(lab: Corral) -> None:
    """A thousand units do not cost a thousand times the statements of one."""
    add_pebbles(lab, range(1000))
    statements = []
    event.listen(lab.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    drain(lab, Weigh())
    assert len(statements) < 400
