"""Killed at every statement while the schema is made: the next process makes all of it."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from models.base import Base
from models.schema import current_revision, ensure_schema, head_revision, upgrade
from models.session import make_engine
from tests.chaos.child import Child
from tests.chaos.moments import Moments
from tests.databases import empty_database

pytestmark = pytest.mark.chaos


def make_schema(url: str) -> None:
    """Upgrade an empty database."""
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()


def tables(url: str) -> dict[str, list[str]]:
    """Give the columns of each table."""
    engine = create_engine(url)
    found = inspect(engine)
    columns = {
        table: sorted(column["name"] for column in found.get_columns(table))
        for table in found.get_table_names()
    }
    engine.dispose()
    return columns


def killed_at(url: str, at: int) -> bool:
    """Kill a process at one of the statements of its upgrade; False when there are not so many."""

    def work() -> None:
        Moments(Path("/nowhere"), at=at).watch()
        make_schema(url)

    return Child(work).end() != 0


def mend(url: str) -> tuple[float, list[str]]:
    """Do as the next process does; give how long it took, and what is wrong then."""
    began = time.monotonic()
    engine = make_engine(url)
    ensure_schema(engine)
    revision = current_revision(engine)
    engine.dispose()
    seconds = time.monotonic() - began
    there = tables(url)
    # Other tests of the same process may have tables of their own.
    ours = {
        m.local_table for m in Base.registry.mappers if m.class_.__module__.startswith("models")
    }
    wrong = sorted(str(table) for table in ours if str(table) not in there)
    return seconds, wrong + ([] if revision == head_revision() else [f"revision {revision}"])


def test_upgrade_killed_at_every_statement(ledger, tmp_path) -> None:
    """On SQLite, where all of it is one transaction."""
    longest, wrong = 0.0, list[str]()
    for at in count(1):
        url = f"sqlite:///{tmp_path / f'{at}.db'}"
        if not killed_at(url, at):
            break
        seconds, found = mend(url)
        longest, wrong = max(longest, seconds), wrong + found
    ledger.add("F20 upgrade of the schema killed", at - 1, len(wrong), longest)
    assert wrong == []
    assert at > 20


@pytest.mark.postgres
def test_upgrade_killed_at_every_statement_of_postgresql(ledger, postgres_server) -> None:
    """As on SQLite."""
    longest, wrong = 0.0, list[str]()
    for at in count(1):
        with empty_database(postgres_server) as url:
            if not killed_at(url, at):
                break
            seconds, found = mend(url)
        longest, wrong = max(longest, seconds), wrong + found
    ledger.add("F20 upgrade of the schema killed", at - 1, len(wrong), longest)
    assert wrong == []
    assert at > 20
