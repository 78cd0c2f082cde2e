"""A pipeline of another kind: no frames, no files, no nights."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from include.corral.loader import Loader
from include.corral.step import Step
from models import Base


class Reading(Base):
    __tablename__ = "system_reading"
    id: Mapped[int] = mapped_column(primary_key=True)
    celsius: Mapped[float]


class Kelvin(Base):
    __tablename__ = "system_kelvin"
    id: Mapped[int] = mapped_column(primary_key=True)
    reading_id: Mapped[int]
    kelvin: Mapped[float]


class Thermometer(Loader):
    def generate(self, corral):
        return (Reading(celsius=float(value)) for value in range(20))


class ToKelvin(Step):
    model = Reading

    def process(self, reading, run):
        yield Kelvin(reading_id=reading.id, kelvin=reading.celsius + 273.15)
