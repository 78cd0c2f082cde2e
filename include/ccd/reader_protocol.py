"""What a pipeline and its reader process say to each other: JSON, raw bytes, open files.

Nothing else: no pickle, no names of files, no code. The reader handles bytes from the outside,
so what it answers is checked like any other input.
"""

from __future__ import annotations

import array
import json
import os
import re
import socket
import struct
from dataclasses import asdict, fields
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from include.ccd.errors import BadFits, BadHeader, Incomplete, Malformed, Unusable
from include.ccd.fits_cards import BLOCK, Cards
from include.ccd.fits_content import Content, Request
from include.ccd.fits_layout import BITPIX, MAX_HEADER_BLOCKS
from include.ccd.pixel_tally import PixelStatistics

Message = dict[str, Any]

MAX_TEXT: Final = 1 << 20
MAX_RAW_HEADER: Final = 2 * MAX_HEADER_BLOCKS * BLOCK
PIXEL_TYPES: Final = {"uint16": 2, "float32": 4}

_HEAD: Final = struct.Struct("!IQ")
_ERRORS: Final = {cls.__name__: cls for cls in (BadHeader, Incomplete, Malformed, Unusable)}
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FLAG: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CODE: Final = _FLAG

T = TypeVar("T")


class ProtocolError(Exception):
    """The other side is gone, or says what makes no sense."""


def send(
    channel: socket.socket,
    message: Message,
    blob: bytes | memoryview = b"",
    *,
    descriptor: int | None = None,
) -> None:
    """Send a message, the bytes that belong to it, and an open file."""
    text = json.dumps(message, allow_nan=False).encode()
    head = _HEAD.pack(len(text), len(blob))
    rights: list[tuple[int, int, array.array[int]]] = []
    if descriptor is not None:
        rights.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor])))
    # twelve bytes go at once: head and descriptor cannot be torn apart
    channel.sendmsg([head], rights)
    channel.sendall(text)
    channel.sendall(blob)


def receive(channel: socket.socket, *, max_blob: int) -> tuple[Message, bytearray, list[int]]:
    """A message, its bytes, and the descriptors that came along, which are the caller's.

    Raises
    ------
    ProtocolError
        The other side is gone, or announces more than it may.
    OSError
        It says nothing for too long.
    """
    head, descriptors = _receive_head(channel)
    text_bytes, blob_bytes = _HEAD.unpack(head)
    if text_bytes > MAX_TEXT or blob_bytes > max_blob:
        raise ProtocolError(f"a message of {text_bytes} and {blob_bytes} bytes")
    text = _receive_exactly(channel, text_bytes)
    try:
        message = json.loads(bytes(text))
    except ValueError as error:
        raise ProtocolError(f"a message that is not JSON: {bytes(text[:40])!r}") from error
    if not isinstance(message, dict):
        raise ProtocolError(f"a message that is no object: {message!r:.40}")
    return message, _receive_exactly(channel, blob_bytes), descriptors


def receive_answer(channel: socket.socket, *, max_pixels: int) -> tuple[Message, bytearray]:
    """The answer of a reader, which has no business to send descriptors.

    Raises
    ------
    ProtocolError, OSError
        As `receive`.
    """
    largest = max(MAX_RAW_HEADER, max_pixels * max(PIXEL_TYPES.values()))
    answer, blob, strays = receive(channel, max_blob=largest)
    for stray in strays:
        os.close(stray)
    return answer, blob


def _receive_head(channel: socket.socket) -> tuple[bytes, list[int]]:
    room = socket.CMSG_SPACE(array.array("i").itemsize)
    head, ancillary, _, _ = channel.recvmsg(_HEAD.size, room, socket.MSG_WAITALL)
    descriptors = array.array("i")
    for _, kind, content in ancillary:
        if kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    if len(head) < _HEAD.size:
        raise ProtocolError("the other side is gone")
    return head, list(descriptors)


def _receive_exactly(channel: socket.socket, size: int) -> bytearray:
    buffer = bytearray(size)
    view = memoryview(buffer)
    done = 0
    while done < size:
        count = channel.recv_into(view[done:])
        if count == 0:
            raise ProtocolError("the other side is gone in the middle of a message")
        done += count
    return buffer


def request_message(what: str, request: Request) -> Message:
    """The message that asks for `what`: 'examine' or 'decode'."""
    return {"do": what, **asdict(request)}


def request_of(message: Message) -> tuple[str, Request]:
    """What a message asks for."""
    return message["do"], Request(**{key: message[key] for key in message if key != "do"})


def content_message(content: Content) -> Message:
    """A content without its header blocks, which go as bytes."""
    plain = {each.name: getattr(content, each.name) for each in fields(content)}
    del plain["cards"], plain["raw_header"]
    return {**plain, "statistics": asdict(content.statistics)}


def content_of(message: Message, blob: bytearray, *, max_pixels: int) -> Content:
    """The content that a message tells, with its header blocks; checked.

    Raises
    ------
    ProtocolError
        A value is not of its type or range.
    """
    raw_header = bytes(blob)
    try:
        shape = _shape(message["shape"], max_pixels)
        return Content(
            sha256=_matching(_SHA256, message["sha256"]),
            size_bytes=_whole(message["size_bytes"]),
            pixel_sha256=_matching(_SHA256, message["pixel_sha256"]),
            raw_header=raw_header,
            cards=Cards.of(raw_header),
            hdu=_whole(message["hdu"]),
            shape=shape,
            bitpix=_one_of(BITPIX, message["bitpix"]),
            flags=tuple(_matching(_FLAG, flag) for flag in message["flags"]),
            statistics=_statistics(message["statistics"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"an answer that makes no sense: {error!r:.80}") from error


def pixels_of(message: Message, blob: bytearray, *, max_pixels: int) -> npt.NDArray[Any]:
    """The pixels that a message tells, (ny, nx), uint16 or float32; checked.

    Raises
    ------
    ProtocolError
        They are none that pixels can be.
    """
    try:
        kind = _one_of(frozenset(PIXEL_TYPES), message["dtype"])
        shape = _shape(message["shape"], max_pixels)
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"an answer that makes no sense: {error!r:.80}") from error
    if len(blob) != shape[0] * shape[1] * PIXEL_TYPES[kind]:
        raise ProtocolError(f"{len(blob)} bytes for {shape} pixels")
    return np.frombuffer(blob, dtype=kind).reshape(shape)


def error_message(error: Exception) -> Message:
    """The message that stands for an error of reading."""
    if isinstance(error, BadFits):
        return {"error": type(error).__name__, "code": error.code, "message": error.message}
    if isinstance(error, MemoryError):
        return {"error": "MemoryError"}
    if isinstance(error, OSError):
        return {"error": "OSError", "errno": error.errno, "message": str(error.strerror)}
    return {"error": "unforeseen", "message": f"{type(error).__name__}: {error!s:.200}"}


def error_of(message: Message) -> Exception | None:
    """The error that a message stands for; None when it is an answer."""
    name, text = message.get("error"), str(message.get("message"))[:400]
    if name is None:
        return None
    if name in _ERRORS:
        return _ERRORS[name](_matching(_CODE, message.get("code")), text)
    if name == "MemoryError":
        return MemoryError()
    if name == "OSError" and isinstance(message.get("errno"), int):
        return OSError(message["errno"], text)
    return Malformed("reader_failed", f"the reader did not expect this: {text}")


def _statistics(stated: Message) -> PixelStatistics:
    values = {each.name: stated[each.name] for each in fields(PixelStatistics)}
    if not all(value is None or isinstance(value, int | float) for value in values.values()):
        raise TypeError("statistics")
    return PixelStatistics(**values)


def _shape(stated: Any, max_pixels: int) -> tuple[int, int]:
    height, width = map(_whole, stated)
    if not 0 < height * width <= max_pixels:
        raise ProtocolError(f"an image of {height} x {width}")
    return height, width


def _whole(stated: Any) -> int:
    if isinstance(stated, bool) or not isinstance(stated, int) or stated < 0:
        raise TypeError(f"not a size: {stated!r:.40}")
    return stated


def _matching(pattern: re.Pattern[str], stated: Any) -> str:
    if not isinstance(stated, str) or pattern.fullmatch(stated) is None:
        raise ProtocolError(f"not like {pattern.pattern}: {stated!r:.80}")
    return stated


def _one_of(allowed: frozenset[T], stated: T) -> T:
    if stated not in allowed:
        raise ProtocolError(f"none of {sorted(map(str, allowed))}: {stated!r:.40}")
    return stated
