"""Who is told of what in the TORITOS pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from include.corral.alert import Alert
from include.toritos.known import QUARANTINE
from models import alert as rows
from models.frame import Rejection

if TYPE_CHECKING:
    from include.corral.run import Run

LISTED = 20


class QuarantinedFiles(Alert):
    """Files that are no frames are told of: once for each reason and night.

    Those of which not even the header can be read have no night; they are told of together.
    """

    model = Rejection
    conditions = (Rejection.verdict == QUARANTINE, Rejection.resolved_at.is_(None))
    group_by = (Rejection.night_id, Rejection.reason)
    ordering = (Rejection.path,)

    def subject(self, row: Sequence[Rejection]) -> str:
        """Say how many, and why."""
        return f"{_night(row[0])}: {len(row)} file(s) refused as {row[0].reason}"

    def body(self, row: Sequence[Rejection]) -> str:
        """Name them, and say what to do."""
        lines = [f"{each.path!r:.300}: {each.evidence:.300}" for each in row[:LISTED]]
        lines += [f"and {len(row) - LISTED} more"] if len(row) > LISTED else []
        return "\n".join(
            [
                "These files of the inbox cannot be frames. They stay where they are, and are",
                "looked at again when they change, or when the profile does. More of the same",
                "night and reason are not told of; `corral account` lists all.",
                "",
                *lines,
            ]
        )

    def dedup_key(self, row: Sequence[Rejection]) -> str:
        """One message for a reason and night."""
        return f"{self.name}:{_night(row[0])}:{row[0].reason}"

    def process(self, work: Sequence[Rejection], run: Run) -> Iterator[rows.Alert]:
        """Put the message of one group into the outbox, unless it was there before."""
        for message in super().process(work, run):
            night = work[0].night
            message.partition = night.partition_key if night else ""
            yield message


def _night(row: Rejection) -> str:
    return row.night.partition_key if row.night else "no night"
