"""Who was told of what, and what a channel has not taken."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from include.corral.channel import Channel, NotNow
from include.corral.deliver import deliver
from include.corral.outbox import enqueue
from include.toritos.report.standing import find_alerts

NIGHT = date(2026, 11, 20)


class Mute(Channel):
    """Takes everything, or nothing."""

    def __init__(self, *, is_down: bool) -> None:
        super().__init__()
        self.is_down = is_down

    def send(self, message) -> None:
        if self.is_down:
            raise NotNow("no line")


def told(corral, hours_ago: float = 1.0):
    now = datetime.now(UTC)
    with corral.read() as session:
        since = now - timedelta(hours=hours_ago)
        return find_alerts(session, NIGHT, NIGHT, since, now + timedelta(hours=1))


def put(corral, key: str, partition: str = "2026-11-20", severity: str = "warning") -> None:
    with corral.write() as session:
        texts = {"rule": "Test", "subject": f"about {key}", "body": "x", "severity": severity}
        enqueue(session, dedup_key=key, partition=partition, channels=["page"], **texts)


@pytest.mark.parametrize(("is_down", "how"), [(True, ("page: pending",)), (False, ("page: sent",))])
def test_alert_is_stuck_when_its_channel_has_not_taken_it(corral, is_down, how) -> None:
    """One that was not tried yet only waits."""
    put(corral, "a")
    assert [(row.deliveries, row.is_stuck) for row in told(corral)] == [(("page: pending",), False)]
    deliver(corral, {"page": Mute(is_down=is_down)})
    assert [(row.deliveries, row.is_stuck) for row in told(corral)] == [(how, is_down)]


def test_alerts_of_the_night_and_those_that_came_up_meanwhile(corral) -> None:
    """The gravest first; those about other nights are theirs."""
    put(corral, "mine", severity="info")
    put(corral, "disk", partition="", severity="critical")
    put(corral, "other", partition="2026-11-19")
    assert [row.subject for row in told(corral)] == ["about disk", "about mine"]
    assert [row.subject for row in told(corral, hours_ago=-0.5)] == ["about mine"]
