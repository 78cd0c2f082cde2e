"""Claiming: any number of workers on any number of machines share the open units."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from include.corral.corral import Corral
from include.corral.errors import FailureClass
from include.corral.ledger import OpenRun, release_dead, set_units, show_life
from models.session import database_now
from models.statements import among
from models.work import Unit, UnitStatus


class Claim(NamedTuple):
    """A unit that this worker holds, and the fence with which it may commit it."""

    unit_id: int
    key: str
    partition: str
    fingerprint: str
    row_ids: list[int]
    fence: int


def claim(
    corral: Corral, run: OpenRun, limit: int, *, keys: Sequence[str] | None = None
) -> list[Claim]:
    """Take up to `limit` open units in one short transaction; nobody else gets them.

    A unit that may have taken a process down with it is taken alone, after all others.

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
    is_open = _of(run, UnitStatus.OPEN)
    if keys:
        is_open.append(among(Unit.key, keys))
    with corral.read() as session:  # a look costs no write lock
        if session.execute(select(Unit.id).where(*is_open).limit(1)).first() is None:
            return []
    by_place = (Unit.partition, Unit.id)
    with corral.write() as session:
        now = database_now(session.connection())
        units = select(Unit.id).where(*is_open)
        well = units.where(Unit.lost == 0).order_by(*by_place).limit(limit)
        taken = _take(session, run, well, now)
        if not taken:
            taken = _take(session, run, units.order_by(Unit.lost, *by_place).limit(1), now)
        show_life(session, run, corral.settings.lease_s, now)
    return sorted(taken, key=lambda claim: claim.unit_id)


def _of(run: OpenRun, status: UnitStatus) -> list[Any]:
    """Conditions for the units of the trigger's step and partition that have `status`."""
    here = [] if run.partition is None else [Unit.partition == run.partition]
    return [Unit.step == run.step, Unit.is_(status), *here]


def _take(session: Session, run: OpenRun, query: Select[Any], now: datetime) -> list[Claim]:
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    # A common table expression is evaluated once; a subquery might lock more than `limit`.
    due = query.cte("due")
    rows = connection.execute(
        update(Unit)
        .where(Unit.id.in_(select(due.c.id)))
        .values(
            status=UnitStatus.CLAIMED,
            fence=Unit.fence + 1,
            step_run_id=run.id,
            claimed_at=now,
        )
        .returning(Unit.id, Unit.key, Unit.partition, Unit.fingerprint, Unit.row_ids, Unit.fence)
    )
    return [Claim._make(row) for row in rows.all()]


def release(corral: Corral, run: OpenRun, claims: Sequence[Claim]) -> None:
    """Give units back that were claimed and not begun."""
    ids = [claim.unit_id for claim in claims]
    mine = [among(Unit.id, ids), Unit.step_run_id == run.id, Unit.is_(UnitStatus.CLAIMED)]
    with corral.write() as session:
        set_units(session, mine, status=UnitStatus.OPEN)


def count(corral: Corral, run: OpenRun, status: UnitStatus) -> int:
    """Count the units of the trigger's step and partition that have `status`."""
    query = select(func.count()).select_from(Unit).where(*_of(run, status))
    with corral.read() as session:
        return session.scalar(query) or 0


def release_dead_holders(corral: Corral, run: OpenRun) -> int:
    """Give back what holders that are gone still hold; see `release_dead`."""
    with corral.write() as session:
        return release_dead(session, run)


def reopen_failed(corral: Corral, run: OpenRun, *, every_class: bool) -> int:
    """Open failed units again: the retryable ones, those whose moment has come, or all.

    Returns
    -------
    int
        How many.
    """
    failed = _of(run, UnitStatus.FAILED)
    if not every_class:
        its_moment = Unit.retry_at <= corral.now()
        failed.append(or_(Unit.failure_class == FailureClass.RETRY, its_moment))
    with corral.read() as session:
        if session.execute(select(Unit.id).where(*failed).limit(1)).first() is None:
            return 0
    with corral.write() as session:
        return set_units(session, failed, status=UnitStatus.OPEN, failure_class=None, lost=0)


class LeaseKeeper:
    """Renews the lease of a trigger while it works, in a thread of its own.

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
                with self._corral.write() as session:
                    now = database_now(session.connection())
                    show_life(session, self._run, lease_s, now)
            except SQLAlchemyError:
                # The lease lasts for two more tries; if they fail too, the fence decides.
                continue
