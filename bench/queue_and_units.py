"""What the kernel costs: finding the next work in a long history, and each unit of it.

A PostgreSQL server of its own waits for the disk at each commit, as SQLite here does.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text

from bench.table import Report, Table, say
from bench.trivial import Thermometer, ToKelvin, make_tables
from include.corral.changes import subscribe
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.ledger import close_run, open_run
from include.corral.marks import mark, mark_signature
from include.corral.report import Report as StepReport
from include.corral.run import Run
from include.corral.settings import Settings
from include.corral.step import Step
from include.corral.trigger import Trigger
from include.corral.work import StepWork
from models import CCD, Base, Campaign, Frame, Night, Observatory, Product
from tools import postgres

FIRST_NIGHT = date(2020, 1, 1)
NIGHTS = 1000
MIDNIGHT = datetime(2020, 1, 2, tzinfo=UTC)


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
    close_run(corral, run, StepReport(Look.name, None, run.id), None)
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
        close_run(corral, run, StepReport(Look.name, None, run.id), None)
    return seconds


def trivial_units(corral: Corral, units: int) -> list[tuple[str, str]]:
    """Load rows and make a row of each; every one with its record."""
    make_tables(corral)
    lines = []
    processors = (("load", Thermometer(count=units + 1)), ("step", ToKelvin()))
    for name, processor in processors:
        report, seconds = timed(partial(drain, corral, processor))
        assert report.done == units, report.summary()
        lines.append((f"{name} {units:,} rows", f"{units / seconds:,.0f} units/s"))
    for name, processor in processors:
        report, seconds = timed(partial(drain, corral, processor))
        assert report.done == 0
        lines.append((f"{name} them again", f"{seconds * 1000:.0f} ms"))
    return lines


def products(corral: Corral, count: int) -> tuple[float, float]:
    """Milliseconds for each small product of a frame, and for the same files without rows."""
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
    return seconds / count * 1000, bare_seconds / count * 1000


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Do it, and give its result and seconds."""
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


@dataclass(frozen=True)
class Amounts:
    """How much is measured."""

    frames: int
    units: int
    products: int
    repeat: int


def measure(kind: str, amounts: Amounts, report: Report) -> list[tuple[str, str]]:
    """All measurements on one database."""
    say(f"  {kind}: {amounts.units:,} trivial units")
    with installation(kind) as corral:
        lines = trivial_units(corral, amounts.units)
    say(f"  {kind}: {amounts.products:,} products")
    with installation(kind) as corral:
        unit, file = products(corral, amounts.products)
    lines += [
        (f"{amounts.products} units of one product", f"{unit:.2f} ms each"),
        ("of it files: write, sync, hash, rename, sync", f"{file:.2f} ms each"),
        ("of it the framework", f"{unit - file:.2f} ms each"),
    ]
    report.judge(f"framework for a unit of one product, {kind}", unit - file, "at most", 5, "ms")
    say(f"  {kind}: {amounts.frames:,} frames of history")
    with installation(kind) as corral:
        nights = add_nights(corral, NIGHTS)
        fill(corral, amounts.frames, nights)
        for partitioned in (True, False):
            what = f"find and claim {'a night’s' if partitioned else 'any'} next unit"
            seconds = time_of_next_work(
                corral, amounts.frames, nights, partitioned=partitioned, repeat=amounts.repeat
            )
            median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
            lines.append((what, f"{median:.1f} ms (worst {worst:.1f})"))
            report.judge(f"{what}, {kind}", median, "at most", 20, "ms")
    return lines


def run(*, quick: bool) -> Report:
    """A million frames, 10,000 trivial rows, 500 products, on SQLite and PostgreSQL."""
    amounts = Amounts(10_000, 500, 50, 5) if quick else Amounts(1_000_000, 10_000, 500, 25)
    report = Report(
        "Queue and units",
        f"{amounts.frames:,} frames of history in {NIGHTS:,} nights, all worked on; both databases "
        "wait for the disk at each commit.",
    )
    kinds = ["sqlite"]
    if postgres.server_binaries() is None:
        report.notes.append("PostgreSQL's server is not installed here.")
    else:
        kinds.append("postgresql")
    found = {kind: dict(measure(kind, amounts, report)) for kind in kinds}
    table = Table("Queue and units", ("figure", *kinds))
    for name in found["sqlite"]:
        table.add(name, *(found[kind][name] for kind in kinds))
    report.tables.append(table)
    return report
