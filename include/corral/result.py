"""What came of one attempt at a unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from include.corral.claims import Claim
from include.corral.errors import FailureClass, NotYet
from models.base import Base
from models.session import first_line


@dataclass(slots=True)
class Tally:
    """What was written: rows by table, and the partitions in which something may be to do."""

    outputs: Counter[str] = field(default_factory=Counter)
    partitions: set[str] = field(default_factory=set)

    def add(self, rows: Iterable[Any]) -> Self:
        """Count rows; what is none does not count."""
        for row in rows:
            if not isinstance(row, Base):
                continue
            self.count(row.__tablename__, 1)
            if (key := getattr(row, "partition_key", None)) is not None:
                self.partitions.add(key)
        return self

    def count(self, table: str, number: int) -> None:
        """Count rows of a table."""
        if number:
            self.outputs[table] += number

    def merge(self, other: Tally) -> None:
        """Take over what another one has."""
        self.outputs.update(other.outputs)
        self.partitions |= other.partitions


@dataclass(slots=True)
class Result:
    """What came of one attempt, before it is committed.

    Attributes
    ----------
    claim
        The unit, and the fence with which it may be committed.
    fingerprint
        Of what was really used.
    rows
        To be written: rows, or findings of a loader that writes them itself.
    tally
        Of the first of those that were committed together: what that has written.
    retry_at
        When a failed unit is to be tried again by itself.
    """

    claim: Claim
    seconds: float
    fingerprint: str
    rows: list[Any] = field(default_factory=list)
    tally: Tally | None = None
    associations: list[Any] | None = None
    failure_class: FailureClass | None = None
    message: str | None = None
    retry_at: datetime | None = None
    error: BaseException | None = None

    def fail(self, error: BaseException, failure_class: FailureClass) -> None:
        """Make it a failure: nothing of it will be seen."""
        self.rows = []
        self.error = error
        self.failure_class = failure_class
        self.retry_at = error.until if isinstance(error, NotYet) else None
        self.message = f"{type(error).__name__}: {first_line(error, 2000)}"
