"""The migrated schema is the one the models describe, however often and by whomever it is made."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from models import schema
from models.schema import current_revision, ensure_schema, head_revision, upgrade
from models.session import DatabaseError, make_engine, masked

ROOT = Path(__file__).resolve().parents[2]
COMPARE = """
import sys
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
import models.observation
from models import Base
from models.session import make_engine
engine = make_engine(sys.argv[1])
with engine.connect() as connection:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    print(compare_metadata(context, Base.metadata))
engine.dispose()
"""


def ensure(url: str) -> None:
    """What every process does first."""
    engine = make_engine(url)
    ensure_schema(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request, tmp_path) -> str:
    """An empty database of each kind."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'corral.db'}"


def test_migrated_schema_is_that_of_the_models(url: str) -> None:
    """Alembic finds nothing to change."""
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    # In a process of its own: other tests' tables are not in its metadata.
    compared = subprocess.run(
        [sys.executable, "-c", COMPARE, url], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (compared.stdout.strip(), compared.stderr) == ("[]", "")


def test_upgrade_of_what_is_up_to_date_changes_nothing(url: str) -> None:
    """A second upgrade finds the first one's work, and the rows in it."""
    engine = make_engine(url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO ccd (name) VALUES ('cam')"))
    upgrade(engine)
    ensure_schema(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM ccd")) == 1
    assert current_revision(engine) == head_revision()
    engine.dispose()


def test_many_processes_may_create_the_schema_at_once(url: str) -> None:
    """One does the work, the others wait; none fails, none finds half of it."""
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=ensure, args=(url,)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    engine = make_engine(url)
    assert current_revision(engine) == head_revision()
    engine.dispose()


def test_upgrade_that_fails_leaves_nothing(url: str) -> None:
    """A table in the way stops the upgrade; the ones before it are not there either."""
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE quality_check (id INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        upgrade(engine)
    assert set(inspect(engine).get_table_names()) - {"quality_check"} == set()
    engine.dispose()


def test_database_of_another_revision_is_refused(url: str) -> None:
    """Older or newer: nothing is done to it, and it is said what to do."""
    engine = make_engine(url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'future'"))
    with pytest.raises(DatabaseError, match=r"revision future.*corral db upgrade"):
        ensure_schema(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(DatabaseError, match="revision None"):
        ensure_schema(engine)
    engine.dispose()


def test_password_is_in_no_message() -> None:
    """What is said about a database does not tell how to get in."""
    assert "canary" not in masked("postgresql://corral:canary@localhost/corral")


def test_migrations_that_cannot_be_read_are_said_so(monkeypatch, tmp_path) -> None:
    """Half an installation, or a disk that fails: no guess is made about the database."""
    (tmp_path / "versions").mkdir()
    monkeypatch.setattr(schema, "MIGRATIONS", tmp_path)
    with pytest.raises(DatabaseError, match="no migration can be read"):
        head_revision()
