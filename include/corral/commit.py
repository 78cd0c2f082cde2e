"""Committing: the results of claimed units become visible, each whole, in one transaction.

The row is the commit point. Files are on disk under their final names before; who may commit is
decided by the fence, not by time. A transaction may hold the results of many units, to share the
cost of the fsync: when it fails, it falls apart into one transaction per unit, so that none can
take another with it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, inspect, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, make_transient

from include.corral.claims import Claim
from include.corral.corral import Corral
from include.corral.errors import FailureClass, Retryable, classify, is_database_trouble
from include.corral.plan import derived_models
from models.base import Base
from models.product import Derived, Product
from models.session import database_now, first_line
from models.work import Outcome, Unit, UnitRun, UnitStatus

# Seconds between tries to commit while the database is in trouble: half a minute in all.
BACK_OFF_S = (0.1, 0.4, 1.5, 5.0, 20.0)


@dataclass(slots=True)
class Result:
    """What came of one attempt, before it is committed."""

    claim: Claim
    seconds: float
    fingerprint: str
    rows: list[Base] = field(default_factory=list)
    associations: list[Any] | None = None
    failure_class: FailureClass | None = None
    message: str | None = None
    error: BaseException | None = None

    def fail(self, error: BaseException, failure_class: FailureClass) -> None:
        """Make it a failure: nothing of it will be seen."""
        self.rows = []
        self.error = error
        self.failure_class = failure_class
        text = first_line(error, 2000)
        self.message = f"{type(error).__name__}: {text}"


def commit(corral: Corral, step_run_id: int, results: Sequence[Result]) -> set[int]:
    """Make results visible, failures included, and tell which units were lost to another.

    Parameters
    ----------
    corral, step_run_id
        The installation and the trigger.
    results
        Of units claimed by it. A result that the database refuses is turned into a failure.

    Returns
    -------
    set of int
        Ids of units whose fence had moved on; their results are recorded as superseded.

    Raises
    ------
    Retryable
        If the database stays out of reach; nothing of `results` is visible then.
    """
    try:
        return _commit_patiently(corral, step_run_id, results)
    except SQLAlchemyError as error:
        if is_database_trouble(error):
            raise Retryable(
                f"database out of reach, {len(results)} result(s) not committed: "
                f"{first_line(error)}. They are done again at the next trigger."
            ) from error
        if len(results) == 1:
            results[0].fail(error, classify(error))
            return _commit_patiently(corral, step_run_id, results)
    lost: set[int] = set()
    for result in results:
        lost |= commit(corral, step_run_id, [result])
    return lost


def _commit_patiently(corral: Corral, step_run_id: int, results: Sequence[Result]) -> set[int]:
    for pause_s in (*BACK_OFF_S, None):
        try:
            return _commit_once(corral, step_run_id, results)
        except SQLAlchemyError as error:
            if not is_database_trouble(error) or pause_s is None:
                raise
            time.sleep(pause_s)
            # The connection may have gone after COMMIT was sent: what stands is what counts.
            if _already_committed(corral, results):
                return set()
    raise AssertionError("unreachable")


def _already_committed(corral: Corral, results: Sequence[Result]) -> bool:
    claim = results[0].claim
    mine = (UnitRun.unit_id == claim.unit_id, UnitRun.fence == claim.fence)
    try:
        with corral.read() as session:
            return session.scalar(select(UnitRun.id).where(*mine)) is not None
    except SQLAlchemyError:
        return False


def _commit_once(corral: Corral, step_run_id: int, results: Sequence[Result]) -> set[int]:
    added: list[Any] = []
    try:
        with corral.write() as session:
            owned = _owned(session, results)
            run_ids = _record(session, step_run_id, results, owned)
            rows = [
                row
                for result, run_id in zip(results, run_ids, strict=True)
                if result.claim.unit_id in owned
                for row in _mark(result, run_id)
            ]
            session.add_all(rows)
            added = list(session.new)
            session.flush()
            _supersede(session, [r for r in results if r.claim.unit_id in owned], run_ids)
            _settle(session, [r for r in results if r.claim.unit_id in owned])
            return {r.claim.unit_id for r in results} - owned
    except BaseException:
        for row in added:
            _forget_identity(row)
        raise


def _owned(session: Session, results: Sequence[Result]) -> set[int]:
    """Ids of the units that are still ours, locked until the transaction ends."""
    query = select(Unit.id, Unit.fence).where(
        Unit.id.in_([r.claim.unit_id for r in results]), Unit.status == UnitStatus.CLAIMED
    )
    if session.get_bind().dialect.name == "postgresql":
        query = query.order_by(Unit.id).with_for_update()
    fences = {row.id: row.fence for row in session.execute(query)}
    return {r.claim.unit_id for r in results if fences.get(r.claim.unit_id) == r.claim.fence}


def _record(
    session: Session, step_run_id: int, results: Sequence[Result], owned: set[int]
) -> list[int]:
    """Write the attempts, in the order of `results`."""
    now = database_now(session.connection())
    values = [
        {
            "unit_id": result.claim.unit_id,
            "step_run_id": step_run_id,
            "fence": result.claim.fence,
            "fingerprint": result.fingerprint,
            "outcome": _outcome(result, owned),
            "failure_class": result.failure_class,
            "message": result.message,
            "seconds": result.seconds,
            "associations": result.associations,
            "ended_at": now,
        }
        for result in results
    ]
    statement = insert(UnitRun).returning(UnitRun.id, sort_by_parameter_order=True)
    return list(session.scalars(statement, values))


def _outcome(result: Result, owned: set[int]) -> Outcome:
    if result.claim.unit_id not in owned:
        return Outcome.SUPERSEDED
    return Outcome.FAILED if result.failure_class else Outcome.DONE


def _mark(result: Result, run_id: int) -> list[Base]:
    for row in result.rows:
        if isinstance(row, Derived):
            row.unit_id, row.unit_run_id = result.claim.unit_id, run_id
    return result.rows


def _supersede(session: Session, results: Sequence[Result], run_ids: Sequence[int]) -> None:
    """Take currency from what earlier attempts at these units had made."""
    # The first claim of a unit has nothing to supersede.
    again = [r.claim.unit_id for r in results if r.claim.fence > 1 and not r.failure_class]
    if not again:
        return
    for model in derived_models():
        old = model.__table__.c
        stale = (old.unit_id.in_(again), old.current, old.unit_run_id.not_in(run_ids))
        if model is Product:
            _name_successors(session, stale, run_ids)
        session.execute(
            update(model)
            .where(*stale)
            .values(current=False)
            .execution_options(synchronize_session=False)
        )


def _name_successors(session: Session, stale: Sequence[Any], run_ids: Sequence[int]) -> None:
    table: Any = Product.__table__
    new = select(table.c.unit_id, table.c.kind, table.c.id).where(table.c.unit_run_id.in_(run_ids))
    successors = {(row.unit_id, row.kind): row.id for row in session.execute(new)}
    for row in session.execute(select(table.c.id, table.c.unit_id, table.c.kind).where(*stale)):
        session.execute(
            update(table)
            .where(table.c.id == row.id)
            .values(superseded_by_id=successors.get((row.unit_id, row.kind)))
        )


def _settle(session: Session, results: Sequence[Result]) -> None:
    """Write the units' new state."""
    states: dict[tuple[UnitStatus, FailureClass | None, str | None], list[int]] = {}
    for result in results:
        status = UnitStatus.FAILED if result.failure_class else UnitStatus.DONE
        # Masters may have changed between plan and work: what was used is what counts.
        moved = None if result.fingerprint == result.claim.fingerprint else result.fingerprint
        states.setdefault((status, result.failure_class, moved), []).append(result.claim.unit_id)
    for (status, failure_class, moved), ids in states.items():
        values: dict[str, Any] = {
            "status": status,
            "failure_class": failure_class,
            "lease_until": None,
            "lost": 0,
        }
        if moved is not None:
            values["fingerprint"] = moved
        session.execute(
            update(Unit)
            .where(Unit.id.in_(ids))
            .values(values)
            .execution_options(synchronize_session=False)
        )


def _forget_identity(row: Any) -> None:
    """Make `row` as it was before it was added to the transaction that failed."""
    if inspect(row).persistent or inspect(row).detached:
        return
    make_transient(row)
    if "id" in inspect(row).mapper.columns:
        row.id = None
