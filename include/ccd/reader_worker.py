"""The process that reads files which cannot be trusted, so that the pipeline's need not.

It is given open files, one after another, and says what is in them. It may use so much memory
and so much time, may write nothing, and ends with the process that started it: whatever a file
does to it, that file is the only one to suffer.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
import warnings
from collections.abc import Sequence
from typing import Final

from include.ccd.fits_content import decode, examine
from include.ccd.fits_file import PlainSource
from include.ccd.reader_protocol import (
    Message,
    ProtocolError,
    content_message,
    error_message,
    receive,
    request_of,
    send,
)

PR_SET_PDEATHSIG: Final = 1
CHANNEL: Final = 0


def main(arguments: Sequence[str]) -> int:
    """Serve until the channel on descriptor 0 is closed.

    Parameters
    ----------
    arguments : sequence of str
        Process id of the pipeline, memory in bytes, processor seconds and wall-clock seconds
        that one file may cost.
    """
    parent, memory_bytes, cpu_s, wall_s = map(int, arguments)
    if not _end_with(parent):
        return 1
    _confine(memory_bytes)
    channel = socket.socket(fileno=CHANNEL)
    send(channel, {"ready": os.getpid()})
    with contextlib.suppress(ProtocolError, ConnectionError):
        while True:
            message, _, descriptors = receive(channel, max_blob=0)
            _limit_time(cpu_s, wall_s)
            answer, blob = _answer(message, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            signal.setitimer(signal.ITIMER_REAL, 0)
            send(channel, answer, blob)
    return 0


def _answer(message: Message, descriptors: Sequence[int]) -> tuple[Message, bytes | memoryview]:
    """Plain values and the bytes that belong to them, or the reason why not."""
    try:
        what, request = request_of(message)
        (descriptor,) = descriptors
        plain = PlainSource(descriptor, os.fstat(descriptor).st_size)
        if what == "decode":
            pixels = decode(plain, request)
            answer = {"shape": pixels.shape, "dtype": pixels.dtype.name}
            return answer, pixels.reshape(-1).view("u1").data
        content = examine(plain, request)
        return content_message(content), content.raw_header
    except Exception as error:  # noqa: BLE001 - the boundary: every failure has a name over there
        return error_message(error), b""


def _end_with(parent: int) -> bool:
    """Be killed when the parent ends, however it ends; False when it has ended already."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return os.getppid() == parent


def _confine(memory_bytes: int) -> None:
    """So much memory, no files to be written, no core, no place of its own."""
    os.chdir("/")
    warnings.simplefilter("ignore")
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_AS, memory_bytes)


def _limit_time(cpu_s: int, wall_s: int) -> None:
    """Let the kernel end this process when the file at hand takes too long."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + cpu_s)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _lower(what: int, limit: int) -> None:
    """Set a soft limit, which a hard one that is lower already goes before."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
