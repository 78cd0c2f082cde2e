"""Databases are opened as they must be, or refused with a reason."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from include.corral.corral import Corral
from include.corral.errors import is_database_trouble
from models import session as module
from models.session import (
    DatabaseError,
    begin_lookup,
    begin_read,
    begin_write,
    database_now,
    filesystem_of,
    first_line,
    make_engine,
    masked,
)

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /data nfs4 rw 0 0
/dev/sdb1 /data/scratch xfs rw 0 0
//nas/share /mnt/with\\040space cifs rw 0 0
tmpfs /database tmpfs rw 0 0
"""


@pytest.mark.postgres
def test_server_that_is_gone_without_a_word_is_noticed(postgres_url: str) -> None:
    """A worker does not hold its units for the hours that a system waits by default."""
    engine = make_engine(postgres_url)
    with engine.connect() as connection:
        info = connection.connection.driver_connection.info.get_parameters()
    engine.dispose()
    assert info["tcp_user_timeout"] == "60000"
    assert (int(info["keepalives_idle"]), int(info["keepalives_interval"])) == (30, 10)


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """A table of mounts with a network filesystem."""
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/x.db", "ext4"),
        ("/data/x.db", "nfs4"),
        ("/data/scratch/x.db", "xfs"),
        ("/mnt/with space/x.db", "cifs"),
        ("/database/x.db", "tmpfs"),
    ],
)
def test_filesystem_is_that_of_the_deepest_mount(mounts, path, kind) -> None:
    """A mount named /data does not hold /database."""
    assert filesystem_of(Path(path), mounts) == kind
    assert filesystem_of(Path(path), Path("/nowhere/mounts")) is None


def test_sqlite_on_a_network_filesystem_is_refused(mounts, monkeypatch, tmp_path) -> None:
    """Its locks do not hold there; the message says what to do. No link or URI hides it."""
    monkeypatch.setattr(module, "filesystem_of", lambda path: filesystem_of(path, mounts))
    (tmp_path / "link").symlink_to("/data")
    named = "file:/data/corral.db?mode=rw&uri=true"
    for place in ("/data/corral.db", tmp_path / "link" / "corral.db", named):
        with pytest.raises(DatabaseError, match=r"network filesystem \(nfs4\).*PostgreSQL"):
            make_engine(f"sqlite:///{place}")
    make_engine(f"sqlite:///{tmp_path / 'corral.db'}").dispose()


def test_other_databases_are_refused() -> None:
    """It is said which there are."""
    with pytest.raises(DatabaseError, match="'mysql' is not supported: use sqlite or postgresql"):
        make_engine("mysql://root@localhost/corral")


def test_sqlite_is_opened_safely(tmp_path) -> None:
    """Write-ahead log, full sync, foreign keys: on every connection."""
    engine = make_engine(f"sqlite:///{tmp_path / 'corral.db'}")
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            settings = [
                connection.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
            assert settings == ["wal", 2, 1]
    engine.dispose()


def test_nothing_can_be_written_through_a_reading_session(corral: Corral) -> None:
    """The database itself refuses, on a connection that could write before and after."""
    for _ in range(2):
        with corral.write() as session:
            session.execute(text("INSERT INTO planned VALUES ('s', '', 'x', NULL, NULL)"))
            session.execute(text("DELETE FROM planned"))
        with begin_lookup(corral.engine).connect() as connection, pytest.raises(DBAPIError):
            connection.execute(text("INSERT INTO planned VALUES ('s', '', 'x', NULL, NULL)"))
    with corral.read() as session:
        assert session.scalar(text("SELECT count(*) FROM planned")) == 0


def test_writers_wait_for_each_other_and_do_not_fail(tmp_path) -> None:
    """Two transactions that read first and write later: on SQLite the second waits."""
    url = f"sqlite:///{tmp_path / 'corral.db'}"
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    with begin_write(engine).begin() as connection:
        other = sqlite3.connect(tmp_path / "corral.db", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        connection.execute(text("INSERT INTO t VALUES (1)"))
    other.execute("BEGIN IMMEDIATE")
    other.close()
    engine.dispose()


@pytest.mark.postgres
def test_stopped_writer_is_ended_by_the_database(postgres_url, monkeypatch) -> None:
    """What it had locked is free; a reader may take its time."""
    monkeypatch.setattr(module, "STOPPED_AFTER_S", 0.2)
    engine = make_engine(postgres_url)
    with begin_read(engine).connect() as reader:
        reader.execute(text("SELECT 1"))
        writer = begin_write(engine).connect()
        writer.execute(text("CREATE TABLE t (n INTEGER)"))
        time.sleep(0.6)
        with pytest.raises(DBAPIError, match="idle-in-transaction") as ended:
            writer.execute(text("SELECT 1"))
        assert is_database_trouble(ended.value)
        writer.close()
        assert reader.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_clock_of_the_database_goes_on_within_a_transaction(corral: Corral) -> None:
    """A lease is counted from now, not from when the transaction began."""
    with corral.write() as session:
        before = database_now(session.connection())
        time.sleep(0.02)
        after = database_now(session.connection())
    assert after > before
    assert after.utcoffset().total_seconds() == 0


def test_errors_are_told_in_one_line_without_secrets() -> None:
    """Of a database error the driver's own words, and never the password."""
    error = OperationalError("SELECT secret", {"p": "canary"}, Exception("first\nsecond"))
    assert first_line(error) == "first"
    assert first_line(ValueError()) == "ValueError"
    assert first_line(ValueError("x" * 500), 10) == "x" * 10
    assert first_line(ValueError("a\0b\udcff")) == "a?b?"
    assert "canary" not in masked("postgresql://corral:canary@localhost/corral")
