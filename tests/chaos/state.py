"""What an installation knows, said without the numbers that differ from run to run."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, exists, inspect, or_, select
from sqlalchemy.orm import Session

from include.corral.corral import Corral
from include.corral.lost import RULE
from include.toritos.pipeline import TORITOS
from models import Alert, Base, Unit, UnitRun
from models.base import canonical_json
from models.work import UnitStatus

# Of triggers and attempts: a process that died has left more of these.
LEDGER = frozenset("step_run unit unit_run unit_row planned due subscription observation".split())
# They hold ids, or the moment.
NOT_COMPARED = {"alert": {"dedup_key", "context", "body"}}
KEPT_TIMES = frozenset({"observed_at"})


def state(corral: Corral) -> Counter[str]:
    """Give every row of every table by its content, and every unit with how it stands.

    Ids are left out; what a row refers to stands in their place. Times of bookkeeping count as
    there or not there. Messages about dead processes are left out.
    """
    with corral.read() as session:
        contents = Contents(session)
        found: Counter[str] = Counter()
        there = set(inspect(session.connection()).get_table_names())
        for table in Base.metadata.sorted_tables:
            if table.name in there - LEDGER:
                found.update(contents.of(table).values())
        return found + _units(session)


def differences(wanted: Counter[str], found: Counter[str]) -> list[str]:
    """Say what is missing and what is there beyond."""
    missing, beyond = wanted - found, found - wanted
    return [f"missing: {n} × {it}" for it, n in missing.items()] + [
        f"not expected: {n} × {it}" for it, n in beyond.items()
    ]


def sweeps() -> frozenset[str]:
    """Names of what does its work anew at each trigger."""
    return frozenset(kind.name for kind in (*TORITOS.sweeps, *TORITOS.deep_sweeps))


def _units(session: Session) -> Counter[str]:
    """Units by step, state and fingerprint, and how often each result was made.

    What alerts look at (a refusal, and when it was) differs from run to run. A unit that was
    withdrawn and never done is history alone: a folder, for one, that could not be listed once.
    """
    alerts = frozenset(kind.name for kind in TORITOS.alerts)
    found: Counter[str] = Counter()
    was_done = exists().where(UnitRun.unit_id == Unit.id, UnitRun.outcome == "done")
    stands = or_(Unit.status != UnitStatus.VOID, was_done)
    columns = (Unit.step, Unit.status, Unit.fingerprint)
    for step, status, fingerprint in session.execute(select(*columns).where(stands)):
        differs = step in sweeps() | alerts
        found[f"unit of {step} {status} {'' if differs else fingerprint}"] += 1
    query = select(Unit.step, UnitRun.fingerprint).join(Unit, UnitRun.unit_id == Unit.id)
    for step, fingerprint in session.execute(query.where(UnitRun.outcome == "done")):
        if step not in sweeps():
            found[f"done by {step}: {'' if step in alerts else fingerprint}"] += 1
    return found


class Contents:
    """Contents of the rows of a database, by table and id; what they refer to is in them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, dict[Any, str]] = {}

    def of(self, table: Table) -> dict[Any, str]:
        """Give the content of each row of a table."""
        if table.name not in self._known:
            self._known[table.name] = {}  # a table that refers to itself: at most one level
            query = select(table)
            if table is Alert.__table__:
                query = query.where(table.c.rule != RULE)
            rows = self._session.execute(query.order_by(*table.primary_key)).all()
            contents = {row[0]: self._content(table, row) for row in rows}
            self._known[table.name] = {
                key: f"{table.name} {content}" for key, content in contents.items() if content
            }
        return self._known[table.name]

    def _content(self, table: Table, row: Row[Any]) -> str | None:
        """Give the content of a row; None where it belongs to one that is left out."""
        left_out = NOT_COMPARED.get(table.name, set()) | {"id"}
        content = {}
        for column in table.columns:
            value = getattr(row, column.key)
            if column.key in left_out:
                continue
            if column.foreign_keys and value is not None:
                value = self._referred(column, value)
                if value is None:
                    return None
            elif isinstance(value, datetime) and column.key not in KEPT_TIMES:
                value = "some time"
            content[column.key] = value
        return canonical_json(content)

    def _referred(self, column: Any, value: Any) -> str | None:
        (key,) = column.foreign_keys
        if key.column.table.name in LEDGER:
            return "in the ledger"
        if key.column.table is column.table:
            return "another"
        content = self.of(key.column.table).get(value)
        return content and hashlib.sha256(content.encode()).hexdigest()[:12]
