"""Packets are what the schema of VOEvent 2.0 wants, and say what was seen."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from include.corral.channel import Refused, Unfit
from include.corral.channels.voevent import VOEventChannel
from include.corral.message import Message
from include.corral.sky_event import Magnitude, SkyEvent
from tests.include.corral.channels.conftest import SKY_EVENT, Site, make_message
from tests.include.corral.channels.contract import HOSTILE, LARGE

STREAM = "example.org/toritos"


@cache
def schema() -> etree.XMLSchema:
    """VOEvent-v2.0.xsd of the IVOA, as the broker Comet carries it."""
    comet = importlib.util.find_spec("comet")
    assert comet is not None
    assert comet.origin is not None
    return etree.XMLSchema(etree.parse(Path(comet.origin).parent / "schema" / "VOEvent-v2.0.xsd"))


def packet(
    event: SkyEvent = SKY_EVENT, subject: str = "a candidate", body: str = "Look at it.", **options
) -> etree._Element:
    """The packet of an alert, which the schema accepts."""
    message = make_message(subject, body, **event.as_context())
    channel = VOEventChannel(stream=STREAM, folder="unused", **options)
    root = etree.fromstring(channel.packet(message.alerts[0]))
    schema().assertValid(root)
    return root


def parameters(root: etree._Element) -> dict[str, str]:
    return {each.get("name"): each.get("value") for each in root.iterfind("What//Param")}


def test_packet_says_what_was_seen_where_and_when() -> None:
    """In degrees of ICRS and UTC, with errors and units, from the place it was seen from."""
    root = packet(contact_name="Night shift", contact_email="night@example.org")
    assert root.findtext("WhereWhen//Position2D/Value2/C1") == "83.633"
    assert root.findtext("WhereWhen//Position2D/Value2/C2") == "-5.391"
    assert root.findtext("WhereWhen//Position2D/Error2Radius") == "0.0002"
    assert root.findtext("WhereWhen//ISOTime") == "2026-11-20T04:05:06.000"
    assert root.find("WhereWhen//ObservationLocation/AstroCoordSystem").get("id") == "UTC-ICRS-TOPO"
    site = root.find("WhereWhen//ObservatoryLocation")
    assert site.get("id") == "Cordón Macón"
    numbers = [site.findtext(f".//C{number}") for number in (1, 2, 3)]
    assert numbers == ["-67.328", "-24.623", "4650.0"]
    groups = root.findall("What/Group")
    said = [[(p.get("name"), p.get("value"), p.get("unit")) for p in group] for group in groups]
    assert said[0] == [("mag", "17.31", "mag"), ("mag_err", "0.04", "mag"), ("filter", "V", None)]
    assert said[1] == [("mag", "17.9", "mag")]
    assert (parameters(root)["name"], root.find("Why").get("importance")) == ("TOR26a", "0.93")
    assert root.findtext("Why/Description") == "a candidate"
    assert root.findtext("Who/Author/contactEmail") == "night@example.org"


def test_identifier_is_that_of_the_alert_whenever_it_is_made() -> None:
    """And so is every byte: brokers know by it what they have."""
    channel = VOEventChannel(stream=STREAM, folder="unused")
    (alert,) = make_message().alerts
    first, second = channel.packet(alert), channel.packet(alert)
    digits = alert.message_id.strip("<>").removesuffix("@corral")
    assert first == second
    assert etree.fromstring(first).get("ivorn") == f"ivo://{STREAM}#{digits}"
    other = channel.packet(make_message("another").alerts[0])
    assert etree.fromstring(other).get("ivorn") != etree.fromstring(first).get("ivorn")


@pytest.mark.parametrize(
    ("options", "is_test", "role"),
    [({}, False, "observation"), ({"role": "test"}, False, "test"), ({}, True, "test")],
)
def test_tests_are_called_so(options, is_test, role) -> None:
    """Whether the site or the event says so: nobody points a telescope."""
    assert packet(replace(SKY_EVENT, is_test=is_test), **options).get("role") == role


@pytest.mark.parametrize(
    "event",
    [
        replace(SKY_EVENT, score=None, name="", magnitudes=(Magnitude(mag=-1.5),)),
        replace(SKY_EVENT, ra_deg=0, dec_deg=-90, error_deg=0),
        replace(SKY_EVENT, ra_deg=1e-7, dec_deg=89.99999999, error_deg=1e-9),
        replace(SKY_EVENT, name=HOSTILE, concept="<b>&amp;"),
        replace(SKY_EVENT, observed_at=datetime(2038, 1, 19, 3, 14, 8, 123456, UTC)),
    ],
    ids=["little", "pole", "tiny", "hostile", "2038"],
)
def test_packets_of_every_kind_are_valid(event) -> None:
    """The schema is asked about each."""
    for subject, body in (("a", "b"), (HOSTILE, HOSTILE), (LARGE, LARGE)):
        assert len(etree.tostring(packet(event, subject, body))) < 20_000


def test_times_of_other_zones_are_told_in_utc() -> None:
    """The recommendation has no zones."""
    there = SKY_EVENT.observed_at.astimezone(timezone(timedelta(hours=-3)))
    root = packet(replace(SKY_EVENT, observed_at=there))
    assert root.findtext("WhereWhen//ISOTime") == "2026-11-20T04:05:06.000"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda given: given.clear(), "has no"),
        (lambda given: given.pop("ra_deg"), "ra_deg"),
        (lambda given: given.pop("observatory"), "observatory"),
        (lambda given: given.update(observed_at="yesterday"), "yesterday"),
        (lambda given: given.update(observed_at="2026-11-20T04:05:06"), "time zone"),
        (lambda given: given.update(dec_deg=float("nan")), "dec_deg is nan"),
        (lambda given: given.update(ra_deg="83.6"), "ra_deg is '83.6'"),
        (lambda given: given.update(magnitudes=[]), "no magnitude"),
        (lambda given: given.update(magnitudes=[{"mag": None}]), "mag is None"),
        (lambda given: given.update(score=2), "score is 2"),
    ],
)
def test_alert_that_cannot_be_said_is_given_up_with_the_reason(spoil, said) -> None:
    """It would be refused for ever."""
    context = SKY_EVENT.as_context()
    spoil(context["sky_event"])
    channel = VOEventChannel(stream=STREAM, folder="unused")
    with pytest.raises(Unfit, match=said):
        channel.send(make_message(**context))


def test_alert_about_no_place_is_given_up() -> None:
    """A full disk is no event of the sky."""
    with pytest.raises(Unfit, match="names no place in the sky"):
        VOEventChannel(stream=STREAM, folder="unused").send(make_message(note="disk"))


def test_files_are_named_by_the_event_and_whole(tmp_path: Path) -> None:
    """One that comes twice takes its own place, and nothing else lies there."""
    channel = VOEventChannel(stream=STREAM, folder=str(tmp_path / "packets"))
    message = make_message()
    for _ in range(2):
        channel.send(message)
    (path,) = (tmp_path / "packets").iterdir()
    assert path.stem in message.message_id
    assert path.read_bytes() == channel.packet(message.alerts[0])


def test_packet_is_posted_signed(site: Site) -> None:
    """As XML; the header has the Message-ID."""
    message = make_message()
    VOEventChannel(stream=STREAM, url=site.url, secret="s").send(message)
    ((headers, body),) = site.requests
    assert headers["Content-Type"] == "application/xml"
    assert headers["X-Corral-Message-Id"] == message.message_id
    assert headers["X-Corral-Signature"].startswith("sha256=")
    schema().assertValid(etree.fromstring(body))


def test_several_at_once_are_asked_for_one_by_one() -> None:
    """A packet tells of one event."""
    both = [make_message(subject).alerts[0] for subject in "ab"]
    with pytest.raises(Refused, match="one event"):
        VOEventChannel(stream=STREAM, folder="unused").send(Message(both))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "a folder or a url"),
        ({"folder": "a", "url": "http://b"}, "a folder or a url"),
        ({"url": "ftp://b"}, "neither http nor https"),
        ({"folder": "a", "role": "prediction"}, "prediction"),
        ({"folder": "a", "stream": "toritos"}, "example.org"),
        ({"folder": "a", "stream": "example.org/a#b"}, "example.org"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, said) -> None:
    """When the file of channels is read, not at the first event."""
    with pytest.raises(ValueError, match=said):
        VOEventChannel(**{"stream": STREAM} | options)
