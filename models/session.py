"""Engines: SQLite as it must be opened, PostgreSQL as it must be reached."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry

SQLITE_BUSY_TIMEOUT_S = 60
# Nothing is computed while something is being written: who stops in the middle has died or was
# stopped, and what it has locked is wanted by others.
STOPPED_AFTER_S = 30
# A server that is gone without a word (power, a cable, a firewall that forgets) is noticed: by
# default a client waits for hours, and holds what it has claimed.
GIVEN_UP_AFTER_A_MINUTE = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
NETWORK_FILESYSTEMS = frozenset(
    "nfs nfs4 cifs smb3 smbfs afs ceph glusterfs fuse.glusterfs fuse.sshfs 9p lustre gpfs beegfs"
    " ncpfs ocfs2 fuse.s3fs davfs fuse.davfs2".split()
)


_JSON = json.JSONEncoder(allow_nan=False)


class DatabaseError(Exception):
    """The database cannot be used as it is set up."""


def make_engine(url: str | URL) -> Engine:
    """Open the database of a pipeline.

    Connections are made on first use. On SQLite: write-ahead log, a full fsync per commit, foreign
    keys held, and writers that queue up instead of failing (``begin_write``).

    Parameters
    ----------
    url
        ``sqlite:////abs/path.db`` or ``postgresql://…`` (psycopg 3).

    Returns
    -------
    Engine

    Raises
    ------
    DatabaseError
        If the SQLite file is on a network filesystem, or the kind of database is another.
    """
    url = make_url(url)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _sqlite_engine(url)
    if backend == "postgresql":
        engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_size=2,
            json_serializer=_to_json,
            connect_args={
                "connect_timeout": 10,
                "options": "-c timezone=utc",
                **GIVEN_UP_AFTER_A_MINUTE,
            },
        )
        event.listen(engine, "begin", _postgresql_begin)
        return engine
    raise DatabaseError(f"database {backend!r} is not supported: use sqlite or postgresql")


def begin_write(engine: Engine) -> Engine:
    """Give the view of `engine` whose transactions take SQLite's write lock when they begin.

    A transaction that reads first and writes later can find the database changed under it and
    fail; one that has the lock from the start waits its turn. PostgreSQL ends them when nothing
    comes for half a minute, so that a stopped process does not keep others waiting.
    """
    return engine.execution_options(corral_begin="IMMEDIATE")


def begin_read(engine: Engine) -> Engine:
    """Give the view of `engine` for looking: on PostgreSQL no transaction is begun for it."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine.execution_options(corral_begin="READ")


def begin_lookup(engine: Engine) -> Engine:
    """Give the view of `engine` through which the database lets nobody write."""
    return engine.execution_options(corral_begin="READ", postgresql_readonly=True)


def database_now(connection: Connection) -> datetime:
    """Read the clock of the database, the one clock by which leases are given and judged.

    Parameters
    ----------
    connection
        Of either database.

    Returns
    -------
    datetime
        Aware UTC.
    """
    if connection.dialect.name == "sqlite":
        now = connection.scalar(text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')"))
        return datetime.fromisoformat(str(now)).replace(tzinfo=UTC)
    clock: datetime = connection.scalar(text("SELECT clock_timestamp()"))
    return clock.astimezone(UTC)


def _sqlite_engine(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        path = Path(url.database.removeprefix("file:")).resolve()  # SQLite's own way of naming it
        filesystem = filesystem_of(path)
        if filesystem in NETWORK_FILESYSTEMS:
            raise DatabaseError(
                f"SQLite database {path} is on a network filesystem ({filesystem}), where its "
                "locks do not hold and it can be destroyed. Put it on a local disk, or use "
                "PostgreSQL (CORRAL_DATABASE=postgresql://…)."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_S},
        json_serializer=_to_json,
        json_deserializer=msgspec.json.decode,
    )
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions of its own: `_sqlite_begin` does.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("corral_begin", "DEFERRED")
    # A connection of the pool keeps what the one before has set.
    connection.exec_driver_sql(f"PRAGMA query_only = {int(mode == 'READ')}")
    connection.exec_driver_sql(f"BEGIN {'DEFERRED' if mode == 'READ' else mode}")


def _postgresql_begin(connection: Connection) -> None:
    if connection.get_execution_options().get("corral_begin") == "IMMEDIATE":
        limit = f"SET LOCAL idle_in_transaction_session_timeout = {STOPPED_AFTER_S * 1000}"
        connection.exec_driver_sql(limit)


def _to_json(value: Any) -> str:
    """JSON as both databases take it; PostgreSQL has no NaN, and SQLite is not to differ."""
    if type(value) is list and {int}.issuperset(map(type, value)):
        return str(value)  # ids of rows, of which each unit has some, are JSON as they stand
    return _JSON.encode(value)


def filesystem_of(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str | None:
    """Name the type of the filesystem that holds `path`.

    Parameters
    ----------
    path
        Absolute; need not exist.
    mounts
        The kernel's table of mounts.

    Returns
    -------
    str or None
        ``"ext4"``, ``"nfs4"``, …; None where the system does not tell.
    """
    if not mounts.is_file():
        return None
    best: tuple[int, str | None] = (0, None)
    for line in mounts.read_text(errors="replace").splitlines():
        _device, raw_mount, kind, *_ = line.split()
        mount = raw_mount.replace(r"\040", " ")
        if path.is_relative_to(mount) and len(mount) >= best[0]:
            best = (len(mount), kind)
    return best[1]


def masked(url: str | URL) -> str:
    """Give `url` without its password, for logs and messages."""
    return make_url(url).render_as_string(hide_password=True)


def first_line(error: BaseException, limit: int = 300) -> str:
    """Give one printable line of `error`; database drivers add SQL, parameters and addresses."""
    cause: Any = getattr(error, "orig", None) or error
    try:
        text = str(cause).strip()
    except Exception as broken:  # noqa: BLE001 - an error that cannot speak is still an error
        text = f"(its message cannot be read: {type(broken).__name__})"
    line = text.splitlines()[0] if text else type(cause).__name__
    return "".join(char if char.isprintable() else "?" for char in line)[:limit]
