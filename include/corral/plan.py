"""Planning: from rows that satisfy a step's conditions to units that want doing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    exists,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from include.corral.associate import Associator
from include.corral.changes import gone, of_kind, subscribe
from include.corral.corral import Corral
from include.corral.fingerprint import associations, fingerprint
from include.corral.grouping import groups_of
from include.corral.marks import mark, mark_signature, widen_marks
from include.corral.step import Step
from include.corral.wants import Want, lock_planning, write_members, write_wants
from models.base import canonical_json
from models.product import Product
from models.statements import among
from models.work import Due, Planned

# Rows looked at in one transaction. Where each brings its group with it, more are known of than
# are looked at: what is noted of the other members is then done with, too.
ROWS = 4000
ROWS_OF_GROUPS = 10_000
KNOWN_OF_GROUPS = 100_000


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
        self._model: Any = step.model
        self._rows_at_once = ROWS_OF_GROUPS if step.group_by else ROWS
        self._known_at_once = KNOWN_OF_GROUPS if step.group_by else ROWS

    def prepare(self) -> None:
        """Subscribe, and note every row of the partitions that must be looked at anew."""
        tables = {self.source: self._model.__table__, "product": Product.__table__}
        wanted = {(self.source, "")} | {("product", use.kind) for use in self.step.uses}
        signature = mark_signature(self.step)
        with self.corral.write() as session:
            lock_planning(session, self.step.name)
            subscribe(session.connection(), self.step.name, tables, wanted)
            self._forget_marks_near_new_products(session)
            for key in self._unmarked(session, signature):
                self._note_all_rows(session, key)
                mark(session, self.step.name, key, signature)

    def plan(self) -> bool:
        """Turn some of what is noted into units; True while there may be more."""
        if not self._is_anything_noted():
            return False
        with self.corral.write() as session:
            lock_planning(session, self.step.name)
            noted = self._read_noted(session)
            ids = set(islice(noted.values(), self._rows_at_once))
            wants, touched = self._look(session, ids)
            ids |= {row_id for want in wants for row_id in want.row_ids}
            _delete_noted(session, [due for due, row_id in noted.items() if row_id in ids])
            left = touched - {want.key for want in wants}
            self.void += write_wants(session, self.step.name, wants, left)
            if self.step.group_by:
                write_members(session, self.step.name, wants)
        return True

    def _noted(self) -> list[ColumnElement[bool]]:
        """Conditions on Due: rows to be looked at, and rows that are no more."""
        mine: ColumnElement[bool] = true()
        if self.partition is not None:
            # From the partition's rows to what is noted of them: other partitions may have much.
            rows = select(self._model.id).where(self._model.in_partition(self.partition))
            mine = Due.row_id.in_(rows)
        of_step = Due.step == self.step.name
        return [
            and_(of_step, Due.source == self.source, mine),
            and_(of_step, Due.source == gone(self.source)),
        ]

    def _is_anything_noted(self) -> bool:
        # Reading first keeps SQLite's write lock free while there is nothing to do.
        with self.corral.read() as session:
            queries = (select(Due.id).where(noted).limit(1) for noted in self._noted())
            return any(session.execute(query).first() is not None for query in queries)

    def _read_noted(self, session: Session) -> dict[int, int]:
        """Give what is noted, Due to row: read before the rows are, so that no change is lost."""
        found: dict[int, int] = {}
        for noted in self._noted():
            query = select(Due.id, Due.row_id).where(noted).limit(self._known_at_once - len(found))
            found |= {row.id: row.row_id for row in session.execute(query)}
        return found

    def _forget_marks_near_new_products(self, session: Session) -> None:
        """Let partitions in which a new or withdrawn product may be chosen be looked at anew."""
        if not self.step.uses:
            return
        sources = [of_kind("product", use.kind) for use in self.step.uses]
        query = select(Due.id).where(Due.step == self.step.name, Due.source.in_(sources))
        heard = session.scalars(query).all()
        if not heard:
            return
        product_is_near = exists().where(
            among(Due.id, heard),
            Product.id == Due.row_id,
            Product.observed_at.between(Planned.uses_from, Planned.uses_until),
        )
        session.execute(
            delete(Planned)
            .where(Planned.step == self.step.name, product_is_near)
            .execution_options(synchronize_session=False)
        )
        _delete_noted(session, heard)

    def _unmarked(self, session: Session, signature: str) -> list[str]:
        """Partitions without a mark of the present signature; the empty one stands for all."""
        if not self.step.is_partitioned():
            known = {""}
        elif self.partition is not None:
            known = {self.partition}
        else:
            known = self._model.partitions(session)
        marks = select(Planned.partition).where(
            Planned.step == self.step.name, Planned.signature == signature
        )
        if len(known) == 1:
            marks = marks.where(Planned.partition.in_(known))
        return sorted(known - set(session.scalars(marks)))

    def _note_all_rows(self, session: Session, key: str) -> None:
        rows = select(literal(self.step.name), literal(self.source), self._model.id)
        if key:
            rows = rows.where(self._model.in_partition(key))
        session.execute(insert(Due).from_select(["step", "source", "row_id"], rows))

    def _look(self, session: Session, ids: set[int]) -> tuple[list[Want], set[str]]:
        """Give the units that the rows `ids` are in now, and the keys of all they were in."""
        query = self._rows()
        if self.step.group_by:
            groups, touched = groups_of(session, self.step, query, ids)
        else:
            rows = session.scalars(query.where(among(self._model.id, ids)))
            groups, touched = {str(row.id): [row] for row in rows}, {str(row_id) for row_id in ids}
        return list(self._wants(session, groups)), touched

    def _rows(self) -> Select[Any]:
        query = select(self._model).where(*self.step.queue())
        return query.order_by(*self.step.ordering, self._model.id)

    def _wants(self, session: Session, groups: dict[str, list[Any]]) -> Iterator[Want]:
        heads = [rows[0] for rows in groups.values()]
        associator = Associator(session, heads if self.step.uses else [])
        for key, rows in groups.items():
            partition = rows[0].partition_key if self.step.is_partitioned() else ""
            wanted = _wanted(self.step, rows, associator)
            yield Want(key, partition, [row.id for row in rows], wanted)
        if self.step.uses:
            widen_marks(session, self.step, heads, associator.reach_days)


def _delete_noted(session: Session, ids: Sequence[int]) -> None:
    noted = delete(Due).where(among(Due.id, ids))
    session.execute(noted.execution_options(synchronize_session=False))


def _wanted(step: Step, rows: Sequence[Any], associator: Associator) -> str:
    """Fingerprint of the unit's result; of the error, where the step cannot even say what it wants.

    The unit is then opened, meets the same error when it is worked on, and fails with it alone.
    """
    try:
        return fingerprint(step, rows, associations(step, rows, associator))
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 - one bad row must not stop the planning of all
        text = canonical_json([step.signature, [row.id for row in rows], repr(error)])
        return hashlib.sha256(text.encode()).hexdigest()
