"""Databases for tests: made once, given out clean."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from models.schema import current_revision, head_revision, upgrade
from models.session import make_engine


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """Give the URL of a new PostgreSQL database, which is dropped in the end."""
    name = f"corral_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield server.rpartition("/")[0] + f"/{name}"
    finally:
        with engine.connect() as connection:
            # A test may have removed it with the installation that used it.
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


class CleanDatabase:
    """A PostgreSQL database with the schema, emptied before each use: faster than a new one.

    Parameters
    ----------
    url
        Of an empty database.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = make_engine(url)
        upgrade(self._engine)
        self._tables = set(inspect(self._engine).get_table_names())

    def clean(self) -> str:
        """Make it as it was, whatever a test has done to it, and give its URL."""
        with self._engine.begin() as connection:
            self._end_others(connection)
            self._drop_what_is_new(connection)
        if current_revision(self._engine) != head_revision():
            with self._engine.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
            upgrade(self._engine)
        return self.url

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    def _end_others(self, connection: Connection) -> None:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    def _drop_what_is_new(self, connection: Connection) -> None:
        tables = set(inspect(connection).get_table_names())
        functions = "SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'corral_%'"
        drops = [f"DROP FUNCTION {name} CASCADE" for name in connection.scalars(text(functions))]
        drops += [f'DROP TABLE "{name}" CASCADE' for name in tables - self._tables]
        emptied = ", ".join(sorted(self._tables - {"alembic_version"}))
        for statement in (*drops, f"TRUNCATE {emptied} RESTART IDENTITY CASCADE"):
            connection.execute(text(statement))
