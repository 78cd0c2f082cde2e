"""Parts of SQL that each database writes in its own way."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ARRAY, Boolean, Connection, Dialect, Text, bindparam
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
    connection = bind.connection() if isinstance(bind, Session) else bind
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(model)
