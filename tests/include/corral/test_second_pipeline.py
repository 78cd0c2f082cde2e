"""A pipeline with neither frames nor files, in ten lines, on the same kernel."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.loader import Loader
from include.corral.step import Step
from models import Base, StepRun, Unit, UnitRun


class Reading(Base):
    __tablename__ = "test_reading"
    id: Mapped[int] = mapped_column(primary_key=True)
    celsius: Mapped[float]


class Kelvin(Base):
    __tablename__ = "test_kelvin"
    id: Mapped[int] = mapped_column(primary_key=True)
    reading_id: Mapped[int]
    kelvin: Mapped[float]


class Thermometer(Loader):
    def generate(self, corral):
        return (Reading(celsius=float(value)) for value in range(20))


class ToKelvin(Step):
    model = Reading
    conditions = (Reading.celsius >= 5,)

    def process(self, reading, run):
        yield Kelvin(reading_id=reading.id, kelvin=reading.celsius + 273.15)


def test_rows_flow_from_the_loader_through_the_step_once(corral: Corral) -> None:
    """Every row that satisfies the conditions has one result, however often it is triggered."""
    Base.metadata.create_all(corral.engine, [Reading.__table__, Kelvin.__table__])
    for _ in range(2):
        drain(corral, Thermometer())
        drain(corral, ToKelvin())
    with corral.read() as session:
        kelvins = list(session.scalars(select(Kelvin).order_by(Kelvin.reading_id)))
        runs = list(session.scalars(select(StepRun).order_by(StepRun.id)))
        attempts = session.scalars(select(UnitRun)).all()
        units = session.scalars(select(Unit)).all()
    assert [k.kelvin for k in kelvins] == [value + 273.15 for value in range(5, 20)]
    assert [(r.step, r.done, r.outcome) for r in runs] == [
        ("Thermometer", 20, "done"),
        ("ToKelvin", 15, "done"),
        ("Thermometer", 0, "done"),
        ("ToKelvin", 0, "done"),
    ]
    assert len(attempts) == len(units) == 35
