"""Claiming: any number of workers on any number of machines share the open units."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from sqlalchemy import func, literal, select, update
from sqlalchemy.exc import SQLAlchemyError

from include.corral.corral import Corral
from include.corral.ledger import OpenRun, release_dead
from models.session import database_now
from models.work import Unit, UnitStatus


@dataclass(frozen=True, slots=True)
class Claim:
    """A unit that this worker holds, and the fence with which it may commit it."""

    unit_id: int
    key: str
    partition: str
    fingerprint: str
    row_ids: list[int]
    fence: int


def _is(status: UnitStatus) -> Any:
    # Literal, not a parameter: only then can the database use the index of that status.
    return Unit.status == literal(status.value, literal_execute=True)


def claim(
    corral: Corral, run: OpenRun, limit: int, *, keys: Sequence[str] | None = None
) -> list[Claim]:
    """Take up to `limit` open units in one short transaction; nobody else gets them.

    A unit that has already taken a process down with it is taken alone.

    Parameters
    ----------
    corral, run
        The installation and the trigger that claims.
    limit
        How many at most.
    keys
        Only units with these keys.

    Returns
    -------
    list of Claim
        Empty when nothing is open.
    """
    for lost, most in ((Unit.lost == 0, limit), (Unit.lost > 0, 1)):
        claims = _claim(corral, run, most, [lost, *([Unit.key.in_(keys)] if keys else [])])
        if claims:
            return claims
    return []


def _claim(corral: Corral, run: OpenRun, limit: int, extra: list[Any]) -> list[Claim]:
    due = select(Unit.id).where(Unit.step == run.step, _is(UnitStatus.OPEN), *extra)
    if run.partition is not None:
        due = due.where(Unit.partition == run.partition)
    due = due.order_by(Unit.partition, Unit.id).limit(limit)
    with corral.read() as session:  # a look costs no write lock
        if session.execute(due.limit(1)).first() is None:
            return []
    with corral.write() as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            due = due.with_for_update(skip_locked=True)
        now = database_now(connection)
        taken = connection.execute(
            update(Unit)
            .where(Unit.id.in_(due.scalar_subquery()))
            .values(
                status=UnitStatus.CLAIMED,
                fence=Unit.fence + 1,
                step_run_id=run.id,
                claimed_at=now,
                lease_until=now + timedelta(seconds=corral.settings.lease_s),
            )
            .returning(
                Unit.id, Unit.key, Unit.partition, Unit.fingerprint, Unit.row_ids, Unit.fence
            )
        ).all()
    return sorted((Claim(*row) for row in taken), key=lambda claim: claim.unit_id)


def count(corral: Corral, run: OpenRun, status: UnitStatus) -> int:
    """Count the units of the trigger's step and partition that have `status`."""
    query = select(func.count()).select_from(Unit).where(Unit.step == run.step, _is(status))
    if run.partition is not None:
        query = query.where(Unit.partition == run.partition)
    with corral.read() as session:
        return session.scalar(query) or 0


def release_dead_holders(corral: Corral, run: OpenRun) -> int:
    """Give back what holders that are gone still hold; see `release_dead`."""
    with corral.write() as session:
        return release_dead(session, run)


def reopen_failed(corral: Corral, run: OpenRun, *, every_class: bool) -> int:
    """Open failed units again: the retryable ones, or, when a person asks, all.

    Returns
    -------
    int
        How many.
    """
    failed = [Unit.step == run.step, _is(UnitStatus.FAILED)]
    if run.partition is not None:
        failed.append(Unit.partition == run.partition)
    if not every_class:
        failed.append(Unit.failure_class == "retry")
    with corral.read() as session:
        ids = list(session.scalars(select(Unit.id).where(*failed)))
    if not ids:
        return 0
    with corral.write() as session:
        session.execute(
            update(Unit)
            .where(Unit.id.in_(ids), _is(UnitStatus.FAILED))
            .values(status=UnitStatus.OPEN, failure_class=None, lost=0)
        )
    return len(ids)


class LeaseKeeper:
    """Renews the leases of a trigger while it works, in a thread of its own.

    Parameters
    ----------
    corral, run
        The installation and the trigger.
    """

    def __init__(self, corral: Corral, run: OpenRun) -> None:
        self._corral = corral
        self._run = run
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="corral-lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _keep(self) -> None:
        lease_s = self._corral.settings.lease_s
        while not self._stop.wait(lease_s / 3):
            try:
                renew(self._corral, self._run)
            except SQLAlchemyError:
                # The lease lasts for two more tries; if they fail too, the fence decides.
                continue


def renew(corral: Corral, run: OpenRun) -> None:
    """Let every unit that the trigger holds be held for a full lease from now."""
    with corral.write() as session:
        until = database_now(session.connection()) + timedelta(seconds=corral.settings.lease_s)
        held = [Unit.step == run.step, _is(UnitStatus.CLAIMED), Unit.step_run_id == run.id]
        session.execute(update(Unit).where(*held).values(lease_until=until))
