"""What the ledger of work promises, each as a query that finds where it does not hold.

The database does the looking: what is given out is read row by row, and is little or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import distinct, exists, func, or_, select
from sqlalchemy.orm import Session

from include.corral.lost import RULE
from include.corral.observe import observed
from include.corral.violation import Promise, Violation
from include.corral.wants import derived_models
from models.alert import Alert
from models.product import Product
from models.session import database_now
from models.work import Due, Outcome, StepRun, Unit, UnitRun, UnitStatus

# How long a lease may be over before somebody must have noticed: several sweeps.
UNNOTICED = timedelta(hours=1)
# How long noted changes and open units may lie: every DAG runs at least once a day.
UNWORKED = timedelta(hours=26)
# How far back it is looked for triggers that died and were not told of.
TOLD_OF = timedelta(days=7)


def results_are_of_finished_attempts(session: Session) -> Iterator[Violation]:
    """I2: what can be seen was made by an attempt of its unit that is recorded as done."""
    for model in derived_models(session):
        table = model.__tablename__
        query = select(model.id, UnitRun.outcome, UnitRun.unit_id == model.unit_id).join(
            UnitRun, model.unit_run_id == UnitRun.id
        )
        bad = or_(UnitRun.outcome != Outcome.DONE, UnitRun.unit_id != model.unit_id)
        for row_id, outcome, is_own in session.execute(query.where(bad)):
            of = "an attempt" if is_own else "another unit's attempt"
            yield Violation("I2", f"{table} {row_id}", f"made by {of} that is {outcome}")


def one_attempt_is_current(session: Session) -> Iterator[Violation]:
    """I10, I11: only the unit's last successful attempt has current results, a void unit none."""
    for model in derived_models(session):
        table = model.__tablename__
        runs = func.count(distinct(model.unit_run_id))
        query = select(model.unit_id).where(model.current).group_by(model.unit_id).having(runs > 1)
        for unit_id in session.scalars(query):
            yield Violation("I10", f"unit {unit_id}", f"two current {table} results")
        void = select(model.id).join(Unit, model.unit_id == Unit.id)
        for row_id in session.scalars(void.where(model.current, Unit.status == UnitStatus.VOID)):
            yield Violation("I10", f"{table} {row_id}", "current, its unit is void")


def no_fence_is_used_twice(session: Session) -> Iterator[Violation]:
    """I10, I11: of one claim there is one end, and none of a claim that was never made."""
    ended = UnitRun.outcome.in_([Outcome.DONE, Outcome.FAILED])
    twice = select(UnitRun.unit_id, UnitRun.fence).where(ended)
    twice = twice.group_by(UnitRun.unit_id, UnitRun.fence).having(func.count() > 1)
    for unit_id, fence in session.execute(twice):
        yield Violation("I10", f"unit {unit_id}", f"two attempts ended with fence {fence}")
    beyond = select(UnitRun.id, UnitRun.fence, Unit.id).join(Unit, UnitRun.unit_id == Unit.id)
    for run_id, fence, unit_id in session.execute(beyond.where(UnitRun.fence > Unit.fence)):
        yield Violation("I11", f"attempt {run_id}", f"fence {fence} is ahead of unit {unit_id}")


def done_units_have_their_attempt(session: Session) -> Iterator[Violation]:
    """I1, I12: a unit that is done has the attempt that did it, with the same fingerprint."""
    of_unit = (UnitRun.unit_id == Unit.id, UnitRun.outcome == Outcome.DONE)
    made = exists().where(*of_unit, UnitRun.fingerprint == Unit.fingerprint)
    query = select(Unit.id).where(Unit.status == UnitStatus.DONE, ~made)
    for unit_id in session.scalars(query):
        yield Violation("I1", f"unit {unit_id}", "done, but no attempt with its fingerprint is")


def equal_fingerprints_mean_equal_bytes(session: Session) -> Iterator[Violation]:
    """I12: done again with the same software, a unit gives files with the same hashes."""
    runs, files = func.count(distinct(Product.unit_run_id)), func.count(distinct(Product.sha256))
    query = (
        select(Product.unit_id, Product.kind)
        .join(UnitRun, Product.unit_run_id == UnitRun.id)
        .join(StepRun, UnitRun.step_run_id == StepRun.id)
        .group_by(Product.unit_id, Product.kind, Product.fingerprint, StepRun.software)
        # Where every attempt makes n files, r attempts make n r rows and n hashes.
        .having(runs > 1, files * runs > func.count())
    )
    for unit_id, kind in session.execute(query):
        message = f"the same input gave other bytes of {kind} when it was done again"
        yield Violation("I12", f"unit {unit_id}", message)
    other = select(Product.id).join(UnitRun, Product.unit_run_id == UnitRun.id)
    for product_id in session.scalars(other.where(Product.fingerprint != UnitRun.fingerprint)):
        message = "its fingerprint is not that of the attempt that made it"
        yield Violation("I12", f"product {product_id}", message)


def claims_are_held(session: Session) -> Iterator[Violation]:
    """I4, I17: a claim whose holder is dead, or has ended, was noticed."""
    now = database_now(session.connection())
    late = StepRun.lease_until < now - UNNOTICED
    query = (
        select(Unit.id, Unit.step, StepRun.lease_until)
        .join(StepRun, Unit.step_run_id == StepRun.id)
        .where(Unit.is_(UnitStatus.CLAIMED), late)
    )
    for unit_id, step, lease_until in session.execute(query):
        message = f"of {step}, held by nobody since {lease_until:%Y-%m-%d %H:%M} UTC"
        yield Violation("I17", f"unit {unit_id}", message)
    runs = select(StepRun.id, StepRun.step, StepRun.lease_until).where(StepRun.is_running(), late)
    for run_id, step, lease_until in session.execute(runs):
        message = (
            f"of {step}, counts as running, no sign of life since {lease_until:%Y-%m-%d %H:%M}"
        )
        yield Violation("I17", f"trigger {run_id}", message)


def deaths_are_told_of(session: Session) -> Iterator[Violation]:
    """I14, I17: for every trigger that was found dead there is an alert."""
    since = database_now(session.connection()) - TOLD_OF
    query = select(StepRun.id, StepRun.step).where(
        StepRun.outcome == Outcome.LOST, StepRun.ended_at > since
    )
    lost = {row.id: row.step for row in session.execute(query)}
    if not lost:
        return
    query_told = select(Alert.context).where(Alert.rule == RULE, Alert.created_at > since)
    told = {context.get("step_run_id") for context in session.scalars(query_told)}
    for run_id in sorted(lost.keys() - told):
        yield Violation("I17", f"trigger {run_id}", f"of {lost[run_id]}, died; nobody was told")


def nothing_lies_unworked(session: Session) -> Iterator[Violation]:
    """I20: what was noted or opened was looked at within a day; sweeps note since when it lies."""
    now = database_now(session.connection())
    for topic, what in (("due", "noted changes"), ("open", "open units")):
        stamps = oldest_due(session) if topic == "due" else oldest_open(session)
        for step, seen in observed(session, topic).items():
            if seen.stamp == stamps.get(step) and seen.since < now - UNWORKED:
                message = (
                    f"{what} that nobody looks at, since {seen.since:%Y-%m-%d %H:%M} or longer"
                )
                yield Violation("I20", f"step {step}", message)


def oldest_due(session: Session) -> dict[str, str]:
    """Name the oldest change that each step has not looked at."""
    query = select(Due.step, func.min(Due.id)).group_by(Due.step)
    return {step: str(due_id) for step, due_id in session.execute(query)}


def oldest_open(session: Session) -> dict[str, str]:
    """Name the oldest unit that is open for each step, and how often it was claimed before."""
    oldest = select(func.min(Unit.id)).where(Unit.is_(UnitStatus.OPEN)).group_by(Unit.step)
    query = select(Unit.step, Unit.id, Unit.fence).where(Unit.id.in_(oldest))
    return {step: f"{unit_id}.{fence}" for step, unit_id, fence in session.execute(query)}


WORK: tuple[Promise, ...] = (
    results_are_of_finished_attempts,
    one_attempt_is_current,
    no_fence_is_used_twice,
    done_units_have_their_attempt,
    equal_fingerprints_mean_equal_bytes,
    claims_are_held,
    deaths_are_told_of,
    nothing_lies_unworked,
)
