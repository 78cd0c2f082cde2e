"""Alerts: a condition is met, somebody is told, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from include.corral.outbox import one_line
from include.corral.step import Step
from models import alert as rows

if TYPE_CHECKING:
    from include.corral.run import Run

__all__ = ["Alert", "one_line"]


class Alert(Step):
    """A rule: for every row of `model` that satisfies `conditions`, a message in the outbox.

    It is drained as a step is. The message is written with the record that the row was seen, so
    that a row is told of once, and never forgotten.

    Attributes
    ----------
    channels
        Who is told: names of channels that the outbox knows.
    severity
        ``info``, ``warning`` or ``critical``.
    """

    channels: ClassVar[Sequence[str]] = ("email",)
    severity: ClassVar[str] = "warning"

    def subject(self, row: Any) -> str:
        """One line for `row`."""
        return f"{self.name}: {row!r}"

    def body(self, row: Any) -> str:
        """What happened, and what to do."""
        return self.__doc__ or self.subject(row)

    def dedup_key(self, row: Any) -> str:
        """Rows with equal keys are told of once."""
        return f"{self.name}:{row.id}"

    def process(self, work: Any, run: Run) -> Iterator[rows.Alert]:
        """Put the message for one row into the outbox; one that is there is left as it is."""
        yield rows.Alert(
            dedup_key=self.dedup_key(work),
            rule=self.name,
            severity=self.severity,
            partition=getattr(work, "partition_key", ""),
            subject=self.subject(work),
            body=self.body(work),
            channels=list(self.channels),
        )
