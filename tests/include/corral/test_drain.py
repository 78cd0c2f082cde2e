"""What a trigger does with good units, bad units and interrupts."""

from __future__ import annotations

import errno
import os
from collections import Counter

import pytest
from sqlalchemy import func, select, text

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import (
    ConfigurationError,
    FailureClass,
    PermanentlyFailed,
    Retryable,
    StorageTrouble,
    UnitsFailed,
)
from include.corral.settings import Settings
from models import StepRun, Unit, UnitRun
from tests.include.corral.lab import Pebble, Pile, Quarry, Weigh, Weight, add_pebbles


def attempts(corral: Corral) -> Counter[str]:
    """How often each unit was attempted, by key."""
    with corral.read() as session:
        query = select(Unit.key, func.count()).join(UnitRun, UnitRun.unit_id == Unit.id)
        return Counter(dict(session.execute(query.group_by(Unit.key)).all()))


@pytest.mark.parametrize(
    ("poison", "failure_class", "raised"),
    [
        ("bug", FailureClass.BUG, PermanentlyFailed),
        ("bad_data", FailureClass.BAD_DATA, PermanentlyFailed),
        ("retry", FailureClass.RETRY, UnitsFailed),
    ],
)
def test_one_bad_row_of_forty_fails_alone(lab: Corral, poison, failure_class, raised) -> None:
    """Thirty-nine are done, one has failed, with its class and message."""
    ids = add_pebbles(lab, range(40))
    report = drain(lab, Weigh(poison={"17": poison}))
    assert (report.done, report.failed) == (39, 1)
    (failure,) = report.failures
    assert (failure.unit_key, failure.failure_class) == (str(ids[17]), failure_class)
    assert report.outputs == {"lab_weight": 39}
    with lab.read() as session:
        weighed = set(session.scalars(select(Weight.pebble_id)))
        attempt = session.scalars(select(UnitRun).where(UnitRun.outcome == "failed")).one()
        status = session.scalar(select(Unit.status).where(Unit.key == str(ids[17])))
    assert weighed == set(ids) - {ids[17]}
    assert attempt.failure_class == failure_class
    assert attempt.message == failure.message
    assert status == "failed"
    with pytest.raises(raised, match=failure.message):
        report.raise_for_policy("fail")
    report.raise_for_policy("warn")


@pytest.mark.parametrize(
    ("number", "raised"), [(errno.EIO, StorageTrouble), (errno.EACCES, ConfigurationError)]
)
def test_disk_that_fails_outside_of_a_unit_says_what_follows(lab, number, raised) -> None:
    """While it is planned, no unit is to blame: the task fails so that Airflow knows what to do."""

    class Unlucky(Weigh):
        @property
        def plan_signature(self) -> str:
            raise OSError(number, os.strerror(number))

    add_pebbles(lab, range(3))
    with pytest.raises(raised, match=os.strerror(number)):
        drain(lab, Unlucky())
    with lab.read() as session:
        (run,) = session.scalars(select(StepRun)).all()
    assert (run.outcome, run.ended_at is None) == ("failed", False)


def test_retry_touches_only_what_failed(lab: Corral) -> None:
    """Of forty attempts, one is made again when a person asks for it."""
    ids = add_pebbles(lab, range(40))
    drain(lab, Weigh(poison={"17": "bad_data"}))
    again = drain(lab, Weigh(poison={"17": "bad_data"}), retry_failed=True)
    assert (again.done, again.failed) == (0, 1)
    assert attempts(lab) == Counter({str(i): 1 for i in ids}) + Counter({str(ids[17]): 1})


def test_plain_trigger_tries_again_only_what_passes_by_itself(lab: Corral) -> None:
    """A failure of class retry is met anew; bad data stands, and is told of again."""
    ids = add_pebbles(lab, range(5))
    poison = {"1": "retry", "2": "bad_data", "3": "bug"}
    drain(lab, Weigh(poison=poison))
    report = drain(lab, Weigh(poison=poison))
    assert {key: n for key, n in attempts(lab).items() if n > 1} == {str(ids[1]): 2}
    assert [failure.unit_key for failure in report.failures] == [str(ids[1])]
    assert sorted(failure.unit_key for failure in report.standing) == [str(ids[2]), str(ids[3])]
    with pytest.raises(UnitsFailed):
        report.raise_for_policy()


def test_interrupted_trigger_gives_back_what_it_holds(lab: Corral) -> None:
    """After an interrupt nothing is claimed, the record is closed, and the next trigger goes on."""
    add_pebbles(lab, range(40))
    with pytest.raises(KeyboardInterrupt):
        drain(lab, Weigh(poison={"20": "interrupt"}))
    with lab.read() as session:
        statuses = Counter(session.scalars(select(Unit.status)))
        run = session.scalars(select(StepRun)).one()
        done = session.scalar(select(func.count()).select_from(Weight))
    assert set(statuses) == {"open", "done"}
    assert statuses["done"] == done == run.done
    assert (run.outcome, run.message) == ("failed", "KeyboardInterrupt")
    assert run.ended_at is not None
    assert drain(lab, Weigh()).done == 40  # another parameter, so all of them
    with lab.read() as session:
        current = session.scalars(select(Weight.pebble_id).where(Weight.current)).all()
    assert len(current) == len(set(current)) == 40


def test_long_units_are_committed_one_by_one(lab: Corral, monkeypatch) -> None:
    """Units that become slow are not held back for a batch; what was not begun is given back."""
    monkeypatch.setattr("include.corral.drain.BATCH_S", 0.05)
    add_pebbles(lab, range(12))
    assert drain(lab, Weigh(pause_s=0.02)).done == 12
    with lab.read() as session:
        moments = Counter(session.scalars(select(UnitRun.ended_at)))
        fences = session.scalars(select(UnitRun.fence)).all()
    assert len(moments) >= 4
    assert max(moments.values()) <= 4
    assert len(fences) == 12


def test_trigger_of_a_partition_works_on_all_where_there_are_none(lab: Corral) -> None:
    """Pebbles know no nights: a trigger that names one still finds them."""
    add_pebbles(lab, range(3))
    report = drain(lab, Weigh(), partition="2026-11-20")
    assert (report.done, report.partition) == (3, None)
    assert drain(lab, Pile(), partition="2026-11-20").done == 1
    assert drain(lab, Quarry(count=2), partition="2026-11-20").done == 2


def test_trouble_with_the_database_is_retryable(lab: Corral) -> None:
    """Whatever the moment, the task is told to come back, not that the code is wrong."""
    add_pebbles(lab, range(3))
    settings = lab.settings
    if lab.engine.dialect.name == "sqlite":
        url = f"sqlite:///{settings.inbox}"  # a folder cannot be opened
    else:
        url = "postgresql://corral@127.0.0.1:1/corral"
    broken = Corral(Settings.below(settings.inbox.parent, database_url=url))
    with pytest.raises(Retryable, match="database"):
        drain(broken, Weigh())
    broken.close()


def test_database_of_another_schema_is_a_matter_of_configuration(lab: Corral) -> None:
    """Nothing is written to a database that this code does not know."""
    with lab.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'future'"))
    lab.close()
    with pytest.raises(ConfigurationError, match="future"):
        drain(lab, Weigh())


def test_missing_table_fails_the_unit_and_is_no_trouble_of_the_database(lab: Corral) -> None:
    """A step that writes where there is no table is wrong at once, not after half a minute."""
    add_pebbles(lab, range(3))
    with lab.engine.begin() as connection:
        connection.execute(text("DROP TABLE lab_weight"))
    report = drain(lab, Weigh())
    assert [failure.failure_class for failure in report.failures] == [FailureClass.BUG] * 3


def test_error_in_the_classifier_does_not_hide_the_first_one(lab: Corral) -> None:
    """A step whose own classify raises, and an error that cannot speak, still end one unit only."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    class Clumsy(Weigh):
        def process(self, work: Pebble, run):
            if work.value == 1:
                raise Mute
            yield from super().process(work, run)

        def classify(self, error):
            raise RuntimeError("classifier")

    add_pebbles(lab, range(3))
    report = drain(lab, Clumsy())
    assert report.done == 2
    assert report.failures[0].failure_class is FailureClass.BUG
    assert report.failures[0].message.startswith("Mute: (its message cannot be read")


def test_progress_is_told_at_the_end(lab: Corral) -> None:
    """The caller's function is given a line that says what was done."""
    add_pebbles(lab, range(3))
    lines: list[str] = []
    drain(lab, Weigh(poison={"1": "bug"}), on_progress=lines.append)
    assert lines[-1].startswith("Weigh: 2 done, 1 failed in ")
