"""Units as they are wanted, brought into agreement with units as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import bindparam, delete, func, insert, inspect, select, update
from sqlalchemy.orm import Session

from models.base import Base
from models.product import Derived
from models.statements import among, insert_rows
from models.work import Unit, UnitRow, UnitStatus

T = TypeVar("T")

_LOCK = 0x636F7272


class Want(NamedTuple):
    """A unit as it should be: what it is made from and the fingerprint of its result."""

    key: str
    partition: str
    row_ids: list[int]
    fingerprint: str


def lock_planning(session: Session, step: str) -> None:
    """Let nobody else plan `step` until the transaction ends; others go on working.

    Two planners that have read the input at different moments would otherwise overwrite each
    other's wants, the older one last. On SQLite whoever writes is alone.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK, func.hashtext(step))))


def write_wants(
    session: Session, step: str, wants: Sequence[Want], gone: Collection[str] = ()
) -> int:
    """Open the units whose wanted fingerprint is not the one they have, withdraw those `gone`.

    Parameters
    ----------
    session
        A writing session that has the planning lock of `step`.
    step
        Name of the step or loader.
    wants
        Units as they should be.
    gone
        Keys of units that should no longer be.

    Returns
    -------
    int
        How many were withdrawn.
    """
    units = _lock(session, step, [*(want.key for want in wants), *gone])
    fresh: list[Want] = []
    changed: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    for want in wants:
        row = units.get(want.key)
        if row is None:
            fresh.append(want)
        elif row.fingerprint != want.fingerprint or row.status == UnitStatus.VOID:
            changed.append({"unit": row.id, **_values(step, want)})
        elif row.row_ids != want.row_ids or row.partition != want.partition:
            moved.append({"unit": row.id, "row_ids": want.row_ids, "partition": want.partition})
    if fresh:
        insert_rows(session, Unit, [_values(step, want) for want in fresh])
    # The fence goes up: whoever is working on the older input cannot commit it.
    _update(session, changed, fence=Unit.fence + 1, failure_class=None)
    _update(session, moved)
    stand = [units[key] for key in gone if key in units]
    return _withdraw(session, [row.id for row in stand if row.status != UnitStatus.VOID])


def _lock(session: Session, step: str, keys: Iterable[str]) -> dict[str, Any]:
    """Give the units with these keys, locked, always in one order: nobody waits in a circle."""
    query = select(
        Unit.id, Unit.key, Unit.status, Unit.fingerprint, Unit.partition, Unit.row_ids
    ).order_by(Unit.id)
    if session.get_bind().dialect.name == "postgresql":
        query = query.with_for_update()
    rows = session.execute(query.where(Unit.step == step, among(Unit.key, set(keys))))
    return {row.key: row for row in rows}


def _values(step: str, want: Want) -> dict[str, Any]:
    return {
        "step": step,
        "key": want.key,
        "partition": want.partition,
        "row_ids": want.row_ids,
        "fingerprint": want.fingerprint,
        "status": UnitStatus.OPEN,
        "lost": 0,
    }


def _update(session: Session, rows: list[dict[str, Any]], **others: Any) -> None:
    if rows:
        table: Any = Unit.__table__
        statement = update(table).where(table.c.id == bindparam("unit")).values(others)
        session.connection().execute(statement, rows)


def write_members(session: Session, step: str, wants: Sequence[Want]) -> None:
    """Remember which rows are in which unit of many, so that a row that goes is missed."""
    wanted = {want.key: set(want.row_ids) for want in wants}
    units = select(Unit.id, Unit.key).where(Unit.step == step, among(Unit.key, wanted))
    keys = {row.id: row.key for row in session.execute(units)}
    has: dict[int, set[int]] = {unit_id: set() for unit_id in keys}
    members = select(UnitRow.unit_id, UnitRow.row_id).where(among(UnitRow.unit_id, keys))
    for row in session.execute(members):
        has[row.unit_id].add(row.row_id)
    for unit_id, row_ids in has.items():
        _write_rows(session, unit_id, row_ids, wanted[keys[unit_id]])


def _write_rows(session: Session, unit_id: int, has: set[int], wanted: set[int]) -> None:
    if old := has - wanted:
        session.execute(
            delete(UnitRow).where(UnitRow.unit_id == unit_id, among(UnitRow.row_id, old))
        )
    if new := wanted - has:
        session.execute(
            insert(UnitRow), [{"unit_id": unit_id, "row_id": row_id} for row_id in sorted(new)]
        )


def _withdraw(session: Session, ids: list[int]) -> int:
    """Make units void, and what they made no longer current."""
    if not ids:
        return 0
    void = {"status": UnitStatus.VOID, "fence": Unit.fence + 1, "failure_class": None}
    unevaluated = {"synchronize_session": False}
    session.execute(
        update(Unit).where(among(Unit.id, ids)).values(void), None, execution_options=unevaluated
    )
    session.execute(
        delete(UnitRow).where(among(UnitRow.unit_id, ids)), None, execution_options=unevaluated
    )
    for model in derived_models(session):
        mine = update(model).where(among(model.unit_id, ids), model.current)
        session.execute(mine.values(current=False), None, execution_options=unevaluated)
    return len(ids)


def derived_models(session: Session) -> list[Any]:
    """Give the mapped classes whose rows are superseded by newer results of their unit.

    Those of other pipelines, whose tables are not in this database, are left out.
    """
    tables = set(inspect(session.connection()).get_table_names())
    classes: list[Any] = [mapper.class_ for mapper in Base.registry.mappers]
    return [
        model for model in classes if issubclass(model, Derived) and model.__tablename__ in tables
    ]


def portions(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Give `values` in lists of no more than `size`."""
    iterator = iter(values)
    while some := list(islice(iterator, size)):
        yield some
