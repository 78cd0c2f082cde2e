"""Trivial work, so that what is measured is the framework: readings become kelvins.

``python -m bench.trivial load|step HOME ROWS`` is one whole command of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.loader import Loader
from include.corral.run import Run
from include.corral.settings import Settings
from include.corral.step import Step
from models import Base


class Reading(Base):
    """What the loader brings."""

    __tablename__ = "bench_reading"
    id: Mapped[int] = mapped_column(primary_key=True)
    celsius: Mapped[float]


class Kelvin(Base):
    """What the step makes of it."""

    __tablename__ = "bench_kelvin"
    id: Mapped[int] = mapped_column(primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("bench_reading.id"))
    kelvin: Mapped[float]


class Thermometer(Loader):
    """Readings, each another."""

    parameters = {"count": 0}

    def generate(self, corral: Corral) -> Iterator[Reading]:
        """Give them all."""
        return (Reading(celsius=number / 7) for number in range(self.parameters["count"]))


class ToKelvin(Step):
    """Every reading in Kelvin."""

    model = Reading

    def process(self, work: Reading, run: Run) -> Iterator[Kelvin]:
        """Add a constant."""
        yield Kelvin(reading_id=work.id, kelvin=work.celsius + 273.15)


def make_tables(corral: Corral) -> None:
    """Leave the two tables there, and a step that listens to the first."""
    tables = [Base.metadata.tables[name] for name in ("bench_reading", "bench_kelvin")]
    Base.metadata.create_all(corral.engine, tables)
    drain(corral, Thermometer(count=1)), drain(corral, ToKelvin())


def main(verb: str, home: str, rows: int) -> None:
    """Do one command from start to end."""
    corral = Corral(Settings.below(Path(home)))
    if verb == "make":
        make_tables(corral)
    else:
        report = drain(corral, Thermometer(count=rows + 1) if verb == "load" else ToKelvin())
        assert report.done in (0, rows), report.summary()
    corral.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
