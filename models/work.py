"""The ledger of work: triggers, units, attempts, and the queue that leads to them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    literal,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base
from models.columns import SHA256


class UnitStatus(StrEnum):
    """Where a unit of work stands now."""

    OPEN = "open"
    """Wants doing: no result with the wanted fingerprint exists. Older results may stand."""
    CLAIMED = "claimed"
    """A living trigger holds it; nothing of this attempt can be seen by anyone."""
    DONE = "done"
    """Its results, their files and the record of the attempt are committed."""
    FAILED = "failed"
    """The last attempt failed and is recorded; no row and no file of it can be seen."""
    VOID = "void"
    """Its input no longer satisfies the step's conditions; its results are not current."""


class Outcome(StrEnum):
    """How an attempt at a unit, or a trigger of a step, ended."""

    RUNNING = "running"
    """A trigger that has begun and not yet ended."""
    DONE = "done"
    """Everything that was to be done is committed."""
    FAILED = "failed"
    """An attempt: its failure class and message are on the row. A trigger: a unit failed."""
    LOST = "lost"
    """The process gave no sign of life any more (killed, power cut); another trigger found out."""
    SUPERSEDED = "superseded"
    """The result was thrown away: the input changed, or another worker took the unit over."""


class StepRun(Base):
    """One trigger of a step, a loader or an alert: recorded whatever comes of it.

    Attributes
    ----------
    partition
        The one it was asked to work on; empty when it works on everything.
    process_key
        Names the process among all that ever run on the host.
    lease_until
        By the database's clock. While it runs the trigger moves it on; when it is past, the
        trigger counts as dead and what it holds is free.
    """

    __tablename__ = "step_run"
    __table_args__ = (
        Index(
            "ix_step_run_running",
            "step",
            sqlite_where=text("outcome = 'running'"),
            postgresql_where=text("outcome = 'running'"),
        ),
        Index("ix_step_run_partition", "partition", "step"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    step: Mapped[str] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(String(32))
    parameters: Mapped[dict[str, Any]]
    partition: Mapped[str] = mapped_column(String(64), default="")
    dag_id: Mapped[str | None] = mapped_column(String(250))
    run_id: Mapped[str | None] = mapped_column(String(250))
    task_id: Mapped[str | None] = mapped_column(String(250))
    map_index: Mapped[int] = mapped_column(Integer, default=-1)
    try_number: Mapped[int] = mapped_column(Integer, default=1)
    host: Mapped[str] = mapped_column(String(250))
    pid: Mapped[int] = mapped_column(Integer)
    process_key: Mapped[str] = mapped_column(String(64))
    software: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(16), default=Outcome.RUNNING)
    done: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    message: Mapped[str | None] = mapped_column(Text)

    @classmethod
    def is_running(cls) -> ColumnElement[bool]:
        """Condition that holds for triggers without an end; it finds the index of these."""
        return cls.outcome == literal(Outcome.RUNNING.value, literal_execute=True)


class Unit(Base):
    """The smallest piece of a step that is done completely or not at all, and its state now.

    Attributes
    ----------
    key
        Names the unit within its step, for ever: the input row's id, or the group's values.
    fingerprint
        Of the result that is wanted: sha256 of step, version, parameters and inputs.
    row_ids
        The input rows, in their order.
    step_run_id
        The trigger that claimed it last.
    fence
        Counts claims. A worker may commit only while the fence is the one it was given.
    lost
        How often the process that held it ended without a word, at this fingerprint.
    retry_at
        Of a failed unit: when it is to be tried again by itself.
    """

    __tablename__ = "unit"
    __table_args__ = (
        UniqueConstraint("step", "key"),
        # What is open is small, whatever the history: these three are all the queue reads.
        *(
            Index(
                f"ix_unit_{status.value}",
                "step",
                "partition",
                "id",
                sqlite_where=text(f"status = '{status.value}'"),
                postgresql_where=text(f"status = '{status.value}'"),
            )
            for status in (UnitStatus.OPEN, UnitStatus.CLAIMED, UnitStatus.FAILED)
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    step: Mapped[str] = mapped_column(String(100))
    key: Mapped[str] = mapped_column(String(400))
    partition: Mapped[str] = mapped_column(String(64), default="")
    status: Mapped[str] = mapped_column(String(16), default=UnitStatus.OPEN)
    fingerprint: Mapped[str] = mapped_column(SHA256)
    row_ids: Mapped[list[Any]]
    fence: Mapped[int] = mapped_column(Integer, default=0)
    lost: Mapped[int] = mapped_column(Integer, default=0)
    step_run_id: Mapped[int | None] = mapped_column(ForeignKey("step_run.id"))
    claimed_at: Mapped[datetime | None]
    failure_class: Mapped[str | None] = mapped_column(String(32))
    retry_at: Mapped[datetime | None]

    @classmethod
    def is_(cls, status: UnitStatus) -> ColumnElement[bool]:
        """Condition that holds for units of that status.

        The status is part of the statement's text: only so does a database that plans before it
        sees the parameters use the index of that status.
        """
        return cls.status == literal(status.value, literal_execute=True)


class UnitRow(Base):
    """A row is in a unit of many rows: by this the unit is found when the row has moved or gone."""

    __tablename__ = "unit_row"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    row_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, index=True)


class UnitRun(Base):
    """One attempt at a unit, written once when it has ended, and never changed."""

    __tablename__ = "unit_run"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    step_run_id: Mapped[int] = mapped_column(ForeignKey("step_run.id"), index=True)
    fence: Mapped[int] = mapped_column(Integer)
    fingerprint: Mapped[str] = mapped_column(SHA256)
    outcome: Mapped[str] = mapped_column(String(16))
    failure_class: Mapped[str | None] = mapped_column(String(32))
    message: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float | None] = mapped_column(Float)
    associations: Mapped[list[Any] | None]
    ended_at: Mapped[datetime]

    unit: Mapped[Unit] = relationship()
    step_run: Mapped[StepRun] = relationship()


class Subscription(Base):
    """A step that wants to hear of every change in a table, or of one kind of its rows."""

    __tablename__ = "subscription"
    __table_args__ = (UniqueConstraint("source", "kind", "step"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    step: Mapped[str] = mapped_column(String(100), index=True)
    source: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(64), default="")


class Due(Base):
    """A row has changed and the step has not looked yet; written by triggers of the database.

    Attributes
    ----------
    source
        The row's table; ``table=kind`` for those who listen to one kind; ``-table`` when the row
        has been deleted.
    """

    __tablename__ = "due"
    __table_args__ = (Index("ix_due_step_source_row_id", "step", "source", "row_id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    step: Mapped[str] = mapped_column(String(100))
    source: Mapped[str] = mapped_column(String(200))
    row_id: Mapped[int] = mapped_column(BigInteger)


class Planned(Base):
    """The step has looked at every row of the partition with this signature.

    A missing row, or another signature, makes the step look at the whole partition again.

    Attributes
    ----------
    uses_from, uses_until
        A product between these moments may be chosen for one of the rows.
    """

    __tablename__ = "planned"

    step: Mapped[str] = mapped_column(String(100), primary_key=True)
    partition: Mapped[str] = mapped_column(String(64), primary_key=True)
    signature: Mapped[str] = mapped_column(SHA256)
    uses_from: Mapped[datetime | None]
    uses_until: Mapped[datetime | None]
