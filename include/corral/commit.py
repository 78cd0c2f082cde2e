"""Committing: the results of claimed units become visible, each whole, in one transaction.

The row is the commit point. Files are on disk under their final names before; who may commit is
decided by the fence, not by time. A transaction may hold the results of many units, to share the
cost of the fsync: when it is refused, it falls apart into halves, down to the one that is refused
alone, so that none can take another with it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import inspect, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, make_transient

from include.corral.corral import Corral
from include.corral.errors import Retryable, is_database_damaged, is_database_trouble
from include.corral.many import Many, write_many
from include.corral.outbox import enqueue_row
from include.corral.processor import Processor
from include.corral.result import Result, Tally
from include.corral.supersede import supersede
from models.alert import Alert
from models.base import Base
from models.product import Derived, Product
from models.session import database_now, first_line
from models.statements import among, free_ids, insert_rows
from models.work import Outcome, Unit, UnitRun, UnitStatus

# Seconds between tries to commit while the database is in trouble: half a minute in all.
BACK_OFF_S = (0.1, 0.4, 1.5, 5.0, 20.0)


def commit(
    corral: Corral, step_run_id: int, results: Sequence[Result], processor: Processor
) -> set[int]:
    """Make results visible, failures included, and tell which units were lost to another.

    Parameters
    ----------
    corral, step_run_id
        The installation and the trigger.
    results
        Of units claimed by it. One that the database refuses is turned into a failure.
    processor
        Writes their rows, and says of which class that failure is.

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
        return _commit_patiently(corral, step_run_id, results, processor)
    except Exception as error:
        if is_database_trouble(error):
            raise Retryable(
                f"database out of reach, {len(results)} result(s) not committed: "
                f"{first_line(error)}. They are done again at the next trigger."
            ) from error
        if is_database_damaged(error):
            raise  # nothing can be said of the results
        if len(results) == 1 and results[0].failure_class is None:
            results[0].fail(error, processor.classify(error))
        elif len(results) == 1:
            raise
    half = (len(results) + 1) // 2
    parts = [results[:half], results[half:]]
    return {lost for part in parts if part for lost in commit(corral, step_run_id, part, processor)}


def _commit_patiently(
    corral: Corral, step_run_id: int, results: Sequence[Result], processor: Processor
) -> set[int]:
    for turn, pause_s in enumerate((*BACK_OFF_S, None)):
        try:
            return _commit_once(corral, step_run_id, results, processor, again=turn > 0)
        except SQLAlchemyError as error:
            if not is_database_trouble(error) or pause_s is None:
                raise
            time.sleep(pause_s)
    raise AssertionError("unreachable")


def _commit_once(
    corral: Corral,
    step_run_id: int,
    results: Sequence[Result],
    processor: Processor,
    *,
    again: bool,
) -> set[int]:
    added: list[tuple[Base, Any]] = []
    try:
        with corral.write() as session:
            owned = _owned(session, results)
            # The connection may have gone after COMMIT was sent: what stands is what counts.
            if again and (stands := _outcomes(session, step_run_id, results)):
                results[0].tally = Tally().add(row for result in results for row in result.rows)
                return {unit for unit, end in stands.items() if end == Outcome.SUPERSEDED}
            mine = [result for result in results if result.claim.unit_id in owned]
            run_ids = _record(session, step_run_id, results, owned)
            rows, alerts, many = _rows(mine, run_ids)
            session.add_all(group.of for group in many)  # their ids are needed
            tally = processor.write(session, rows)
            added = [(row, getattr(row, "id", None)) for row in session.new]
            _number(session)
            session.flush()
            for table, number in write_many(session, many).items():
                tally.count(table, number)
            _require_files(corral, rows)
            known = {id(alert) for alert in alerts if enqueue_row(session, alert) is None}
            supersede(session, mine, run_ids.values())
            _settle(session, mine)
    except BaseException:
        for row, identity in added:
            _forget_identity(row, identity)
        raise
    if mine:
        mine[0].tally = tally.add(alert for alert in alerts if id(alert) not in known)
    return {result.claim.unit_id for result in results} - owned


def _require_files(corral: Corral, rows: Sequence[Base]) -> None:
    """Raise where a file is gone: seen after the row is written, when the sweep must wait for us.

    A worker that was paused for long may have had its file, which no row named, removed.
    """
    for row in rows:
        if isinstance(row, Product):
            corral.store.require(row.path, row.size_bytes)


def _owned(session: Session, results: Sequence[Result]) -> set[int]:
    """Ids of the units that are still ours, locked until the transaction ends."""
    query = select(Unit.id, Unit.fence).where(
        among(Unit.id, [r.claim.unit_id for r in results]), Unit.is_(UnitStatus.CLAIMED)
    )
    if session.get_bind().dialect.name == "postgresql":
        query = query.order_by(Unit.id).with_for_update()
    fences = {row.id: row.fence for row in session.execute(query)}
    return {r.claim.unit_id for r in results if fences.get(r.claim.unit_id) == r.claim.fence}


def _outcomes(session: Session, step_run_id: int, results: Sequence[Result]) -> dict[int, str]:
    """How those of these attempts ended that are on record as ended by ourselves."""
    fences = {result.claim.unit_id: result.claim.fence for result in results}
    query = select(UnitRun.unit_id, UnitRun.fence, UnitRun.outcome).where(
        among(UnitRun.unit_id, fences),
        UnitRun.step_run_id == step_run_id,
        UnitRun.outcome != Outcome.LOST,
    )
    rows = session.execute(query)
    return {row.unit_id: row.outcome for row in rows if row.fence == fences[row.unit_id]}


def _record(
    session: Session, step_run_id: int, results: Sequence[Result], owned: set[int]
) -> dict[int, int]:
    """Write the attempts, and give their ids by unit."""
    connection = session.connection()
    now = database_now(connection)
    values: list[dict[str, Any]] = [
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
    for row, number in zip(values, free_ids(connection, UnitRun, len(values)), strict=True):
        row["id"] = number
    insert_rows(connection, UnitRun, values)
    return {row["unit_id"]: row["id"] for row in values}


def _outcome(result: Result, owned: set[int]) -> Outcome:
    if result.claim.unit_id not in owned:
        return Outcome.SUPERSEDED
    return Outcome.FAILED if result.failure_class else Outcome.DONE


def _rows(
    results: Sequence[Result], run_ids: dict[int, int]
) -> tuple[list[Base], list[Alert], list[Many]]:
    """Give the rows to be added, each knowing its attempt, messages, and what goes in bulk."""
    rows: list[Base] = []
    alerts: list[Alert] = []
    many: list[Many] = []
    for result in results:
        unit_id = result.claim.unit_id
        for row in result.rows:
            if isinstance(row, Alert):
                alerts.append(row)
                continue
            if isinstance(row, Many):
                many.append(row)
                continue
            if isinstance(row, Derived):
                row.unit_id, row.unit_run_id = unit_id, run_ids[unit_id]
            rows.append(row)
    return rows, alerts, many


def _number(session: Session) -> None:
    """Give new rows their ids, on SQLite."""
    if session.get_bind().dialect.name != "sqlite":
        return
    by_model: dict[type[Base], list[Any]] = {}
    for row in session.new:
        mapper = inspect(row).mapper
        if mapper.inherits is None and "id" in mapper.columns and getattr(row, "id", 0) is None:
            by_model.setdefault(type(row), []).append(row)
    for model, rows in by_model.items():
        for row, number in zip(rows, free_ids(session, model, len(rows)), strict=True):
            row.id = number


def _settle(session: Session, results: Sequence[Result]) -> None:
    """Write the units' new state."""
    states: dict[tuple[Any, ...], list[int]] = {}
    for result in results:
        status = UnitStatus.FAILED if result.failure_class else UnitStatus.DONE
        # Masters may have changed between plan and work: what was used is what counts.
        moved = None if result.fingerprint == result.claim.fingerprint else result.fingerprint
        state = (status, result.failure_class, result.retry_at, moved)
        states.setdefault(state, []).append(result.claim.unit_id)
    for (status, failure_class, retry_at, moved), ids in states.items():
        values = {"status": status, "failure_class": failure_class, "retry_at": retry_at, "lost": 0}
        if moved is not None:
            values["fingerprint"] = moved
        session.execute(
            update(Unit)
            .where(among(Unit.id, ids))
            .values(values)
            .execution_options(synchronize_session=False)
        )


def _forget_identity(row: Base, identity: Any) -> None:
    """Make `row` as it was before it was added to the transaction that failed."""
    if inspect(row).persistent or inspect(row).detached:
        return
    make_transient(row)
    if "id" in inspect(row).mapper.columns:
        row.id = identity  # type: ignore[attr-defined]
