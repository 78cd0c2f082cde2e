"""The task that takes new rows through several steps at once."""

from __future__ import annotations

import json

import pytest
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column

from corral_ops.chain import ChainOperator
from include.corral.alert import Alert
from include.corral.drain import drain
from include.corral.step import Step
from models import Base, StepRun
from tests.plugins.corral_ops.conftest import Kelvin, Thermometer, ToKelvin

HERE = "tests.plugins.corral_ops.test_chain"
STEPS = ["tests.plugins.corral_ops.conftest.ToKelvin", f"{HERE}.ToRankine"]
NIGHT = "2026-11-20"


class Rankine(Base):
    __tablename__ = "glue_rankine"
    id: Mapped[int] = mapped_column(primary_key=True)
    rankine: Mapped[float]


class ToRankine(Step):
    """What the step before has made."""

    model = Kelvin

    def process(self, kelvin, run):
        yield Rankine(rankine=kelvin.kelvin * 1.8)


class Hot(Alert):
    """It is hot in the end."""

    model = Rankine
    message = "{row.rankine:.0f} degrees"


@pytest.fixture
def loaded(installation):
    """Two readings on each of two nights."""
    Base.metadata.create_all(installation.engine, [Rankine.__table__])
    drain(installation, Thermometer())
    return installation


def count(corral, model) -> int:
    """Rows of a table."""
    with corral.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_rows_go_through_all_steps_and_are_told_of(loaded, make_context, mailbox):
    """In one task; each step has its record, and a second task finds nothing."""
    task = ChainOperator(task_id="at_once", steps=STEPS, rules=[f"{HERE}.Hot"], partition=NIGHT)
    made = task.execute(make_context(task_id="at_once"))
    assert json.loads(json.dumps(made)) == made
    assert (count(loaded, Kelvin), count(loaded, Rankine)) == (4, 4)
    assert made["told"]["new"] == len(mailbox.mails) == 4
    with loaded.read() as session:
        records = session.execute(
            select(StepRun.step, StepRun.task_id, StepRun.done).order_by(StepRun.id).offset(1)
        )
        assert [tuple(record) for record in records] == [
            ("ToKelvin", "at_once", 4),
            ("ToRankine", "at_once", 4),
            ("Hot", "at_once", 4),
        ]
    again = task.execute(make_context(task_id="at_once"))
    assert "0 done" in again["steps"]["ToRankine"]
    assert again["told"]["new"] == 0


def test_unit_that_fails_is_left_to_the_task_of_its_step(
    loaded, make_context, mailbox, monkeypatch
):
    """The others go on to the next step, and the failure is on record."""
    monkeypatch.setitem(ToKelvin.parameters, "below", 1.5)
    task = ChainOperator(task_id="at_once", steps=STEPS, partition=NIGHT)
    made = task.execute(make_context())
    assert "2 failed" in made["steps"]["ToKelvin"]
    assert "2 done" in made["steps"]["ToRankine"]
    assert drain(loaded, ToKelvin(), partition=NIGHT).standing[0].message == "BadData: too cold"


def test_without_a_night_it_does_nothing(loaded, make_context):
    """As the task of a single step."""
    with pytest.raises(AirflowFailException, match="names no night"):
        ChainOperator(task_id="at_once", steps=STEPS, partition="").execute(make_context())
    assert count(loaded, Kelvin) == 0
