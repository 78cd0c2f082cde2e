"""Rows in bulk: with the row they belong to, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import FailureClass, StepContractError
from include.corral.many import Many
from models import Base
from tests.include.corral.lab import Pebble, Weigh, Weight, add_pebbles


class Grain(Base):
    """A part of a weight; the second column cannot hold every number."""

    __tablename__ = "lab_grain"
    weight_id: Mapped[int] = mapped_column(ForeignKey("lab_weight.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    grams: Mapped[float]


class Grind(Weigh):
    """Every pebble has its weight and as many grains as its value."""

    parameters = {**Weigh.parameters, "twice": -1}

    def process(self, work: Pebble, run):
        weight = Weight(pebble_id=work.id, grams=float(work.value))
        yield weight
        grains = [{"number": n, "grams": 0.5} for n in range(work.value)]
        if work.value == self.parameters["twice"]:
            grains.append(dict(grains[0]))
        yield Many(weight, Grain, "weight_id", grains)


@pytest.fixture
def grinder(lab: Corral) -> Corral:
    """With a table of grains."""
    Grain.__table__.create(lab.engine)
    yield lab
    Grain.__table__.drop(lab.engine)


def grains(corral: Corral) -> dict[int, list[int]]:
    """Numbers of the grains by the value of their pebble."""
    query = select(Pebble.value, Grain.number).join(Weight, Weight.pebble_id == Pebble.id)
    query = query.join(Grain, Grain.weight_id == Weight.id).order_by(Pebble.value, Grain.number)
    found: dict[int, list[int]] = {}
    with corral.read() as session:
        for value, number in session.execute(query):
            found.setdefault(value, []).append(number)
    return found


def test_they_come_with_the_row_they_belong_to(grinder) -> None:
    """Each names its own, the counts stand in the report, and none is no trouble."""
    add_pebbles(grinder, range(4))
    report = drain(grinder, Grind())
    assert report.outputs == {"lab_weight": 4, "lab_grain": 6}
    assert grains(grinder) == {1: [0], 2: [0, 1], 3: [0, 1, 2]}


def test_what_the_database_refuses_of_them_fails_its_unit_alone(grinder) -> None:
    """Two grains of one number: that pebble has no weight either, the others have all."""
    add_pebbles(grinder, range(1, 40))
    report = drain(grinder, Grind(twice=20))
    assert (report.done, report.failed) == (38, 1)
    assert report.failures[0].failure_class is FailureClass.BUG
    assert grains(grinder) == {n: list(range(n)) for n in range(1, 40) if n != 20}


def test_rows_on_which_steps_may_work_are_refused() -> None:
    """They would come without those who listen being told one by one."""
    with pytest.raises(StepContractError, match="Weight has an id"):
        Many(Pebble(), Weight, "pebble_id", [])
