"""What can go wrong, and what follows from it.

CorralError
├── Retryable                 trying again later may succeed
│   ├── StorageTrouble        disk full, I/O error, stale handle
│   └── UnitsFailed           some units failed, at least one of them retryable
└── Permanent                 trying again changes nothing until something else does
    ├── BadData               the input is wrong
    ├── ConfigurationError    the installation is wrong
    ├── UpstreamMissing       what this is made from is not there (yet)
    ├── StepContractError     the step's code does what a step may not
    └── PermanentlyFailed     some units failed, none of them retryable
"""

from __future__ import annotations

import errno
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, OperationalError

if TYPE_CHECKING:
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


_PERMISSION = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


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
        permission = error.errno in _PERMISSION
        return FailureClass.CONFIGURATION if permission else FailureClass.RETRY
    if isinstance(error, MemoryError) or is_database_trouble(error):
        return FailureClass.RETRY
    return FailureClass.BUG


# SQLSTATE classes: connection, transaction rollback, resources, operator intervention.
_TRANSIENT_SQLSTATES = ("08", "40", "53", "57")


def is_database_trouble(error: BaseException) -> bool:
    """Tell whether `error` is the database's state of the moment, not what it was asked."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_TRANSIENT_SQLSTATES)
    return isinstance(error, OperationalError)
