"""What somebody knows already is not told of, and it is on record who said so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.deliver import deliver
from include.corral.errors import ConfigurationError
from include.corral.outbox import enqueue
from include.corral.parcel import next_parcel
from include.corral.silence import acknowledge, silence
from models import Delivery, Silence
from tests.include.corral.test_deliver import Pigeon, statuses

WHY = {"reason": "the dome is being painted", "author": "night shift"}


def put(lab: Corral, key: str, *, rule: str = "disk", partition: str = "", topic: str = "") -> int:
    with lab.write() as session:
        made = enqueue(
            session,
            dedup_key=key,
            rule=rule,
            subject=key,
            body="b",
            partition=partition,
            channels=("loft",),
            topic=topic or None,
        )
    assert made is not None
    return made


def subjects(lab: Corral) -> list[str]:
    pigeon = Pigeon()
    deliver(lab, {"loft": pigeon})
    return [message.subject for message in pigeon.taken]


def test_rule_that_is_silent_tells_nothing_and_others_do(lab: Corral) -> None:
    """What waits already is meant, too."""
    put(lab, "before")
    with lab.write() as session:
        silence(session, rule="disk", **WHY)
    put(lab, "after")
    put(lab, "other", rule="clouds")
    assert subjects(lab) == ["other"]
    assert statuses(lab) == ["silenced", "silenced", "sent"]


def test_silence_of_a_night_is_for_that_night(lab: Corral) -> None:
    """Two conditions are both meant."""
    with lab.write() as session:
        silence(session, rule="disk", partition="2026-11-20", **WHY)
    put(lab, "a", partition="2026-11-20")
    put(lab, "b", partition="2026-11-21")
    assert subjects(lab) == ["b"]


def test_silence_ends(lab: Corral) -> None:
    """What comes later is told of again; what fell into it stays untold."""
    put(lab, "a")
    with lab.write() as session:
        row = silence(session, rule="disk", until=lab.now() + timedelta(hours=1), **WHY)
    assert subjects(lab) == []
    with lab.write() as session:
        session.get_one(Silence, row.id).until = lab.now() - timedelta(seconds=1)
    put(lab, "b")
    assert subjects(lab) == ["b"]


def test_alert_that_is_known_goes_nowhere_nor_does_more_of_its_topic(lab: Corral) -> None:
    """Another topic of the same rule does."""
    first = put(lab, "disk of products 1", topic="disk of products")
    with lab.write() as session:
        acknowledge(session, first, **WHY)
    put(lab, "disk of products 2", topic="disk of products")
    put(lab, "disk of inbox")
    assert subjects(lab) == ["disk of inbox"]


def test_what_may_have_arrived_is_sent_to_its_end(lab: Corral) -> None:
    """Nobody can say any more that it was not told."""
    put(lab, "a")
    with lab.write() as session:
        assert next_parcel(session, "loft", 20)
        silence(session, rule="disk", **WHY)
    deliver(lab, {})
    with lab.read() as session:
        assert session.scalars(select(Delivery.status)).one() == "pending"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"rule": "disk", "reason": " "}, {"rule": "disk", "author": ""}],
    ids=["everything", "no reason", "nobody"],
)
def test_silence_of_everything_or_without_a_reason_is_refused(lab: Corral, wrong) -> None:
    """Somebody will ask in a year."""
    with lab.write() as session, pytest.raises(ConfigurationError):
        silence(session, **(WHY | wrong))


def test_alert_that_is_not_there_cannot_be_known(lab: Corral) -> None:
    """The message says how to find the right number."""
    with lab.write() as session, pytest.raises(ConfigurationError, match="corral alerts"):
        acknowledge(session, 77, **WHY)
