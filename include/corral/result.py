"""What came of one attempt at a unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.corral.claims import Claim
from include.corral.errors import FailureClass
from models.base import Base
from models.session import first_line


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
        To be written; after the commit, those that were.
    """

    claim: Claim
    seconds: float
    fingerprint: str
    rows: list[Base] = field(default_factory=list)
    associations: list[Any] | None = None
    failure_class: FailureClass | None = None
    message: str | None = None
    error: BaseException | None = None

    def fail(self, error: BaseException, failure_class: FailureClass) -> None:
        """Make it a failure: nothing of it will be seen."""
        self.rows = []
        self.error = error
        self.failure_class = failure_class
        self.message = f"{type(error).__name__}: {first_line(error, 2000)}"
