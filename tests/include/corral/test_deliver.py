"""What waits in the outbox goes out, urgent things first, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from include.corral.audit import audit
from include.corral.channel import Channel, NotNow, Refused, Unfit
from include.corral.corral import Corral
from include.corral.deliver import deliver
from include.corral.message import Message
from include.corral.outbox import enqueue
from include.corral.parcel import REFUSALS, is_due, next_parcel
from models import ChannelState, Delivery, DeliveryAttempt


class Pigeon(Channel):
    """Takes messages, or does what `mood` says."""

    kind = "pigeon"

    def __init__(self, mood: Callable[[Message], None] = lambda _: None, **options: Any) -> None:
        super().__init__(**options)
        self.taken: list[Message] = []
        self.mood = mood

    def send(self, message: Message) -> None:
        self.mood(message)
        self.taken.append(message)


def away(_: Message) -> None:
    raise NotNow("the loft is empty")


def refuse(_: Message) -> None:
    raise Refused("too heavy")


def put(lab: Corral, *keys: str, severity: str = "warning", **more: Any) -> None:
    with lab.write() as session:
        for key in keys:
            enqueue(
                session,
                dedup_key=key,
                rule=more.get("rule", "test"),
                subject=key,
                body=f"about {key}",
                severity=severity,
                channels=more.get("channels", ("loft",)),
            )


def statuses(lab: Corral) -> list[str]:
    with lab.read() as session:
        return list(session.scalars(select(Delivery.status).order_by(Delivery.id)))


def outcomes(lab: Corral) -> list[str]:
    with lab.read() as session:
        return list(session.scalars(select(DeliveryAttempt.outcome).order_by(DeliveryAttempt.id)))


def pass_time(lab: Corral, time: timedelta) -> None:
    """As if all that happened had happened so much earlier."""
    columns = (
        DeliveryAttempt.begun_at,
        Delivery.not_before,
        ChannelState.paused_until,
    )
    with lab.write() as session:
        for column in columns:
            for row in session.scalars(select(column.class_).where(column.is_not(None))).all():
                setattr(row, column.key, getattr(row, column.key) - time)


def test_few_go_out_one_by_one_the_urgent_first(lab: Corral) -> None:
    """Each as a message of its own, with the Message-ID of its row; a second round does nothing."""
    put(lab, "a", "b")
    put(lab, "night done", severity="info")
    put(lab, "disk full", severity="critical")
    pigeon = Pigeon()
    done = deliver(lab, {"loft": pigeon})
    assert (done.messages, done.alerts) == (4, 4)
    assert [message.subject for message in pigeon.taken] == ["disk full", "a", "b", "night done"]
    assert pigeon.taken[0].text == "about disk full"
    assert len({message.message_id for message in pigeon.taken}) == 4
    assert deliver(lab, {"loft": pigeon}).messages == 0
    assert statuses(lab) == ["sent"] * 4
    assert audit(lab) == []


def test_many_go_out_as_one_digest(lab: Corral) -> None:
    """With counts by rule, and every subject, the urgent ones first."""
    put(lab, *(f"w{number}" for number in range(40)))
    put(lab, "disk full", severity="critical", rule="disk")
    pigeon = Pigeon(messages_per_hour=10)
    deliver(lab, {"loft": pigeon})
    (digest,) = pigeon.taken
    assert digest.subject == "[corral] 41 alerts: 1 critical, 40 warning"
    assert digest.severity == "critical"
    lines = digest.text.splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["1", "critical", "disk"],
        ["40", "warning", "test"],
    ]
    assert lines.index("disk full") < lines.index("w0") < lines.index("w39")
    assert statuses(lab) == ["sent"] * 41


def test_flood_waits_for_the_next_digest(lab: Corral) -> None:
    """When the hour's messages are used up, what is new gathers; urgent things wait a minute."""
    pigeon = Pigeon(messages_per_hour=3)
    put(lab, "a", "b", "c")
    assert deliver(lab, {"loft": pigeon}).messages == 3
    put(lab, "d", "e")
    assert deliver(lab, {"loft": pigeon}).messages == 0
    pass_time(lab, timedelta(minutes=2))
    assert deliver(lab, {"loft": pigeon}).messages == 0
    put(lab, "f", severity="critical")
    assert deliver(lab, {"loft": pigeon}).messages == 1
    assert [alert.subject for alert in pigeon.taken[-1].alerts] == ["f", "d", "e"]


def test_flood_that_comes_one_by_one_is_a_flood(lab: Corral) -> None:
    """As failures of tasks come: the postman is called for each."""
    pigeon = Pigeon(messages_per_hour=3)
    for number in range(40):
        put(lab, f"c{number}", severity="critical")
        deliver(lab, {"loft": pigeon})
    assert len(pigeon.taken) == 3
    pass_time(lab, timedelta(minutes=2))
    deliver(lab, {"loft": pigeon})
    assert len(pigeon.taken) == 4
    assert pigeon.taken[-1].subject == "[corral] 37 alerts: 37 critical"


def test_one_more_goes_out_as_itself_after_the_pause(lab: Corral) -> None:
    """A single message is as small as a digest of it."""
    pigeon = Pigeon(messages_per_hour=1)
    for key in "ab":
        put(lab, key)
        deliver(lab, {"loft": pigeon})
        pass_time(lab, timedelta(minutes=11))
    deliver(lab, {"loft": pigeon})
    assert [message.subject for message in pigeon.taken] == ["a", "b"]


def test_channel_that_is_away_is_asked_again_after_a_pause(lab: Corral) -> None:
    """It is left in peace in between; what is sent then is what it would have been."""
    put(lab, "a")
    pigeon = Pigeon(away)
    assert "the loft is empty" in deliver(lab, {"loft": pigeon}).summary()
    assert deliver(lab, {"loft": pigeon}).troubles == []
    assert outcomes(lab) == ["not_now"]
    with lab.read() as session:
        assert not is_due(session)
    pigeon.mood = lambda _: None
    pass_time(lab, timedelta(seconds=11))
    with lab.read() as session:
        assert is_due(session)
    assert deliver(lab, {"loft": pigeon}).alerts == 1
    assert outcomes(lab) == ["not_now", "delivered"]


def test_night_without_a_link_ends_in_one_digest_within_two_minutes(lab: Corral) -> None:
    """Eight hours, five hundred alerts: nothing lost, urgent ones first, few attempts."""
    pigeon = Pigeon(away)
    for hour in range(8):
        put(lab, *(f"{hour}-{number}" for number in range(60)))
        put(lab, f"{hour} urgent", f"{hour} also", severity="critical")
        deliver(lab, {"loft": pigeon})
        pass_time(lab, timedelta(hours=1))
    put(lab, *"abcd")
    deliver(lab, {"loft": pigeon})
    pigeon.mood = lambda _: None
    waited = timedelta()
    while not pigeon.taken:
        pass_time(lab, timedelta(seconds=10))
        waited += timedelta(seconds=10)
        deliver(lab, {"loft": pigeon})
    assert waited <= timedelta(minutes=2)
    (digest,) = pigeon.taken
    assert len(digest.alerts) == 500
    assert [alert.severity for alert in digest.alerts[:17]] == ["critical"] * 16 + ["warning"]
    assert len(digest.text) <= 60_000
    assert statuses(lab) == ["sent"] * 500


def test_what_may_have_arrived_is_sent_again_as_it_was(lab: Corral) -> None:
    """The same alerts, the same text, the same Message-ID; what is newer is another message."""
    sent: list[Message] = []

    def break_off(message: Message) -> None:
        sent.append(message)
        raise ConnectionResetError("in the middle")

    put(lab, *(f"w{number}" for number in range(12)))
    pigeon = Pigeon(break_off, messages_per_hour=5)
    deliver(lab, {"loft": pigeon})
    put(lab, "newer", severity="critical")
    pigeon.mood = lambda _: None
    pass_time(lab, timedelta(minutes=2))
    deliver(lab, {"loft": pigeon})
    again, newer = pigeon.taken
    assert (again.message_id, again.subject, again.text) == (
        sent[0].message_id,
        sent[0].subject,
        sent[0].text,
    )
    assert newer.subject == "newer"
    assert outcomes(lab) == ["unknown", "delivered", "delivered"]


def test_process_that_died_while_sending_leaves_what_may_have_arrived(lab: Corral) -> None:
    """Nobody sends it a second time while it may be alive; then it goes out as it was."""
    put(lab, "a")
    with lab.write() as session:
        parcel = next_parcel(session, "loft", 20)
    assert parcel is not None
    pigeon = Pigeon()
    assert deliver(lab, {"loft": pigeon}).messages == 0
    pass_time(lab, timedelta(minutes=6))
    assert deliver(lab, {"loft": pigeon}).messages == 1
    assert pigeon.taken[0].message_id == parcel.message.message_id
    assert outcomes(lab) == ["unknown", "delivered"]


def test_what_is_refused_is_tried_again_ever_later_and_then_given_up(lab: Corral) -> None:
    """It keeps no other message from going out."""
    put(lab, "bad", "good")
    pigeon = Pigeon(lambda message: refuse(message) if message.subject == "bad" else None)
    deliver(lab, {"loft": pigeon})
    assert [message.subject for message in pigeon.taken] == ["good"]
    for _ in range(REFUSALS + 3):
        pass_time(lab, timedelta(hours=7))
        deliver(lab, {"loft": pigeon})
    assert statuses(lab) == ["given_up", "sent"]
    assert outcomes(lab).count("refused") == REFUSALS
    assert audit(lab) == []


def test_what_can_never_be_said_is_given_up_at_once(lab: Corral) -> None:
    """The attempt says why, and others go out."""

    def only_stars(message: Message) -> None:
        if message.subject != "star":
            raise Unfit("no star")

    put(lab, "disk", "star")
    pigeon = Pigeon(only_stars)
    deliver(lab, {"loft": pigeon})
    assert statuses(lab) == ["given_up", "sent"]
    with lab.read() as session:
        reasons = session.scalars(select(DeliveryAttempt.detail)).all()
    assert sorted(map(str, reasons)) == ["None", "no star"]
    assert audit(lab) == []


def test_digest_that_is_refused_goes_out_piece_by_piece(lab: Corral) -> None:
    """One of them may be what the others were refused for."""
    put(lab, *(f"w{number}" for number in range(6)))
    pigeon = Pigeon(
        lambda message: refuse(message) if len(message.alerts) > 1 else None, messages_per_hour=5
    )
    deliver(lab, {"loft": pigeon})
    for _ in range(8):
        pass_time(lab, timedelta(minutes=20))
        deliver(lab, {"loft": pigeon})
    assert [message.subject for message in pigeon.taken] == [f"w{number}" for number in range(6)]


def test_channels_do_not_wait_for_each_other(lab: Corral) -> None:
    """One is away, one is misconfigured, one takes it."""
    from include.corral.errors import ConfigurationError

    put(lab, "a", channels=("loft", "sms", "chat"))
    pigeon = Pigeon()
    channels = {"loft": Pigeon(away), "sms": ConfigurationError("no number"), "chat": pigeon}
    done = deliver(lab, channels)
    assert (done.messages, done.troubles) == (1, ["loft: the loft is empty", "sms: no number"])
    assert sorted(statuses(lab)) == ["pending", "pending", "sent"]


def test_at_most_so_many_go_out_at_once(lab: Corral) -> None:
    """A task that is about to end does not empty the whole outbox."""
    put(lab, *"abc")
    assert deliver(lab, {"loft": Pigeon()}, at_most=2).messages == 2
    assert sorted(statuses(lab)) == ["pending", "sent", "sent"]


@pytest.mark.parametrize("dead", [False, True])
def test_two_postmen_send_nothing_twice(lab: Corral, dead: bool) -> None:
    """One that was taken for dead and ends late changes nothing of the other's work."""
    from include.corral.parcel import settle
    from models.delivery import AttemptOutcome

    put(lab, "a")
    with lab.write() as session:
        first = next_parcel(session, "loft", 20)
    assert first is not None
    pass_time(lab, timedelta(minutes=6 if dead else 1))
    with lab.write() as session:
        second = next_parcel(session, "loft", 20)
    assert (second is not None) == dead
    if second:
        with lab.write() as session:
            settle(session, second, AttemptOutcome.NOT_NOW)
    with lab.write() as session:
        settle(session, first, AttemptOutcome.DELIVERED)
    assert statuses(lab) == ["pending" if dead else "sent"]
