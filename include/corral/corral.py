"""An installation of a pipeline: settings, database, store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from weakref import WeakSet

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from include.corral.settings import Settings
from include.corral.store import ProductStore
from models.schema import ensure_schema
from models.session import begin_lookup, begin_read, begin_write, database_now, make_engine

_ENGINES: WeakSet[Engine] = WeakSet()


def _let_idle_connections_go() -> None:
    """Close what a forked child must not inherit: SQLite's locks would be there only in name."""
    for engine in list(_ENGINES):
        engine.dispose()


os.register_at_fork(before=_let_idle_connections_go)


class Corral:
    """What steps, loaders and alerts run in. Cheap to make; connects on first use.

    Parameters
    ----------
    settings
        Of this installation; by default read from the environment.

    Examples
    --------
    >>> corral = Corral()                                        # doctest: +SKIP
    >>> drain(corral, MasterBias(), partition="2026-11-20")      # doctest: +SKIP
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.from_env()
        self._engine: Engine | None = None
        self._pid = os.getpid()

    @cached_property
    def store(self) -> ProductStore:
        """The products' files."""
        return ProductStore(self.settings.products)

    @property
    def engine(self) -> Engine:
        """The database, its schema in place. One engine per process: a fork makes a new one.

        Raises
        ------
        models.session.DatabaseError
            If the database cannot be used, or holds another revision of the schema.
        """
        if self._engine is None or self._pid != os.getpid():
            if self._engine is not None:
                # The connections belong to the parent, which goes on using them.
                self._engine.dispose(close=False)
            engine = make_engine(self.settings.database_url)
            try:
                ensure_schema(engine)
            except BaseException:
                engine.dispose()
                raise
            self._engine, self._pid = engine, os.getpid()
            _ENGINES.add(engine)
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Session for looking; its rows stay usable after it ends."""
        with Session(begin_read(self.engine), expire_on_commit=False) as session:
            yield session

    def lookup(self) -> Session:
        """Session that cannot write and keeps what it has read; the caller closes it."""
        return Session(begin_lookup(self.engine), expire_on_commit=False, autoflush=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Session whose transaction commits at the end, or leaves nothing.

        It holds SQLite's write lock from its beginning: keep it short.
        """
        with Session(begin_write(self.engine), expire_on_commit=False) as session, session.begin():
            yield session

    def now(self) -> datetime:
        """Tell the time by the database's clock, which all workers share."""
        with self.read() as session:
            return database_now(session.connection())

    def close(self) -> None:
        """Let the connections go."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def __repr__(self) -> str:
        return f"<Corral {self.settings.products}>"
