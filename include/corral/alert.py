"""Alerts: a condition is met, somebody is told, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, ClassVar, Literal

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
    message
        What is said: the first line is the subject; what all lines are indented by is left out.
        ``{row.…}`` stands for what the row holds; that is text, whatever it looks like.
    channels
        Who is told: names of channels of the installation.
    severity
        ``info``, ``warning`` or ``critical``.
    rearm
        When more is said of the same row: ``once`` never; ``change`` when the message is another;
        a time, when the row calls for it again after so long.
    """

    message: ClassVar[str] = ""
    channels: ClassVar[Sequence[str]] = ("email",)
    severity: ClassVar[str] = "warning"
    rearm: ClassVar[Literal["once", "change"] | timedelta] = "once"

    def subject(self, row: Any) -> str:
        """One line for `row`."""
        first, _, _ = cleandoc(self.message).partition("\n")
        return first.format(row=row) if first else f"{self.name}: {row!r}"

    def body(self, row: Any) -> str:
        """What happened, and what to do."""
        _, _, rest = cleandoc(self.message).partition("\n")
        return rest.strip().format(row=row) or self.__doc__ or self.subject(row)

    def dedup_key(self, row: Any) -> str:
        """Rows with equal keys are about the same."""
        return f"{self.name}:{row.id}"

    def context(self, row: Any) -> Mapping[str, Any]:
        """Give what machines are told beside the text, in JSON types.

        With ``SkyEvent(…).as_context()`` the message can go out as a VOEvent; ``report`` names a
        file in the folder of reports that e-mail may attach.
        """
        return {}

    def process(self, work: Any, run: Run) -> Iterator[rows.Alert]:
        """Put the message for one row into the outbox; one that is there is left as it is."""
        subject, body, topic = self.subject(work), self.body(work), self.dedup_key(work)
        yield rows.Alert(
            dedup_key=f"{topic} {_digest(subject, body)}" if self.rearm == "change" else topic,
            topic=topic,
            cool_down_s=self.rearm.total_seconds() if isinstance(self.rearm, timedelta) else None,
            rule=self.name,
            severity=self.severity,
            partition=getattr(work, "partition_key", ""),
            subject=subject,
            body=body,
            context=dict(self.context(work)),
            channels=list(self.channels),
        )


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
