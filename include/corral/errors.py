"""What can go wrong, and what follows from it.

CorralError
├── Retryable                 trying again later may succeed
│   ├── StorageTrouble        disk full, I/O error, stale handle
│   └── UnitsFailed           some units failed, at least one of them retryable
└── Permanent                 trying again changes nothing until something else does
    ├── BadData               the input is wrong
    ├── ConfigurationError    the installation is wrong
    ├── UpstreamMissing       what this is made from is not there (yet)
    │   └── NotYet            and is waited for until a given moment
    ├── StepContractError     the step's code does what a step may not
    └── PermanentlyFailed     some units failed, none of them retryable
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from models.session import DatabaseError, first_line

if TYPE_CHECKING:
    from datetime import datetime

    from include.corral.report import Report


class FailureClass(StrEnum):
    """What a failed attempt calls for."""

    RETRY = "retry"
    """Try again, by itself, later: the fault is outside."""
    BAD_DATA = "bad_data"
    """The input must change, or be vetoed."""
    CONFIGURATION = "configuration"
    """A person must mend the installation, a profile or a parameter."""
    BUG = "bug"
    """A person must mend the code."""
    UPSTREAM_MISSING = "upstream_missing"
    """Something this is made from must come first."""


class CorralError(Exception):
    """Base of all errors of the kernel."""

    failure_class = FailureClass.BUG


class Retryable(CorralError):
    """Trying again later may succeed."""

    failure_class = FailureClass.RETRY


class Permanent(CorralError):
    """Trying again changes nothing until the input, the code or the installation does."""


class StorageTrouble(Retryable):
    """The store could not be written or read; nothing half-written can be seen."""


class BadData(Permanent):
    """The input of a unit cannot be worked on."""

    failure_class = FailureClass.BAD_DATA


class ConfigurationError(Permanent):
    """A setting, a parameter or a profile is wrong."""

    failure_class = FailureClass.CONFIGURATION


class UpstreamMissing(Permanent):
    """What a unit is made from does not exist yet."""

    failure_class = FailureClass.UPSTREAM_MISSING


class NotYet(UpstreamMissing):
    """What a unit is made from may still come; it is tried again by itself at a given moment.

    Parameters
    ----------
    message
        What is waited for.
    until
        When the unit is to be tried again, whatever has come.
    """

    def __init__(self, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class StepContractError(Permanent):
    """A step did what no step may: changed its input, yielded something that is no row."""


class UnitsFailed(Retryable):
    """Units failed and at least one may succeed when tried again; the good ones are committed."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.failure_message())
        self.report = report


class PermanentlyFailed(Permanent):
    """Units failed and none will succeed by itself; the good ones are committed."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.failure_message())
        self.report = report


# A person must mend these: no time heals a path that leads through a file, or is too long.
_CONFIGURATION = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EEXIST,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)


def classify(error: BaseException) -> FailureClass:
    """Class of failure that `error` stands for.

    Parameters
    ----------
    error
        Whatever came out of a step.

    Returns
    -------
    FailureClass
        ``BUG`` for anything unknown: a person should look.
    """
    if isinstance(error, CorralError):
        return error.failure_class
    if isinstance(error, FileNotFoundError):
        return FailureClass.UPSTREAM_MISSING
    if isinstance(error, OSError):
        mendable = error.errno in _CONFIGURATION
        return FailureClass.CONFIGURATION if mendable else FailureClass.RETRY
    # No unit is to blame for its database; SQLite calls it damaged when the disk fails once.
    if is_database_trouble(error) or is_database_damaged(error):
        return FailureClass.RETRY
    return FailureClass.RETRY if isinstance(error, MemoryError) else FailureClass.BUG


# SQLSTATE classes: connection, transaction rollback, resources, operator intervention, I/O;
# a lock not to be had, a server that only reads (a standby), a transaction left idle.
_TRANSIENT_SQLSTATES = ("08", "40", "53", "57", "58", "55P03", "25006", "25P03")
# SQLite has one class of error for all; the rest of it means that what was asked is wrong.
_TRANSIENT_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# Data or index corrupted.
_DAMAGED_SQLSTATES = frozenset({"XX001", "XX002"})
_DAMAGED_SQLITE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_database_trouble(error: BaseException) -> bool:
    """Tell whether `error` is the database's state of the moment, not what it was asked."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_TRANSIENT_SQLSTATES)
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _TRANSIENT_SQLITE  # above are details of the same
    return isinstance(error, OperationalError)


def is_database_damaged(error: BaseException) -> bool:
    """Tell whether the database's files hold what no database has written."""
    orig = getattr(error, "orig", None)
    code = getattr(orig, "sqlite_errorcode", None) or 0
    return getattr(orig, "sqlstate", None) in _DAMAGED_SQLSTATES or code & 0xFF in _DAMAGED_SQLITE


def is_refused_write(error: BaseException) -> bool:
    """Tell whether somebody tried to write through a session that is for reading."""
    orig = getattr(error, "orig", None)
    code = getattr(orig, "sqlite_errorcode", None) or 0
    return getattr(orig, "sqlstate", None) == "25006" or code & 0xFF == sqlite3.SQLITE_READONLY


@contextmanager
def outside_errors(doing: str) -> Iterator[None]:
    """Turn what the database and the disks say into what follows from it.

    Raises
    ------
    Retryable
        If the database is out of reach, full or busy; StorageTrouble if a disk fails.
    ConfigurationError
        If they cannot be used as they are set up, or the database is damaged.
    """
    try:
        yield
    except OSError as error:
        lasting = classify(error) is not FailureClass.RETRY
        kind = ConfigurationError if lasting else StorageTrouble
        raise kind(
            f"{doing}: {error}. What was committed stands; the rest is still open."
        ) from error
    except DatabaseError as error:
        raise ConfigurationError(str(error)) from error
    except SQLAlchemyError as error:
        if is_database_damaged(error):
            raise ConfigurationError(
                f"{doing}: the database is damaged ({first_line(error)}). Nothing was done; bring "
                "it back from a backup. What was done since that was made is done again."
            ) from error
        if not is_database_trouble(error):
            raise
        raise Retryable(
            f"{doing}: the database is in trouble ({first_line(error)}). What was committed "
            "stands; the rest is done at the next trigger."
        ) from error
