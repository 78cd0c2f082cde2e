"""How a step hears of changed rows: the database itself notes them, in the same transaction.

A trigger on the table writes one `Due` row per changed row and subscribed step. So nothing that
writes to the table, by whatever means, can forget to tell, and what there is to look at is small
and indexed however long the history is. An event from outside only says "look now".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import Connection, bindparam, delete, exists, inspect, select, text

from models.statements import upsert
from models.work import Due, Planned, Subscription

# (table, kind), kind "" for every kind
Wanted: TypeAlias = tuple[str, str]

# What is noted under which source: see `models.work.Due`. A deleted row has no partition any more.
_SQLITE = """
CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {table} BEGIN
  INSERT INTO due (step, source, row_id)
  SELECT s.step, CASE s.kind WHEN '' THEN '{gone}{source}' ELSE '{source}=' || s.kind END, {row}.id
  FROM subscription s
  WHERE s.source = '{source}' AND s.kind IN ('', {row_kind});
END
"""
_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO due (step, source, row_id)
  SELECT s.step, CASE s.kind WHEN '' THEN '{gone}{source}' ELSE '{source}=' || s.kind END, c.id
  FROM subscription s, changed c
  WHERE s.source = '{source}' AND s.kind IN ('', {changed_kind});
  RETURN NULL;
END $$
"""
_POSTGRESQL = """
CREATE OR REPLACE TRIGGER {name} AFTER {event} ON {table}
REFERENCING {row} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {name}()
"""
_EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}
_LOCK = 0x636F7272616D


def gone(table: str) -> str:
    """Source under which deleted rows of `table` are noted."""
    return f"-{table}"


def of_kind(table: str, kind: str) -> str:
    """Source under which rows of one kind are noted for those who listen to that kind only."""
    return f"{table}={kind}"


def subscribe(
    connection: Connection, step: str, tables: Mapping[str, Any], wanted: set[Wanted]
) -> None:
    """Make the database note changes for `step` from now on.

    Where it has not done so until now, the step's marks are taken away: it looks at everything.

    Parameters
    ----------
    connection
        In a writing transaction, whose role owns the tables.
    step
        Name of the step.
    tables
        By name, those of `wanted`.
    wanted
        Pairs of table and kind of row.
    """
    rows = connection.execute(
        select(Subscription.source, Subscription.kind).where(Subscription.step == step)
    )
    has = {(row.source, row.kind) for row in rows}
    sources = sorted({source for source, _ in wanted})
    mute = [source for source in sources if _is_mute(connection, source)]
    if has == wanted and not mute:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    for source in sources:
        create_triggers(connection, tables[source])
    _write_subscriptions(connection, step, has, wanted)
    heard_nothing = exists().where(Subscription.step == Planned.step, Subscription.source.in_(mute))
    connection.execute(delete(Planned).where((Planned.step == step) | heard_nothing))


def unsubscribe(connection: Connection, step: str) -> None:
    """Forget a step that is no longer part of the pipeline: nothing is noted for it any more."""
    for model in (Subscription, Due, Planned):
        connection.execute(delete(model).where(model.step == step))


def _write_subscriptions(
    connection: Connection, step: str, has: set[Wanted], wanted: set[Wanted]
) -> None:
    for source, kind in sorted(wanted - has):
        row = {"step": step, "source": source, "kind": kind}
        connection.execute(upsert(connection, Subscription).values(row).on_conflict_do_nothing())
    for source, kind in has - wanted:
        connection.execute(
            delete(Subscription).where(
                Subscription.step == step,
                Subscription.source == source,
                Subscription.kind == kind,
            )
        )


def _is_mute(connection: Connection, table: str) -> bool:
    """Tell whether a trigger is missing: a table that was made anew has lost them."""
    names = [_trigger_name(table, event) for event in _EVENTS]
    if connection.dialect.name == "sqlite":
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN :names"
    else:
        query = (
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND tgname IN"
            " :names AND tgenabled <> 'D'"
        )
    statement = text(query).bindparams(bindparam("names", expanding=True))
    quoted = connection.dialect.identifier_preparer.quote(table)
    parameters = {"names": names} | ({"table": quoted} if ":table" in query else {})
    return bool(connection.scalar(statement, parameters) != len(names))


def _trigger_name(table: str, event: str) -> str:
    plain = re.sub(r"[^a-z0-9_]", "_", table.lower())[:40]
    if plain != table:
        plain += f"_{hashlib.sha256(table.encode()).hexdigest()[:8]}"
    return f"corral_{plain}_{event.lower()}"


def create_triggers(connection: Connection, table: Any) -> None:
    """Create the triggers of `table`, where they are not there yet, and the table where it is not.

    On PostgreSQL this waits for everyone who is writing to the table: what they have written is
    seen by whoever looks in the same transaction, what comes later is noted.
    """
    if not inspect(connection).has_table(table.name):
        table.create(connection)
    quoted = connection.dialect.identifier_preparer.format_table(table)
    has_kind = "kind" in table.c
    for event, row in _EVENTS.items():
        names = {
            "name": _trigger_name(table.name, event),
            "event": event,
            "table": quoted,
            "source": table.name,
            "gone": gone("") if event == "DELETE" else "",
            "row": row,
            "row_kind": f"{row}.kind" if has_kind else "''",
            "changed_kind": "c.kind" if has_kind else "''",
        }
        if connection.dialect.name == "sqlite":
            connection.execute(text(_SQLITE.format(**names)))
            continue
        connection.execute(text(_POSTGRESQL_FUNCTION.format(**names)))
        connection.execute(text(_POSTGRESQL.format(**names)))
