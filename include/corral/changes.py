"""How a step hears of changed rows: the database itself notes them, in the same transaction.

A trigger on the table writes one `Due` row per changed row and subscribed step. So nothing that
writes to the table, by whatever means, can forget to tell, and what there is to look at is small
and indexed however long the history is. An event from outside only says "look now".
"""

from __future__ import annotations

from typing import TypeAlias

from sqlalchemy import Connection, Table, delete, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite

from models.work import Subscription

# (table, kind), kind "" for every kind
Wanted: TypeAlias = tuple[str, str]

_SQLITE = """
CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {table} BEGIN
  INSERT INTO due (step, source, row_id)
  SELECT step, '{source}', {row}.id FROM subscription
  WHERE source = '{source}' AND kind IN ('', {kind});
END
"""
_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO due (step, source, row_id)
  SELECT s.step, '{source}', changed.id FROM subscription s, changed
  WHERE s.source = '{source}' AND s.kind IN ('', {kind});
  RETURN NULL;
END $$
"""
_POSTGRESQL = """
CREATE OR REPLACE TRIGGER {name} AFTER {event} ON {table}
REFERENCING {row} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {function}()
"""
_EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}
_LOCK = 0x636F7272616D


def subscribe(
    connection: Connection, step: str, tables: dict[str, Table], wanted: set[Wanted]
) -> None:
    """Make the database note changes for `step` from now on; a no-op when it already does.

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
    if has == wanted:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    for source in {source for source, _ in wanted}:
        create_triggers(connection, tables[source])
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert
    for source, kind in wanted - has:
        row = {"step": step, "source": source, "kind": kind}
        connection.execute(insert(Subscription).values(row).on_conflict_do_nothing())
    for source, kind in has - wanted:
        connection.execute(
            delete(Subscription).where(
                Subscription.step == step,
                Subscription.source == source,
                Subscription.kind == kind,
            )
        )


def create_triggers(connection: Connection, table: Table) -> None:
    """Create the triggers of `table`, where they are not there yet."""
    if not inspect(connection).has_table(table.name):
        table.create(connection)
    quoted = connection.dialect.identifier_preparer.format_table(table)
    for event, row in _EVENTS.items():
        kind = f"{row}.kind" if "kind" in table.c else "''"
        names = {
            "name": f"corral_{table.name}_{event.lower()}",
            "event": event,
            "table": quoted,
            "source": table.name,
            "row": row,
        }
        if connection.dialect.name == "sqlite":
            connection.execute(text(_SQLITE.format(kind=kind, **names)))
            continue
        function = f"corral_{table.name}_{event.lower()}_due"
        changed = "changed.kind" if "kind" in table.c else "''"
        body = _POSTGRESQL_FUNCTION.format(name=function, source=table.name, kind=changed)
        connection.execute(text(body))
        connection.execute(text(_POSTGRESQL.format(function=function, **names)))
