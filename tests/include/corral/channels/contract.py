"""What every channel must do. Derive a test class from `ChannelContract`, and give it a far side.

    class TestPigeons(ChannelContract):
        @pytest.fixture
        def far(self):
            return Loft()       # a FarSide

A far side is the real thing on this machine (a server, a file), never a mock of the channel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import pytest

from include.corral.channel import Channel, NotNow, Refused
from include.corral.message import Message
from tests.include.corral.channels.conftest import make_message

HOSTILE = (
    "M31\r\nBcc: all@example.org\x1b[31m\0 <script>alert(1)</script> ]]> {{ 7*7 }} {% now %} "
    "${x} %s \udcff &amp; \"'`"
)
LARGE = "0123456789abcdef" * 65_536
LARGEST_BYTES = 500_000


@dataclass(frozen=True)
class Taken:
    """A message as the other side has it: what a receiver would read and show.

    Attributes
    ----------
    identity
        By which it knows that it has the message already.
    text
        All that a person is shown, subject included.
    size_bytes
        Of what went over the link.
    """

    identity: str
    text: str
    size_bytes: int


class FarSide(ABC):
    """Where a channel leads to.

    Attributes
    ----------
    can_tell
        Whether the channel can tell that a message was certainly not taken.
    shows_body
        Whether a person is shown all of the text.
    """

    can_tell = True
    shows_body = True

    @abstractmethod
    def channel(self, **options: Any) -> Channel:
        """Give a channel that leads here, with these options more."""

    @abstractmethod
    def taken(self) -> list[Taken]:
        """Give what has come, in order."""

    @abstractmethod
    def close(self) -> None:
        """Be out of reach."""

    @abstractmethod
    def reopen(self) -> None:
        """Be there again."""

    def break_off(self) -> bool:
        """Take the next message, and say nothing; False where that cannot happen."""
        return False

    def refuse(self) -> bool:
        """Do not want the next message; False where that cannot happen."""
        return False

    def strangers(self) -> list[str]:
        """Name what a message has added that is not a message: headers, recipients, elements."""
        return []


class ChannelContract:
    """Ten promises; ``far`` is a fixture of the class that derives from it."""

    def test_a_message_arrives_once(self, far: FarSide) -> None:
        """Subject and text, before `send` returns."""
        far.channel().send(make_message("disk full", "Free some room."))
        (taken,) = far.taken()
        assert "disk full" in taken.text
        assert "Free some room." in taken.text or not far.shows_body

    def test_a_message_that_is_sent_again_is_known_as_the_same(self, far: FarSide) -> None:
        """Another one is known as another."""
        channel = far.channel()
        for subject in ("a", "a", "b"):
            channel.send(make_message(subject))
        identities = [taken.identity for taken in far.taken()]
        assert len(set(identities)) == 2
        assert identities[0] != identities[-1]

    def test_nothing_arrives_while_the_far_side_is_away(self, far: FarSide) -> None:
        """It is said so, and what is sent when it is back arrives."""
        channel = far.channel()
        far.close()
        with pytest.raises(NotNow if far.can_tell else Exception):
            channel.send(make_message())
        far.reopen()
        assert far.taken() == []
        channel.send(make_message())
        assert len(far.taken()) == 1

    def test_what_breaks_off_is_left_open(self, far: FarSide) -> None:
        """Neither "not taken" nor "not wanted": it may have arrived, and here it has."""
        channel = far.channel()
        if not far.break_off():
            return
        with pytest.raises(Exception) as caught:  # noqa: PT011  of whatever kind
            channel.send(make_message())
        assert not isinstance(caught.value, NotNow | Refused)
        far.reopen()
        channel.send(make_message())
        assert len({taken.identity for taken in far.taken()}) == 1

    def test_what_is_not_wanted_is_refused(self, far: FarSide) -> None:
        """The next one is not."""
        channel = far.channel()
        if not far.refuse():
            return
        with pytest.raises(Refused if far.can_tell else Exception):
            channel.send(make_message("a"))
        far.reopen()
        channel.send(make_message("b"))
        assert [("b" in taken.text) for taken in far.taken()] == [True]

    def test_hostile_text_arrives_as_text(self, far: FarSide) -> None:
        """It injects nothing, is not evaluated, and cannot keep its own message from going out."""
        far.channel().send(make_message(HOSTILE, f"before\n.\n{HOSTILE}\nafter"))
        (taken,) = far.taken()
        assert "{{ 7*7 }}" in taken.text
        assert "<script>alert(1)</script>" in taken.text
        assert "after" in taken.text or not far.shows_body
        assert far.strangers() == []

    def test_a_megabyte_is_cut_and_arrives(self, far: FarSide) -> None:
        """The link is thin; what is cut says so, or is the end of a long text."""
        far.channel().send(make_message(LARGE, LARGE))
        (taken,) = far.taken()
        assert LARGE[:100] in taken.text
        assert taken.size_bytes < LARGEST_BYTES

    def test_several_alerts_arrive_as_one_or_are_asked_for_one_by_one(self, far: FarSide) -> None:
        """A channel that cannot say several at once refuses them; the postman takes them apart."""
        alerts = [make_message(f"subject {number}").alerts[0] for number in range(5)]
        channel = far.channel()
        try:
            channel.send(Message(alerts))
        except Refused:
            for alert in alerts:
                channel.send(Message([alert]))
        shown = "\n".join(taken.text for taken in far.taken())
        assert "5 alerts" in shown or "subject 4" in shown
        assert all(f"subject {n}" in shown for n in range(5)) or not far.shows_body

    def test_an_option_that_is_none_is_refused(self, far: FarSide) -> None:
        """A slip in the site's file of channels is found when it is read."""
        with pytest.raises(TypeError, match="no_such_option"):
            far.channel(no_such_option=1)

    def test_it_has_a_kind_and_a_rate(self, far: FarSide) -> None:
        """For the file of channels, and for the postman."""
        channel = far.channel()
        assert channel.kind
        assert channel.messages_per_hour > 0
