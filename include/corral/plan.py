"""Planning: from rows that satisfy a step's conditions to units that want doing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, insert, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from include.corral.associate import Associator
from include.corral.changes import subscribe
from include.corral.corral import Corral
from include.corral.fingerprint import associations, fingerprint
from include.corral.step import Step
from models.base import Base
from models.product import Derived, Product
from models.site import Night
from models.work import Due, Planned, Unit, UnitStatus

CHUNK = 1000
KEY_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Want:
    """A unit as it should be: what it is made from and the fingerprint of its result."""

    key: str
    partition: str
    row_ids: list[int]
    fingerprint: str


class Planner:
    """Keeps the units of a step in agreement with its conditions.

    Only what changed is looked at: rows that the database noted as changed, and partitions whose
    mark is missing or of another signature (a new version, other parameters, another master).
    If the process dies inside, what was not yet looked at is still noted.

    Parameters
    ----------
    corral, step
        The installation and the step.
    partition
        Plan only this one; None plans everything.
    """

    def __init__(self, corral: Corral, step: Step, partition: str | None) -> None:
        self.corral = corral
        self.step = step
        self.partition = partition
        self.source = step.model.__tablename__
        self.void = 0
        self._partitioned = hasattr(step.model, "in_partition")

    def prepare(self) -> None:
        """Subscribe, and note every row of the partitions that must be looked at anew."""
        tables = {self.source: self.step.model.__table__, "product": Product.__table__}
        wanted = {(self.source, "")} | {("product", use.kind) for use in self.step.uses}
        with self.corral.write() as session:
            subscribe(session.connection(), self.step.name, tables, wanted)  # type: ignore[arg-type]
            self._forget_marks_near_new_products(session)
            for key in self._unmarked(session):
                self._note_all_rows(session, key)

    def plan(self) -> None:
        """Turn what is noted into units, a thousand rows at a time."""
        while self._nothing_noted() is False:
            with self.corral.write() as session:
                noted = self._take_noted(session)
                if not noted:  # another worker has them
                    return
                wants, gone = self._look(session, noted)
                write_wants(session, self.step.name, wants)
                self.void += _withdraw(session, self.step.name, gone)

    def _nothing_noted(self) -> bool:
        # Reading first keeps SQLite's write lock free while there is nothing to do.
        with self.corral.read() as session:
            query = self._noted_query(select(Due.id)).limit(1)
            return session.execute(query).first() is None

    def _noted_query(self, query: Any) -> Any:
        query = query.where(Due.step == self.step.name, Due.source == self.source)
        if self.partition is not None and self._partitioned:
            model: Any = self.step.model
            query = query.join(model, model.id == Due.row_id)
            query = query.where(model.in_partition(self.partition))
        return query

    def _take_noted(self, session: Session) -> set[int]:
        query = self._noted_query(select(Due.id, Due.row_id)).order_by(Due.id).limit(CHUNK)
        if session.get_bind().dialect.name == "postgresql":
            query = query.with_for_update(of=Due, skip_locked=True)
        rows = session.execute(query).all()
        session.execute(delete(Due).where(Due.id.in_([row.id for row in rows])))
        return {row.row_id for row in rows}

    def _forget_marks_near_new_products(self, session: Session) -> None:
        """Let partitions in which a new or withdrawn product may be chosen be looked at anew."""
        if not self.step.uses:
            return
        noted = and_(Due.step == self.step.name, Due.source == "product")
        if self.source == "product":
            noted = and_(
                noted, Due.row_id.in_(select(Product.id).where(Product.kind.in_(self._kinds())))
            )
        found = session.execute(
            select(Due.id, Product.observed_at).join(Product, Product.id == Due.row_id).where(noted)
        ).all()
        if not found:
            return
        days = max(use.max_age_days for use in self.step.uses) + 1
        times = [row.observed_at for row in found]
        first = (min(times) - timedelta(days=days)).date().isoformat()
        last = (max(times) + timedelta(days=days)).date().isoformat()
        near = Planned.partition.between(first, last)
        session.execute(delete(Planned).where(Planned.step == self.step.name, near))
        if self.source != "product":
            session.execute(delete(Due).where(Due.id.in_([row.id for row in found])))

    def _kinds(self) -> list[str]:
        return [use.kind for use in self.step.uses]

    def _unmarked(self, session: Session) -> list[str]:
        """Partitions without a mark of the step's present signature."""
        if not self._partitioned:
            known: Iterable[str] = [""]
        elif self.partition is not None:
            known = [self.partition]
        else:
            known = {day.isoformat() for day in session.scalars(select(Night.date).distinct())}
        marks = select(Planned.partition).where(
            Planned.step == self.step.name, Planned.signature == self.step.plan_signature
        )
        if self.partition is not None:
            marks = marks.where(Planned.partition == self.partition)
        return sorted(set(known) - set(session.scalars(marks)))

    def _note_all_rows(self, session: Session, key: str) -> None:
        model: Any = self.step.model
        rows = select(literal(self.step.name), literal(self.source), model.id)
        if key:
            rows = rows.where(model.in_partition(key))
        session.execute(insert(Due).from_select(["step", "source", "row_id"], rows))
        mark = {"step": self.step.name, "partition": key, "signature": self.step.plan_signature}
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        session.execute(
            dialect.insert(Planned)
            .values(mark)
            .on_conflict_do_update(
                index_elements=["step", "partition"], set_={"signature": self.step.plan_signature}
            )
        )

    def _look(self, session: Session, ids: set[int]) -> tuple[list[Want], set[str]]:
        """Give the units that the rows `ids` belong to, and the keys of those that are no more."""
        if self.step.group_by:
            groups, touched = self._groups(session, ids)
        else:
            rows = session.scalars(self._rows().where(self.step.model.id.in_(ids)))  # type: ignore[attr-defined]
            groups, touched = {str(row.id): [row] for row in rows}, {str(row_id) for row_id in ids}
        associator = Associator(
            session, [rows[0] for rows in groups.values()] if self.step.uses else []
        )
        wants = [
            Want(
                key=key,
                partition=getattr(rows[0], "partition_key", ""),
                row_ids=[row.id for row in rows],
                fingerprint=fingerprint(self.step, rows, associations(self.step, rows, associator)),
            )
            for key, rows in groups.items()
        ]
        return wants, touched - groups.keys()

    def _rows(self) -> Select[Any]:
        model: Any = self.step.model
        return select(model).where(*self.step.conditions).order_by(*self.step.ordering, model.id)

    def _groups(self, session: Session, ids: set[int]) -> tuple[dict[str, list[Any]], set[str]]:
        """All groups that the rows `ids` may have entered or left, with all their members."""
        model: Any = self.step.model
        touched = list(session.scalars(select(model).where(model.id.in_(ids))))
        if self._partitioned:
            partitions = sorted({row.partition_key for row in touched})
            within = or_(*(model.in_partition(key) for key in partitions))
            known = select(Unit.key).where(
                Unit.step == self.step.name,
                Unit.partition.in_(partitions),
                Unit.status != UnitStatus.VOID.value,
            )
            keys = set(session.scalars(known))
        else:
            values = {tuple(_values(self.step, row)): row for row in touched}
            within = or_(*(_same_group(self.step, row) for row in values.values()))
            keys = {_group_key(self.step, row) for row in touched}
        if not touched:
            return {}, keys
        members: dict[str, list[Any]] = {}
        for row in session.scalars(self._rows().where(within)):
            members.setdefault(_group_key(self.step, row), []).append(row)
        return members, keys


def _values(step: Step, row: Any) -> list[Any]:
    return [getattr(row, column.key) for column in step.group_by]


def _group_key(step: Step, row: Any) -> str:
    pairs = zip(step.group_by, _values(step, row), strict=True)
    key = ", ".join(f"{column.key}={value}" for column, value in pairs)
    if len(key) <= KEY_LENGTH:
        return key
    return f"{key[: KEY_LENGTH - 33]} {hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _same_group(step: Step, row: Any) -> Any:
    pairs = zip(step.group_by, _values(step, row), strict=True)
    return and_(*(column.is_not_distinct_from(value) for column, value in pairs))


def write_wants(session: Session, step: str, wants: Sequence[Want]) -> None:
    """Open the units whose wanted fingerprint is not the one they have."""
    query = select(Unit.id, Unit.key, Unit.status, Unit.fingerprint).where(
        Unit.step == step, Unit.key.in_([want.key for want in wants])
    )
    if session.get_bind().dialect.name == "postgresql":
        query = query.with_for_update()
    has = {row.key: row for row in session.execute(query)}
    fresh, changed = [], []
    for want in wants:
        row = has.get(want.key)
        if row is None:
            fresh.append(_unit(step, want))
        elif row.fingerprint != want.fingerprint or row.status == UnitStatus.VOID:
            # The fence goes up: whoever is working on the older input cannot commit it.
            changed.append({**_unit(step, want), "id": row.id})
    if fresh:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        session.connection().execute(dialect.insert(Unit).on_conflict_do_nothing(), fresh)
    for values in changed:
        unit_id = values.pop("id")
        session.execute(
            update(Unit)
            .where(Unit.id == unit_id)
            .values(**values, fence=Unit.fence + 1, lease_until=None, failure_class=None)
        )


def _unit(step: str, want: Want) -> dict[str, Any]:
    return {
        "step": step,
        "key": want.key,
        "partition": want.partition,
        "row_ids": want.row_ids,
        "fingerprint": want.fingerprint,
        "status": UnitStatus.OPEN,
        "lost": 0,
    }


def _withdraw(session: Session, step: str, keys: set[str]) -> int:
    """Make units void, and what they made no longer current."""
    if not keys:
        return 0
    query = select(Unit.id).where(
        Unit.step == step, Unit.key.in_(keys), Unit.status != UnitStatus.VOID.value
    )
    ids = list(session.scalars(query))
    if ids:
        void = {"status": UnitStatus.VOID, "fence": Unit.fence + 1, "lease_until": None}
        session.execute(update(Unit).where(Unit.id.in_(ids)).values(void))
        for model in derived_models():
            session.execute(
                update(model)
                .where(model.unit_id.in_(ids), model.current)
                .values(current=False)
                .execution_options(synchronize_session=False)
            )
    return len(ids)


def derived_models() -> list[Any]:
    """Give all mapped classes whose rows are superseded by newer results of their unit."""
    return [mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Derived)]
