"""What the kernel costs: finding the next work in a long history, and each unit of it.

    python -m bench.queue_and_units [--help]

Everything is made in a temporary folder, with a PostgreSQL server of its own that waits for the
disk at each commit, as SQLite here does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, insert, select, text
from sqlalchemy.orm import Mapped, mapped_column

from include.corral.changes import subscribe
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.ledger import close_run, open_run
from include.corral.loader import Loader
from include.corral.marks import mark, mark_signature
from include.corral.report import Report
from include.corral.run import Run
from include.corral.settings import Settings
from include.corral.step import Step
from include.corral.trigger import Trigger
from include.corral.work import StepWork
from models import CCD, Base, Campaign, Frame, Night, Observatory, Product, StepRun, Unit
from tools import postgres

FIRST_NIGHT = date(2020, 1, 1)
NIGHTS = 1000
MIDNIGHT = datetime(2020, 1, 2, tzinfo=UTC)


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


class Look(Step):
    """Every accepted science frame has been looked at; nothing is made of it."""

    model = Frame
    conditions = (Frame.kind == "science", Frame.accepted)

    def process(self, work: Frame, run: Run) -> None:
        """Do nothing."""


class Line:
    """A small file."""

    suffix = ".txt"

    def __init__(self, content: bytes) -> None:
        self.content = content

    def write(self, stream: Any, provenance: Any) -> None:
        """Write it."""
        stream.write(self.content)


class Copy(Step):
    """Every science frame has a small product."""

    model = Frame
    conditions = (Frame.kind == "science", Frame.accepted)

    def process(self, work: Frame, run: Run) -> Iterator[Product]:
        """Make it."""
        yield run.product("copy", Line(work.path.encode() * 40), inputs={"of": work}, like=work)


def say(line: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def installation(kind: str) -> Iterator[Corral]:
    """Give an empty installation on SQLite or PostgreSQL, in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as folder:
        home = Path(folder)
        if kind == "sqlite":
            corral = Corral(Settings.below(home / "corral"))
            yield corral
            corral.close()
            return
        home.chmod(0o711)  # the server may run as another user
        (home / "server").mkdir()
        with postgres.server(home / "server", durable=True) as url:
            corral = Corral(Settings.below(home / "corral", database_url=url))
            yield corral
            corral.close()


def add_nights(corral: Corral, count: int) -> list[int]:
    """Make a campaign with so many nights; give their ids."""
    with corral.write() as session:
        campaign = Campaign(
            name="bench",
            observatory=Observatory(name="hill", latitude=-24.6, longitude=-67.3),
            ccd=CCD(name="cam"),
        )
        nights = [
            Night(campaign=campaign, date=FIRST_NIGHT + timedelta(days=day)) for day in range(count)
        ]
        session.add_all(nights)
        session.flush()
        return [night.id for night in nights]


def frame(number: int, night_id: int) -> dict[str, Any]:
    """Columns of a science frame; those that do not matter here are filled with something."""
    filler: dict[type, Any] = {str: "", int: 1, float: 1.0, list: []}
    required = {
        column.key: filler.get(column.type.python_type)
        for column in Frame.__table__.columns
        if not column.nullable and column.default is None and column.key != "id"
    }
    return {
        **required,
        "sha256": f"{number:064x}",
        "path": f"frames/{number}.fits",
        "kind": "science",
        "night_id": night_id,
        "camera": "cam",
        "binning": "1x1",
        "observed_at": MIDNIGHT + timedelta(seconds=number),
        "loaded_at": MIDNIGHT,
    }


def fill(corral: Corral, frames: int, nights: Sequence[int]) -> None:
    """Write `frames` frames, all of them looked at long ago."""
    per_night = max(1, frames // len(nights))
    portion = 50_000
    for first in range(0, frames, portion):
        numbers = range(first, min(first + portion, frames))
        rows = [frame(n, nights[min(n // per_night, len(nights) - 1)]) for n in numbers]
        with corral.write() as session:
            session.connection().execute(insert(Frame), rows)
        say(f"  {first + len(rows):,} of {frames:,} frames")
    run = open_run(corral, Look(), None, Trigger())
    with corral.write() as session:
        tables = {"frame": Base.metadata.tables["frame"]}
        subscribe(session.connection(), Look.name, tables, {("frame", "")})
        session.execute(text(_UNITS))
        session.execute(text(_ATTEMPTS), {"run": run.id, "now": MIDNIGHT.replace(tzinfo=None)})
        for day in range(len(nights)):
            key = (FIRST_NIGHT + timedelta(days=day)).isoformat()
            mark(session, Look.name, key, mark_signature(Look()))
    close_run(corral, run, Report(Look.name, None, run.id), None)
    say("  units and attempts of all of them")
    with corral.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


_UNITS = """
INSERT INTO unit (step, key, partition, status, fingerprint, row_ids, fence, lost)
SELECT 'Look', CAST(frame.id AS VARCHAR), CAST(night.date AS VARCHAR), 'done', frame.sha256,
       '[1]', 1, 0
FROM frame JOIN night ON night.id = frame.night_id
"""
_ATTEMPTS = """
INSERT INTO unit_run (unit_id, step_run_id, fence, fingerprint, outcome, seconds, ended_at)
SELECT id, :run, 1, fingerprint, 'done', 0.1, :now FROM unit
"""


def time_of_next_work(
    corral: Corral, frames: int, nights: Sequence[int], *, partitioned: bool, repeat: int
) -> list[float]:
    """Seconds from the arrival of a frame to holding its unit, by a trigger for a night, or all."""
    night = len(nights) // 2
    key = (FIRST_NIGHT + timedelta(days=night)).isoformat() if partitioned else None
    seconds = []
    for number in range(repeat):
        row = frame(frames + number + (10**6 if partitioned else 0), nights[night])
        with corral.write() as session:
            session.execute(insert(Frame), [row])
        run = open_run(corral, Look(), key, Trigger())
        begin = time.perf_counter()
        batch = StepWork(corral, Look(), run).batch(1)
        seconds.append(time.perf_counter() - begin)
        assert batch is not None, "the new frame was not found"
        batch.session.close()
        with corral.write() as session:
            session.execute(
                text("UPDATE unit SET status = 'done' WHERE id = :id"),
                {"id": batch.tasks[0].claim.unit_id},
            )
        close_run(corral, run, Report(Look.name, None, run.id), None)
    return seconds


def trivial_units(corral: Corral, units: int) -> list[tuple[str, str]]:
    """Load rows and make a row of each; every one with its record."""
    tables = [Base.metadata.tables[name] for name in ("bench_reading", "bench_kelvin")]
    Base.metadata.create_all(corral.engine, tables)
    drain(corral, Thermometer(count=1)), drain(corral, ToKelvin())
    lines = []
    for name, processor in (("load", Thermometer(count=units + 1)), ("step", ToKelvin())):
        report, seconds = timed(lambda processor=processor: drain(corral, processor))  # type: ignore[misc]
        assert report.done == units, report.summary()
        lines.append((f"{name} {units:,} rows", f"{units / seconds:,.0f} units/s"))
    for name, processor in (("load", Thermometer(count=units + 1)), ("step", ToKelvin())):
        report, seconds = timed(lambda processor=processor: drain(corral, processor))  # type: ignore[misc]
        assert report.done == 0
        lines.append((f"{name} them again", f"{seconds * 1000:.0f} ms"))
    return lines


def products(corral: Corral, count: int) -> list[tuple[str, str]]:
    """Make a small product of each frame, and the same files without rows."""
    nights = add_nights(corral, 1)
    with corral.write() as session:
        session.execute(insert(Frame), [frame(number, nights[0]) for number in range(count)])
    report, seconds = timed(lambda: drain(corral, Copy()))
    assert report.done == count, report.summary()
    with corral.read() as session:
        paths = list(session.scalars(select(Frame.path)))

    def bare() -> None:
        for path in paths:
            store = corral.store
            line = Line(path.encode() * 40)
            store.publish(store.stage(line, {}, folder="bare/copy", name=path))

    _, bare_seconds = timed(bare)
    unit, file = seconds / count * 1000, bare_seconds / count * 1000
    return [
        (f"{count} units of one product", f"{unit:.2f} ms each"),
        ("  of it files (write, sync, hash, rename, sync)", f"{file:.2f} ms each"),
        ("  of it the framework", f"{unit - file:.2f} ms each"),
    ]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Do it, and give its result and seconds."""
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


def measure(kind: str, arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """All measurements on one database."""
    lines = []
    say(f"{kind}: {arguments.units:,} trivial units")
    with installation(kind) as corral:
        lines += trivial_units(corral, arguments.units)
    say(f"{kind}: {arguments.products:,} products")
    with installation(kind) as corral:
        lines += products(corral, arguments.products)
    say(f"{kind}: {arguments.frames:,} frames of history")
    with installation(kind) as corral:
        nights = add_nights(corral, NIGHTS)
        fill(corral, arguments.frames, nights)
        for partitioned in (True, False):
            name = "a night's" if partitioned else "any"
            seconds = time_of_next_work(
                corral,
                arguments.frames,
                nights,
                partitioned=partitioned,
                repeat=arguments.repeat,
            )
            median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
            figure = f"{median:.1f} ms (worst {worst:.1f})"
            lines.append((f"find and claim {name} next in {arguments.frames:,}", figure))
        with corral.read() as session:
            assert session.scalar(select(StepRun.id).limit(1)) is not None
            assert session.scalar(select(Unit.id).limit(1)) is not None
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog="With the defaults it takes a few minutes and 3 GB of temporary files.",
    )
    parser.add_argument("--frames", type=int, default=1_000_000, help="in the history")
    parser.add_argument("--repeat", type=int, default=25, help="claims of which the median is told")
    parser.add_argument("--units", type=int, default=10_000, help="trivial ones")
    parser.add_argument("--products", type=int, default=500, help="small files")
    parser.add_argument(
        "--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"]
    )
    arguments = parser.parse_args(argv)
    table: dict[str, dict[str, str]] = {}
    for kind in arguments.databases:
        for name, figure in measure(kind, arguments):
            table.setdefault(name, {})[kind] = figure
    say("")
    say(f"{'':<48}" + "".join(f"{kind:>26}" for kind in arguments.databases))
    for name, figures in table.items():
        say(f"{name:<48}" + "".join(f"{figures.get(k, ''):>26}" for k in arguments.databases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
