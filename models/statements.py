"""Parts of SQL that each database writes in its own way."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Boolean, Connection, Dialect, Text, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from models.base import Base


class _List(TypeDecorator[Collection[Any]]):
    """Values of a column's type as one parameter: an array, or JSON where there are none."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Give the type of the parameter."""
        whole: TypeEngine[Any] = ARRAY(self.item) if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(whole)

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        """Give the parameter."""
        if value is None or dialect.name == "postgresql":
            return value
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        return json.dumps([process(item) for item in value] if process else value)


class among(FunctionElement[bool]):  # noqa: N801 - it is written as a function is
    """Condition that a column has one of `values`: any number of them, as one parameter.

    ``IN`` has a parameter for each, which makes statements long, slow to write, and limited.

    Parameters
    ----------
    column
        Of integers or text.
    values
        That it may have.
    """

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: Any, values: Iterable[Any]) -> None:
        given = bindparam(None, list(values), type_=_List(column.type), unique=True)
        super().__init__(column, given)

    def self_group(self, against: Any = None) -> Any:
        """Stand in AND and OR as a comparison does: SQLite would add ``= 1``, and use no index."""
        return self


@compiles(among, "sqlite")
def _among_json(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - compiled clauses


@compiles(among, "postgresql")
def _among_array(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({values})"


def upsert(bind: Connection | Session, model: type[Base]) -> Any:
    """Give an INSERT into the table of `model` that can say what it does on a conflict.

    Parameters
    ----------
    bind
        To the database; the statement is of its dialect.
    model
        Whose table.
    """
    dialect = postgresql if _connection(bind).dialect.name == "postgresql" else sqlite
    return dialect.insert(model)


def insert_rows(
    bind: Connection | Session, model: type[Base], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows of plain values: what ``execute(insert(model), rows)`` does, in less time.

    That makes a dictionary of parameters for each row, and looks at each value of it; here a whole
    column is looked at at once. It is for what is written for every unit and every source.

    Parameters
    ----------
    bind
        To the database, in a transaction.
    model
        Whose table.
    rows
        Column to value; all of the same columns. Others have their default, where that is a plain
        value, or NULL.
    """
    connection = _connection(bind)
    columns: Any = model.__table__.c
    constants = {c.key: c.default.arg for c in columns if getattr(c.default, "is_scalar", False)}
    names = [*rows[0], *(name for name in constants if name not in rows[0])]
    statement = insert(model).compile(dialect=connection.dialect, column_keys=names)
    names = statement.positiontup or names
    by_column = [_values(columns[n], n, rows, constants, connection.dialect) for n in names]
    parameters: list[Any] = list(zip(*by_column, strict=True))
    if not statement.positional:
        parameters = [dict(zip(names, row, strict=True)) for row in parameters]
    connection.exec_driver_sql(str(statement), parameters)


def free_ids(bind: Connection | Session, model: type[Base], number: int) -> Sequence[int]:
    """Give ids that new rows may have, for who must know them before or in bulk.

    SQLite would give the same ones, but says which only when rows are inserted one by one; there,
    whoever writes is alone, and may give them.

    Parameters
    ----------
    bind
        To the database, in a transaction that writes.
    model
        Whose table; its primary key is one integer, ``id``.
    number
        How many.
    """
    connection = _connection(bind)
    if connection.dialect.name == "postgresql":
        # PostgreSQL reads this text as a name in SQL.
        table = connection.dialect.identifier_preparer.format_table(model.__table__)
        next_id = func.nextval(func.pg_get_serial_sequence(table, "id"))
        each = func.generate_series(1, number)
        return connection.scalars(select(next_id).select_from(each)).all()
    last = connection.scalar(select(func.max(model.__table__.c.id))) or 0
    return range(last + 1, last + 1 + number)


def _connection(bind: Connection | Session) -> Connection:
    return bind.connection() if isinstance(bind, Session) else bind


def _values(
    column: Any,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    constants: Mapping[str, Any],
    dialect: Dialect,
) -> list[Any]:
    """Give what the driver takes of one column."""
    given = [row[name] for row in rows] if name in rows[0] else [constants[name]] * len(rows)
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    return list(map(process, given)) if process else given
