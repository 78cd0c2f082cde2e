"""What is handed to a channel: one alert, or several as a digest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from include.corral.outbox import SEVERITIES, one_line
from models.alert import Alert

# A thin link carries it in some seconds.
LONGEST_TEXT = 60_000
CUT = "… (cut: `corral alerts` shows all)"


@dataclass(frozen=True)
class Message:
    """Alerts that go out together, the most urgent first.

    The text is made of nothing but the alerts: the same alerts are the same message, whenever and
    by whomever it is sent.

    Attributes
    ----------
    alerts
        One, or those of a digest.
    """

    alerts: Sequence[Alert]

    @cached_property
    def message_id(self) -> str:
        """The same for every attempt at the same alerts."""
        if len(self.alerts) == 1:
            return self.alerts[0].message_id
        text = " ".join(sorted(alert.message_id for alert in self.alerts))
        return f"<digest-{hashlib.sha256(text.encode()).hexdigest()[:32]}@corral>"

    @property
    def reference(self) -> str:
        """Eight digits of the `message_id`, for people."""
        return self.message_id.partition("@")[0][-8:]

    @property
    def severity(self) -> str:
        """That of the most urgent."""
        return min((alert.severity for alert in self.alerts), key=SEVERITIES.index)

    @cached_property
    def subject(self) -> str:
        """One printable line."""
        if len(self.alerts) == 1:
            return self.alerts[0].subject
        counts = Counter(alert.severity for alert in self.alerts)
        kinds = ", ".join(f"{counts[name]} {name}" for name in SEVERITIES if counts[name])
        return one_line(f"[corral] {len(self.alerts)} alerts: {kinds}")

    @cached_property
    def text(self) -> str:
        """Plain text, short enough for a thin link."""
        whole = self.alerts[0].body if len(self.alerts) == 1 else "\n".join(self._digest())
        if len(whole) <= LONGEST_TEXT:
            return whole
        return f"{whole[: LONGEST_TEXT - len(CUT) - 1]}\n{CUT}"

    def _digest(self) -> Iterator[str]:
        yield "By rule:"
        for (severity, rule), number in _by_rule(self.alerts):
            yield f"  {number:5}  {severity:8}  {rule}"
        for alert in self.alerts:
            yield f"\n{alert.severity.upper()}  {alert.created_at:%Y-%m-%d %H:%M} UTC"
            yield alert.subject
            if len(self.alerts) <= SOME:
                yield "".join(f"    {line}\n" for line in alert.body.splitlines()[:SOME_LINES])

    def as_json(self) -> dict[str, Any]:
        """Give all of it in JSON types, for machines."""
        return {
            "message_id": self.message_id,
            "severity": self.severity,
            "subject": self.subject,
            "text": self.text,
            "alerts": [_as_json(alert) for alert in self.alerts],
        }


# Of so few each is told with the beginning of what it says.
SOME, SOME_LINES = 20, 12


def _by_rule(alerts: Sequence[Alert]) -> list[tuple[tuple[str, str], int]]:
    counts = Counter((alert.severity, alert.rule) for alert in alerts)
    return sorted(counts.items(), key=lambda each: (SEVERITIES.index(each[0][0]), -each[1]))


def _as_json(alert: Alert) -> dict[str, Any]:
    plain = ("id", "rule", "severity", "partition", "subject", "context")
    values = {name: getattr(alert, name) for name in plain}
    return values | {
        "message_id": alert.message_id,
        "created_at": alert.created_at.isoformat(),
        "body": alert.body[:LONGEST_TEXT],
    }
