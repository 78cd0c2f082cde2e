from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.ccd.errors import BadHeader, Incomplete, Malformed, Unusable
from include.ccd.fits_cards import Cards
from include.ccd.fits_content import Content, Request
from include.ccd.pixel_tally import PixelStatistics
from include.ccd.reader_protocol import (
    ProtocolError,
    content_message,
    content_of,
    error_message,
    error_of,
    pixels_of,
    receive,
    receive_answer,
    request_message,
    request_of,
    send,
)

HEADER = b"".join(card.ljust(80) for card in (b"SIMPLE  = T", b"END")).ljust(2880)
CONTENT = Content(
    sha256="a" * 64,
    size_bytes=5760,
    pixel_sha256="b" * 64,
    raw_header=HEADER,
    cards=Cards.of(HEADER),
    hdu=0,
    shape=(48, 64),
    bitpix=16,
    flags=("padding_missing",),
    statistics=PixelStatistics(1.0, 2.0, 1.5, 1.0, 0.0, 0.0, 0.0),
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a channel."""
    one, other = socket.socketpair()
    other.settimeout(5)
    with one, other:
        yield one, other


def test_a_message_arrives_with_its_bytes_and_its_open_file(pair: Pair) -> None:
    """The descriptor is another one for the same file."""
    reading, writing = os.pipe()
    send(pair[0], {"do": "examine", "hdu": None}, b"x" * 100, descriptor=reading)
    os.close(reading)
    message, blob, (descriptor,) = receive(pair[1], max_blob=100)
    os.write(writing, b"through")

    assert (message, bytes(blob)) == ({"do": "examine", "hdu": None}, b"x" * 100)
    assert os.read(descriptor, 7) == b"through"
    os.close(descriptor)
    os.close(writing)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\0\0",
        struct.pack("!IQ", 1 << 30, 0),
        struct.pack("!IQ", 2, 1 << 60) + b"{}",
        struct.pack("!IQ", 2, 0) + b"[]",
        struct.pack("!IQ", 2, 0) + b"\xff\xff",
        struct.pack("!IQ", 2, 9) + b"{}half",
    ],
)
def test_what_is_no_message_is_refused(pair: Pair, sent: bytes) -> None:
    """Nothing is allocated because somebody announces it."""
    pair[0].sendall(sent)
    pair[0].close()
    with pytest.raises(ProtocolError):
        receive(pair[1], max_blob=100)


def test_a_reader_may_not_send_open_files(pair: Pair) -> None:
    """They are closed, not kept."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    send(pair[0], {"ready": 1}, descriptor=0)

    assert receive_answer(pair[1], max_pixels=10) == ({"ready": 1}, bytearray())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_request_and_a_content_come_back_as_they_were() -> None:
    """Nothing is lost on the way."""
    request = Request(hdu="SCI", expect_more=True, verify=False, max_pixels=5)

    assert request_of(request_message("decode", request)) == ("decode", request)
    back = content_of(content_message(CONTENT), bytearray(HEADER), max_pixels=4000)
    assert back.cards.get("SIMPLE") is True
    assert {**content_message(back), "raw_header": back.raw_header} == {
        **content_message(CONTENT),
        "raw_header": HEADER,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "../../etc/passwd"},
        {"sha256": 5},
        {"size_bytes": -1},
        {"size_bytes": True},
        {"hdu": "0"},
        {"shape": [48]},
        {"shape": [100_000, 100_000]},
        {"shape": [0, 5]},
        {"shape": 5},
        {"bitpix": 17},
        {"flags": ["<script>"]},
        {"flags": None},
        {"statistics": {}},
        {"statistics": {**asdict(CONTENT.statistics), "mean": "high"}},
    ],
)
def test_an_answer_is_checked_like_any_input(changes: dict[str, Any]) -> None:
    """A reader that was taken over cannot put its words into our rows."""
    with pytest.raises(ProtocolError):
        content_of({**content_message(CONTENT), **changes}, bytearray(HEADER), max_pixels=4000)


def test_pixels_come_back_as_they_were() -> None:
    """Type, shape, values; and they may be written to."""
    pixels = np.arange(6, dtype=np.float32).reshape(2, 3)
    message = {"shape": [2, 3], "dtype": "float32"}

    found = pixels_of(message, bytearray(pixels.tobytes()), max_pixels=6)
    np.testing.assert_array_equal(found, pixels)
    assert found.flags.writeable
    for wrong in ({"dtype": "object"}, {"shape": [2, 4]}, {"shape": [2, 2]}, {"shape": ["2", 3]}):
        with pytest.raises(ProtocolError):
            pixels_of({**message, **wrong}, bytearray(pixels.tobytes()), max_pixels=100)


@pytest.mark.parametrize("kind", [BadHeader, Incomplete, Malformed, Unusable])
def test_an_error_keeps_its_kind_and_its_code(kind: type[Malformed]) -> None:
    """And its message."""
    back = error_of(error_message(kind("too_large", "far too large")))

    assert type(back) is kind
    assert str(back) == "too_large: far too large"


def test_other_errors_are_those_of_the_machine_or_unforeseen() -> None:
    """The disk, the memory; and what nobody thought of, which is the file's fault."""
    disk = error_of(error_message(OSError(5, "Input/output error")))
    unforeseen = error_of(error_message(KeyError("NAXIS3")))

    assert isinstance(disk, OSError)
    assert disk.errno == 5
    assert isinstance(error_of(error_message(MemoryError())), MemoryError)
    assert isinstance(unforeseen, Malformed)
    assert unforeseen.code == "reader_failed"
    assert error_of({"sha256": "x"}) is None
    with pytest.raises(ProtocolError):
        error_of({"error": "Malformed", "code": "x'; DROP TABLE", "message": ""})
