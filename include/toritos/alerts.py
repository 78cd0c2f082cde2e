"""Who is told of what in the TORITOS pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from include.corral.alert import Alert
from include.toritos.instrument import profile_name, profile_of
from include.toritos.known import QUARANTINE
from models import alert as rows
from models.frame import Rejection

if TYPE_CHECKING:
    from include.corral.run import Run

LISTED = 20


class QuarantinedFiles(Alert):
    """Files that are no frames are told of: once for each reason and night.

    Those of which not even the header tells a night count to the one in which they were refused.
    """

    model = Rejection
    conditions = (Rejection.verdict == QUARANTINE, Rejection.resolved_at.is_(None))
    group_by = (Rejection.night_id, Rejection.reason)
    ordering = (Rejection.path,)

    def subject(self, row: Sequence[Rejection]) -> str:
        """Say how many, and why."""
        return f"{self._night(row[0])}: {len(row)} file(s) refused as {row[0].reason}"

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
        return f"{self.name}:{self._night(row[0])}:{row[0].reason}"

    def process(self, work: Sequence[Rejection], run: Run) -> Iterator[rows.Alert]:
        """Put the message of each night into the outbox, unless it was there before."""
        for _, some in groupby(sorted(work, key=self._night), key=self._night):
            of_night = list(some)
            for message in super().process(of_night, run):
                night = of_night[0].night
                message.partition = night.partition_key if night else ""
                yield message

    def _night(self, row: Rejection) -> str:
        from include.ccd.night import night_of

        if row.night:
            return row.night.partition_key
        site = profile_of(profile_name(self.settings), self.settings).site
        return f"no night, refused in that of {night_of(row.rejected_at, site.longitude_deg)}"
