"""What is asked of the outbox after trials with bad servers: lost, doubled, given up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from include.corral.audit import audit
from include.corral.channel import Channel
from include.corral.corral import Corral
from include.corral.deliver import deliver
from include.corral.outbox import SEVERITIES, enqueue
from models import Alert, Delivery

NAME = "out"


def put(corral: Corral, number: int) -> None:
    """Write so many alerts of every severity into the outbox."""
    with corral.write() as session:
        for each in range(number):
            severity = SEVERITIES[each % len(SEVERITIES)]
            text = f"alert {each}"
            enqueue(
                session,
                dedup_key=text,
                rule="r",
                subject=text,
                body=text,
                severity=severity,
                channels=(NAME,),
            )


def waiting(corral: Corral) -> int:
    """How many alerts are still to be told."""
    with corral.read() as session:
        return len(session.scalars(select(Delivery.id).where(Delivery.is_pending())).all())


def post_all(corral: Corral, channel: Channel) -> None:
    """Let the postman go as often as it takes."""
    while waiting(corral):
        deliver(corral, {NAME: channel})


@dataclass(frozen=True)
class Toll:
    """What became of all alerts.

    Attributes
    ----------
    lost
        Never arrived.
    strange
        Arrived, and are no alerts.
    twice
        Arrivals beyond the first.
    given_up
        Refused so often that nobody tries any more.
    broken
        Promises of the ledger that do not hold.
    """

    lost: int
    strange: int
    twice: int
    given_up: int
    broken: int

    def violations(self, ambiguous: int) -> int:
        """Count what may not be; as many may come twice as were taken without a word."""
        is_too_often = self.twice > ambiguous
        return self.lost + self.strange + self.given_up + self.broken + is_too_often


def toll(corral: Corral, identities: Sequence[str]) -> Toll:
    """Compare what arrived, by its identities, with what is in the outbox."""
    with corral.read() as session:
        wanted = {alert.message_id for alert in session.scalars(select(Alert))}
        gone = session.scalars(select(Delivery.id).where(Delivery.status == "given_up")).all()
    taken = Counter(identities)
    return Toll(
        lost=len(wanted - taken.keys()),
        strange=len(taken.keys() - wanted),
        twice=sum(taken.values()) - len(taken),
        given_up=len(gone),
        broken=len(audit(corral)),
    )
