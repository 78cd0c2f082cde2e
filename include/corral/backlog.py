"""Partitions that want looking at: the truth behind every event that may have been lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from include.corral.changes import of_kind
from include.corral.chores import dead_triggers
from include.corral.corral import Corral
from include.corral.errors import FailureClass
from include.corral.marks import mark_signature
from include.corral.observe import observe, observed
from include.corral.step import Step
from include.corral.sweep import Found, Part, Sweep, Watch
from models.product import Product
from models.work import Due, Planned, StepRun, Unit, UnitStatus

# Shorter than the time between two sweeps: an announcement that got lost is made by the next.
FIRST_PAUSE = timedelta(minutes=9)
LONGEST_PAUSE = timedelta(hours=1)


def partitions_to_do(corral: Corral, steps: Sequence[Step]) -> list[str]:
    """Give the partitions in which a step has work that nobody is doing.

    That is: units that are open, or have failed in a way that may pass or until a moment that has
    come; changed rows, or new products near, that the step has not looked at; and partitions that
    it has never looked at as it is now.

    Parameters
    ----------
    corral
        The installation.
    steps
        With the parameters that they run with.

    Returns
    -------
    list of str
        Their keys, the latest first; those that are being worked on are left out.
    """
    found: set[str] = set()
    now = corral.now()
    with corral.read() as session:
        for step in steps:
            step.settings = corral.settings
            if step.is_partitioned():
                found |= _with_open_units(session, step, now)
                found |= _with_changed_rows(session, step)
                found |= _near_new_products(session, step)
                found |= _never_looked_at(session, step)
        names = [step.name for step in steps]
        busy = select(StepRun.partition).where(StepRun.is_running(), StepRun.step.in_(names))
        found -= set(session.scalars(busy))
    return sorted(found - {""}, reverse=True)


def _with_open_units(session: Session, step: Step, now: datetime) -> set[str]:
    passes = or_(Unit.failure_class == FailureClass.RETRY, Unit.retry_at <= now)
    found: set[str] = set()
    for conditions in ((Unit.is_(UnitStatus.OPEN),), (Unit.is_(UnitStatus.FAILED), passes)):
        query = select(Unit.partition).where(Unit.step == step.name, *conditions).distinct()
        found |= set(session.scalars(query))
    return found


def _with_changed_rows(session: Session, step: Step) -> set[str]:
    model: Any = step.model
    source = model.__tablename__
    noted = select(Due.row_id).where(Due.step == step.name, Due.source == source)
    column = getattr(model, model.partition_column)
    one_of_each = select(func.min(model.id)).where(model.id.in_(noted)).group_by(column)
    rows = session.scalars(select(model).where(model.id.in_(one_of_each)))
    return {row.partition_key for row in rows}


def _near_new_products(session: Session, step: Step) -> set[str]:
    sources = [of_kind("product", use.kind) for use in step.uses]
    is_near = exists().where(
        Due.step == step.name,
        Due.source.in_(sources),
        Product.id == Due.row_id,
        Product.observed_at.between(Planned.uses_from, Planned.uses_until),
    )
    query = select(Planned.partition).where(Planned.step == step.name, is_near)
    return set(session.scalars(query)) if sources else set()


def _never_looked_at(session: Session, step: Step) -> set[str]:
    model: Any = step.model
    known: set[str] = model.partitions(session)
    marks = select(Planned.partition).where(
        Planned.step == step.name, Planned.signature == mark_signature(step)
    )
    return known - set(session.scalars(marks))


def partitions(watch: Watch) -> Found:
    """Find the partitions that want looking at: a few at a time, and less and less often.

    One that fails again and again would otherwise fill the list of runs. As soon as there is
    nothing to do in it, it counts as new.
    """
    found = partitions_to_do(watch.corral, watch.sweep.steps())
    with watch.corral.write() as session:
        before = {key: _Named.of(seen.stamp) for key, seen in observed(session, "named").items()}
        due = [key for key in found if key not in before or before[key].again_at <= watch.now]
        some = due[: watch.parameters["partitions_at_most"]]
        now = {key: before[key] for key in found if key in before}
        now |= {key: _Named.again(before.get(key), watch.now) for key in some}
        stamps = {key: str(named) for key, named in now.items()}
        observe(session, watch.step_run_id, "named", stamps)
    more = f" and {len(found) - len(some)} more" if len(found) > len(some) else ""
    return Found(f"{', '.join(some)}{more} to be done" if found else "", partitions=some)


@dataclass(frozen=True, slots=True)
class _Named:
    """How often a partition was named in a row, and when it may be named again."""

    times: int
    again_at: datetime

    @classmethod
    def of(cls, stamp: str) -> _Named:
        times, _, moment = stamp.partition(" ")
        return cls(int(times), datetime.fromisoformat(moment))

    @classmethod
    def again(cls, before: _Named | None, now: datetime) -> _Named:
        times = before.times if before else 0
        return cls(times + 1, now + min(FIRST_PAUSE * 2**times, LONGEST_PAUSE))

    def __str__(self) -> str:
        return f"{self.times} {self.again_at.isoformat()}"


class Backlog(Sweep):
    """Partitions with work that nobody does are named, so that no event need ever arrive."""

    parts: ClassVar[Sequence[Part]] = (dead_triggers, partitions)
    parameters = {"partitions_at_most": 4}
