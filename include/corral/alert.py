"""Alerts: a condition is met, somebody is told, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import select

from include.corral.step import Step
from models import alert as rows

if TYPE_CHECKING:
    from include.corral.run import Run


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
        """Put the message for one row into the outbox, unless it is there."""
        key = self.dedup_key(work)
        told = run.session.scalar(select(rows.Alert.id).where(rows.Alert.dedup_key == key))
        if told is None:
            yield rows.Alert(
                dedup_key=key,
                rule=self.name,
                severity=self.severity,
                partition=getattr(work, "partition_key", ""),
                subject=one_line(self.subject(work)),
                body=self.body(work),
                channels=list(self.channels),
                created_at=datetime.now(UTC),
            )


def one_line(text: str, limit: int = 120) -> str:
    """Give `text` fit for a subject: one line, printable, short. Headers are not to be trusted."""
    return "".join(char if char.isprintable() else " " for char in text)[:limit].strip()
