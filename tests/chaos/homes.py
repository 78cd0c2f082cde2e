"""Installations that can be copied with all that is in them, as often as one is to be broken."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect, Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from include.corral.corral import Corral
from include.corral.settings import Settings


class Home:
    """An installation in a folder.

    A copy has a database of its own; the files of products, which nobody changes, are linked, and
    the inbox, which nobody writes to, is the same.
    """

    def __init__(self, place: Path, settings: Settings) -> None:
        self.place = place
        self.settings = settings

    @contextmanager
    def corral(self) -> Iterator[Corral]:
        """Work in it."""
        corral = Corral(self.settings)
        try:
            with suppress(SQLAlchemyError):  # who works in it is to meet what is wrong
                _share_statements(corral.engine)
            yield corral
        finally:
            corral.close()

    def copy(self) -> Home:
        """Make another one, which is as this one is."""
        place = self.place.with_name(uuid.uuid4().hex[:12])
        place.mkdir()
        products = place / "products"
        if self.settings.products.is_dir():
            shutil.copytree(self.settings.products, products, copy_function=os.link)
        url = make_url(self.settings.database_url)
        if url.get_backend_name() == "sqlite":
            for part in self.place.glob("corral.db*"):
                shutil.copy(part, place)
            address = f"sqlite:///{place / 'corral.db'}"
        else:
            address = copy_database(self.settings.database_url)
        return Home(place, replace(self.settings, products=products, database_url=address))

    def remove(self) -> None:
        """Leave nothing of it."""
        shutil.rmtree(self.place, ignore_errors=True)
        if make_url(self.settings.database_url).get_backend_name() != "sqlite":
            drop_database(self.settings.database_url)


# By kind of database: what SQLAlchemy has compiled, so that a thousand forks need not do it anew.
_DIALECTS: dict[str, Dialect] = {}
_COMPILED: dict[str, dict[Any, Any]] = {}


def _share_statements(engine: Engine) -> None:
    name = engine.dialect.name
    engine.dialect = _DIALECTS.setdefault(name, engine.dialect)
    engine.update_execution_options(compiled_cache=_COMPILED.setdefault(name, {}))


def copy_database(url: str) -> str:
    """Give the URL of a copy of a PostgreSQL database that nobody is connected to."""
    server, _, name = url.rpartition("/")
    fresh = f"corral_{uuid.uuid4().hex[:12]}"
    _command(server, f"CREATE DATABASE {fresh} TEMPLATE {name}")
    return f"{server}/{fresh}"


def drop_database(url: str) -> None:
    """Remove a PostgreSQL database, whoever is connected to it."""
    server, _, name = url.rpartition("/")
    _command(server, f"DROP DATABASE {name} WITH (FORCE)")


def _command(server: str, statement: str) -> None:
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))
