"""A small pipeline for the kernel's tests: pebbles are plain rows, frames are files of one line."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from include.corral.associate import Use
from include.corral.corral import Corral
from include.corral.errors import BadData, Retryable
from include.corral.loader import Loader
from include.corral.step import Step
from models import CCD, Base, Campaign, Frame, Night, Observatory, Product
from models.product import Derived

NIGHT = "2026-11-20"
# Rows that tell of triggers, which a rerun adds to, and marks of the planner.
OF_TRIGGERS = {"step_run", "planned"}


class Pebble(Base):
    __tablename__ = "lab_pebble"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]
    colour: Mapped[str | None] = mapped_column(String(40), default=None)
    good: Mapped[bool] = mapped_column(default=True)
    weights: Mapped[list[Weight]] = relationship(back_populates="pebble")


class Weight(Derived, Base):
    __tablename__ = "lab_weight"
    id: Mapped[int] = mapped_column(primary_key=True)
    pebble_id: Mapped[int] = mapped_column(ForeignKey("lab_pebble.id"))
    grams: Mapped[float]
    label: Mapped[str | None] = mapped_column(String(8), unique=True)
    pebble: Mapped[Pebble] = relationship(back_populates="weights")


class Heap(Derived, Base):
    __tablename__ = "lab_heap"
    id: Mapped[int] = mapped_column(primary_key=True)
    colour: Mapped[str | None] = mapped_column(String(40))
    values: Mapped[list[Any]]


TABLES: list[Any] = [model.__table__ for model in (Pebble, Weight, Heap)]


ERRORS = {
    "bug": ZeroDivisionError("weightless"),
    "bad_data": BadData("not a pebble"),
    "retry": Retryable("scales are wet"),
    "interrupt": KeyboardInterrupt(),
}
# What the database refuses, or cannot even be told.
LABELS = {"twin": "same", "long": "x" * 9, "surrogate": "\udcff"}


class Weigh(Step):
    """Every good pebble has its weight; what goes wrong with which is a parameter."""

    model = Pebble
    conditions = (Pebble.good,)
    parameters = {"poison": {}, "factor": 1.0, "pause_s": 0.0}

    def process(self, work: Pebble, run: Any) -> Iterator[Weight]:
        """Weigh it."""
        if self.parameters["pause_s"]:
            time.sleep(self.parameters["pause_s"])
        poison = self.parameters["poison"].get(str(work.value))
        if poison == "kill":
            assert multiprocessing.parent_process(), "this is the process of the tests"
            os.kill(os.getpid(), signal.SIGKILL)
        if poison in ERRORS:
            raise ERRORS[poison]
        grams = work.value * self.parameters["factor"]
        yield Weight(pebble_id=work.id, grams=grams, label=LABELS.get(poison))


class Pile(Step):
    """All good pebbles of one colour are one heap."""

    model = Pebble
    conditions = (Pebble.good,)
    ordering = (Pebble.value,)
    group_by = (Pebble.colour,)

    def process(self, work: list[Pebble], run: Any) -> Iterator[Heap]:
        """Pile them up."""
        yield Heap(colour=work[0].colour, values=[pebble.value for pebble in work])


class Quarry(Loader):
    """Pebbles with values from 0."""

    parameters = {"count": 10}

    def generate(self, corral: Corral) -> Iterator[Pebble]:
        """Give them all."""
        return (Pebble(value=value) for value in range(self.parameters["count"]))


class Blob:
    """A file of one line and its provenance."""

    suffix = ".json"

    def __init__(self, content: str) -> None:
        self.content = content

    def write(self, stream: Any, provenance: Any) -> None:
        """Write both."""
        text = json.dumps([self.content, provenance], sort_keys=True)
        stream.write(text.encode())


MASTER = Use(role="master", kind="master", exact=("camera",), missing="flag")


class Master(Step):
    """The bias frames of a night and camera are one master."""

    model = Frame
    conditions = (Frame.kind == "bias", Frame.accepted)
    group_by = (Frame.night_id, Frame.camera)
    ordering = (Frame.observed_at, Frame.sha256)

    def process(self, work: list[Frame], run: Any) -> Iterator[Product]:
        """Join them."""
        content = ",".join(run.read(frame).decode() for frame in work)
        yield run.product("master", Blob(content), inputs={"bias": work}, like=work[0])


class Calibrate(Step):
    """Every accepted science frame is calibrated, with a master where there is one."""

    model = Frame
    conditions = (Frame.kind == "science", Frame.accepted)
    uses = (MASTER,)
    parameters = {"gain": 1.0, "stop_after": 0, "stop_at": ""}

    def process(self, work: Frame, run: Any) -> Iterator[Product]:
        """Calibrate it."""
        master = run.associate(work)["master"]
        content = f"{run.read(work).decode()} / {master.sha256 if master else None}"
        yield run.product(
            "calibrated", Blob(content), inputs={"science": work, "master": master}, like=work
        )


class Measure(Step):
    """Every calibrated image is measured."""

    model = Product
    conditions = (Product.kind == "calibrated",)

    def process(self, work: Product, run: Any) -> Iterator[Product]:
        """Measure it."""
        metrics = {"length": float(len(run.read(work)))}
        yield run.product(
            "measured", Blob(work.sha256), inputs={"image": work}, like=work, metrics=metrics
        )


def make_tables(corral: Corral) -> None:
    """Create the tables of pebbles."""
    Base.metadata.create_all(corral.engine, TABLES)


def add_pebbles(corral: Corral, values: Any, **columns: Any) -> list[int]:
    """Put pebbles with these values into the database."""
    with corral.write() as session:
        rows = [Pebble(value=value, **columns) for value in values]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def ensure_night(session: Any, key: str) -> Night:
    """Give the night `key`, with a campaign."""
    day = date.fromisoformat(key)
    night: Night | None = session.scalar(select(Night).where(Night.date == day))
    if night is None:
        campaign = session.scalar(select(Campaign)) or Campaign(
            name="lab",
            observatory=Observatory(name="hill", latitude=-24.6, longitude=-67.3),
            ccd=CCD(name="cam"),
        )
        night = Night(campaign=campaign, date=day)
        session.add(night)
    return night


def add_frames(
    corral: Corral,
    names: Any,
    *,
    kind: str = "science",
    night: str = NIGHT,
    camera: str = "cam",
    hour: float = 24.0,
) -> list[int]:
    """Put frames into inbox and database; observed `hour` hours after the night's date begins."""
    folder = corral.settings.inbox / night
    folder.mkdir(parents=True, exist_ok=True)
    with corral.write() as session:
        night_row = ensure_night(session, night)
        session.flush()
        rows = []
        for number, name in enumerate(names):
            content = f"{night} {kind} {camera} {name}".encode()
            path = f"{night}/{kind}-{camera}-{name}.txt"
            (corral.settings.inbox / path).write_bytes(content)
            values = frame_values(content, path, night_row, kind=kind, camera=camera)
            values["observed_at"] += timedelta(hours=hour - 24, seconds=number)
            rows.append(Frame(**values))
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def frame_values(content: bytes, path: str, night: Night, **columns: Any) -> dict[str, Any]:
    """Columns of a frame; those that do not matter here are filled with something."""
    filler: dict[type, Any] = {str: "", int: 1, float: 1.0, list: [], bool: True}
    required = {
        column.key: filler.get(column.type.python_type)
        for column in Frame.__table__.columns
        if not column.nullable and column.default is None and column.key != "id"
    }
    midnight = datetime.combine(night.date, datetime.min.time(), UTC) + timedelta(days=1)
    return {
        **required,
        "sha256": hashlib.sha256(content).hexdigest(),
        "path": path,
        "night_id": night.id,
        "camera": "cam",
        "binning": "1x1",
        "observed_at": midnight,
        "exptime_s": 1.0,
        "loaded_at": midnight,
        **columns,
    }


def dump(corral: Corral) -> dict[str, list[Any]]:
    """Every row of every table that a rerun must leave as it is."""
    from sqlalchemy import inspect

    with corral.read() as session:
        there = set(inspect(session.connection()).get_table_names())
        return {
            table.name: [
                tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
            if table.name in there - OF_TRIGGERS
        }


def files(corral: Corral) -> dict[str, bytes]:
    """Every file below the products' root."""
    root = corral.settings.products
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
