"""Every error is of the class that says what follows from it."""

from __future__ import annotations

import errno
import sqlite3

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from include.corral.errors import (
    BadData,
    ConfigurationError,
    FailureClass,
    Retryable,
    StorageTrouble,
    UpstreamMissing,
    classify,
    is_database_damaged,
    is_database_trouble,
    is_refused_write,
    outside_errors,
)
from models.session import DatabaseError


class Driver(Exception):
    """What a driver raises, with a state."""

    def __init__(self, state: str | None = None, code: int | None = None) -> None:
        super().__init__("driver's words")
        if state is not None:
            self.sqlstate = state
        if code is not None:
            self.sqlite_errorcode = code


def database_error(**state) -> OperationalError:
    return OperationalError("SELECT 1", {}, Driver(**state))


@pytest.mark.parametrize(
    ("error", "failure_class"),
    [
        (BadData("x"), FailureClass.BAD_DATA),
        (StorageTrouble("x"), FailureClass.RETRY),
        (ConfigurationError("x"), FailureClass.CONFIGURATION),
        (UpstreamMissing("x"), FailureClass.UPSTREAM_MISSING),
        (FileNotFoundError("x"), FailureClass.UPSTREAM_MISSING),
        (OSError(errno.ENOSPC, "full"), FailureClass.RETRY),
        (OSError(errno.EIO, "broken"), FailureClass.RETRY),
        (TimeoutError("x"), FailureClass.RETRY),
        (ConnectionResetError("x"), FailureClass.RETRY),
        (PermissionError(errno.EACCES, "no"), FailureClass.CONFIGURATION),
        (NotADirectoryError(errno.ENOTDIR, "no"), FailureClass.CONFIGURATION),
        (OSError(errno.EROFS, "no"), FailureClass.CONFIGURATION),
        (OSError(errno.EPERM, "no"), FailureClass.CONFIGURATION),
        (OSError(errno.EEXIST, "there"), FailureClass.CONFIGURATION),
        (OSError(errno.EISDIR, "no file"), FailureClass.CONFIGURATION),
        (OSError(errno.ELOOP, "links"), FailureClass.CONFIGURATION),
        (OSError(errno.ENAMETOOLONG, "long"), FailureClass.CONFIGURATION),
        (OSError(errno.EDQUOT, "quota"), FailureClass.RETRY),
        (OSError(errno.ESTALE, "stale"), FailureClass.RETRY),
        (OSError(errno.EMFILE, "many"), FailureClass.RETRY),
        (MemoryError(), FailureClass.RETRY),
        (database_error(state="40P01"), FailureClass.RETRY),
        (database_error(state="XX001"), FailureClass.RETRY),
        (database_error(code=sqlite3.SQLITE_NOTADB), FailureClass.RETRY),
        (ValueError("x"), FailureClass.BUG),
        (ZeroDivisionError(), FailureClass.BUG),
        (database_error(state="42P01"), FailureClass.BUG),
    ],
)
def test_error_has_its_class(error, failure_class) -> None:
    """What is unknown is a bug: a person should look."""
    assert classify(error) is failure_class


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ({"state": "08006"}, True),  # connection failure
        ({"state": "40001"}, True),  # serialization failure
        ({"state": "53100"}, True),  # disk full
        ({"state": "57P01"}, True),  # shutdown
        ({"state": "58030"}, True),  # I/O error
        ({"state": "25006"}, True),  # a standby
        ({"state": "25P03"}, True),  # idle too long
        ({"state": "25001"}, False),
        ({"state": "23505"}, False),  # unique violation
        ({"state": "22P02"}, False),
        ({"code": sqlite3.SQLITE_BUSY}, True),
        ({"code": sqlite3.SQLITE_IOERR_WRITE}, True),
        ({"code": sqlite3.SQLITE_FULL}, True),
        ({"code": sqlite3.SQLITE_READONLY_DBMOVED}, True),
        ({"code": sqlite3.SQLITE_ERROR}, False),
        ({"code": sqlite3.SQLITE_CONSTRAINT_UNIQUE}, False),
        ({}, True),  # no connection, so no state
    ],
)
def test_trouble_is_the_state_of_the_moment(state, trouble) -> None:
    """What passes, and not what was asked wrongly."""
    assert is_database_trouble(database_error(**state)) is trouble


def test_trouble_is_told_from_other_errors() -> None:
    """A pool without a free connection is; a missing table and an error of ours are not."""
    assert is_database_trouble(PoolTimeout("no connection"))
    assert not is_database_trouble(ValueError("x"))
    engine = create_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(OperationalError) as missing:
        connection.execute(text("SELECT * FROM nowhere"))
    assert not is_database_trouble(missing.value)
    engine.dispose()


def test_damage_is_told_from_trouble() -> None:
    """Files that hold what no database has written; SQLite says so in details, too."""
    assert is_database_damaged(database_error(state="XX001"))
    assert is_database_damaged(database_error(code=sqlite3.SQLITE_CORRUPT_INDEX))
    assert not is_database_trouble(database_error(code=sqlite3.SQLITE_CORRUPT))
    assert not is_database_damaged(database_error(code=sqlite3.SQLITE_IOERR))
    assert not is_database_damaged(database_error(state="57P01"))
    assert not is_database_damaged(OSError(errno.EIO, "x"))


def test_refused_write_is_recognised() -> None:
    """By either database's own word for it."""
    assert is_refused_write(database_error(state="25006"))
    assert is_refused_write(database_error(code=sqlite3.SQLITE_READONLY))
    assert not is_refused_write(database_error(code=sqlite3.SQLITE_BUSY))
    assert not is_refused_write(ValueError("x"))


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (database_error(state="57P01"), Retryable),
        (database_error(state="XX002"), ConfigurationError),
        (database_error(code=sqlite3.SQLITE_CORRUPT), ConfigurationError),
        (DatabaseError("on a network filesystem"), ConfigurationError),
        (ProgrammingError("x", {}, Driver(state="42601")), DBAPIError),
        (OSError(errno.EIO, "Input/output error"), StorageTrouble),
        (OSError(errno.EMFILE, "Too many open files"), StorageTrouble),
        (OSError(errno.ESTALE, "Stale file handle"), StorageTrouble),
        (OSError(errno.EACCES, "Permission denied"), ConfigurationError),
        (OSError(errno.ENOENT, "No such file or directory"), ConfigurationError),
        (KeyError("x"), KeyError),
        (BadData("x"), BadData),
    ],
)
def test_what_the_outside_says_becomes_what_follows_from_it(error, raised) -> None:
    """A task learns whether to come back."""
    with pytest.raises(raised), outside_errors("Weigh"):
        raise error
