"""A process that reads files on behalf of this one, and may fail in any way while it does.

One such process serves many files: a start costs a quarter of a second, a file a fraction of a
millisecond. It is given open descriptors, never names, has limits, and is replaced when it dies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy.typing as npt

from include.ccd.errors import Unusable
from include.ccd.fits_content import Content, Request
from include.ccd.fits_file import PlainSource
from include.ccd.reader_protocol import (
    Message,
    ProtocolError,
    content_of,
    error_of,
    pixels_of,
    receive,
    receive_answer,
    request_message,
    send,
)

Pixels = npt.NDArray[Any]
T = TypeVar("T")

WORKER: Final = "include.ccd.reader_worker"
ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME")
ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ATTEMPTS: Final = 2
FILES_PER_PROCESS: Final = 5000
END_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost.

    Attributes
    ----------
    memory_bytes : int
        Address space of the reader: room for the largest image three times over.
    cpu_s : int
        Processor time; ten times what the largest image takes.
    wall_s : int
        Time by the clock: only a disk that does not answer takes that long.
    """

    memory_bytes: int = 4 << 30
    cpu_s: int = 60
    wall_s: int = 300


class ReaderProcess:
    """A process that reads files, started when it is first needed and again when it died.

    Parameters
    ----------
    limits : Limits
    worker : str
        The module that the process runs.
    grace_s : float
        How long it may take to start, and to end by itself when a file took too long.
    """

    def __init__(
        self, limits: Limits = Limits(), *, worker: str = WORKER, grace_s: float = 60.0
    ) -> None:
        self._limits = limits
        self._worker = worker
        self._grace_s = grace_s
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._channel: socket.socket | None = None
        self._served = 0

    @property
    def pid(self) -> int | None:
        """Process id of the reader, None when there is none."""
        return self._pid

    def examine(self, plain: PlainSource, request: Request) -> Content:
        """`fits_content.examine`, by the reader.

        Raises
        ------
        BadFits, OSError
            As `inspect_safely`.
        """
        return self._ask(
            "examine",
            plain,
            request,
            lambda answer, blob: content_of(answer, blob, max_pixels=request.max_pixels),
        )

    def decode(self, plain: PlainSource, request: Request) -> Pixels:
        """`fits_content.decode`, by the reader.

        Raises
        ------
        BadFits, OSError
            As `inspect_safely`.
        """
        return self._ask(
            "decode",
            plain,
            request,
            lambda answer, blob: pixels_of(answer, blob, max_pixels=request.max_pixels),
        )

    def close(self) -> None:
        """End the reader, if there is one. A later call starts another."""
        with self._lock:
            self._end()

    def forget(self) -> None:
        """Let go of a reader that belongs to the process this one was forked from."""
        self._lock = threading.Lock()
        self._drop()

    def _ask(
        self,
        what: str,
        plain: PlainSource,
        request: Request,
        understand: Callable[[Message, bytearray], T],
    ) -> T:
        message = request_message(what, request)
        with self._lock:
            for attempt in range(1, ATTEMPTS + 1):
                channel = self._ready()
                try:
                    send(channel, message, descriptor=plain.descriptor)
                    answer, blob = receive_answer(channel, max_pixels=request.max_pixels)
                    found = error_of(answer) or understand(answer, blob)
                except (ProtocolError, TimeoutError, ConnectionError) as trouble:
                    # somebody else may have killed it: only the second death is the file's
                    self._explain_death(trouble, last=attempt == ATTEMPTS)
                except BaseException:
                    # an answer that nobody waits for any more would be taken for the next one
                    self._end()
                    raise
                else:
                    break
            if isinstance(found, MemoryError):
                self._end()
                limit = self._limits.memory_bytes >> 20
                found = Unusable("reader_died", f"reading it takes more than {limit} MiB of memory")
        if isinstance(found, Exception):
            raise found
        return found

    def _ready(self) -> socket.socket:
        """A channel to a reader that is alive."""
        if self._pid is not None and _wait(self._pid, until=0.0) is not None:
            self._drop()
        if self._served >= FILES_PER_PROCESS:
            self._end()
        if self._channel is None:
            self._start()
        assert self._channel is not None
        self._served += 1
        return self._channel

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._channel, self._served = ours, 0
        ours.settimeout(self._grace_s)
        try:
            with theirs:
                self._pid = self._spawn(theirs)
            receive(ours, max_blob=0)
        except (ProtocolError, OSError) as error:
            self._end()
            raise OSError(errno.EAGAIN, "the reader process does not start") from error
        except BaseException:
            self._end()
            raise
        ours.settimeout(self._limits.wall_s + self._grace_s)

    def _spawn(self, channel: socket.socket) -> int:
        """Process id of a new reader, with the channel as its standard input and no secrets."""
        kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        # an entry may be relative, and the reader leaves this place
        search = os.pathsep.join(map(os.path.abspath, sys.path))
        limits = self._limits
        numbers = (os.getpid(), limits.memory_bytes, limits.cpu_s, limits.wall_s)
        options = ["-P", "-B", "-X", "faulthandler", "-m", self._worker]
        return os.posix_spawn(
            sys.executable,
            [sys.executable, *options, *map(str, numbers)],
            {**kept, **ONE_THREAD, "PYTHONPATH": search},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, channel.fileno(), 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            ],
            setsigmask=[],
            setsigdef=[signal.SIGALRM, signal.SIGXCPU, signal.SIGTERM, signal.SIGPIPE],
        )

    def _explain_death(self, trouble: Exception, *, last: bool) -> None:
        """Turn the end of the reader into what it says of the file.

        Raises
        ------
        Unusable
            The file ended it: at once when it took too long, else at the last attempt.
        OSError
            The reader waited for the disk.
        """
        ending = self._end()
        if ending == "SIGXCPU":
            message = f"reading it takes more than {self._limits.cpu_s} s of work"
            raise Unusable("reader_timeout", message) from trouble
        if ending == "SIGALRM" or isinstance(trouble, TimeoutError):
            message = f"a file could not be read within {self._limits.wall_s} s"
            raise OSError(errno.ETIMEDOUT, message) from trouble
        if last:
            message = f"the reader was ended by it twice ({ending}; {trouble!s:.80})"
            raise Unusable("reader_died", message) from trouble

    def _end(self) -> str | None:
        """How the reader ended, which is no more."""
        pid = self._pid
        self._drop()
        return None if pid is None else _wait(pid, until=END_S) or _kill(pid)

    def _drop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._pid = self._channel = None


def _wait(pid: int, *, until: float) -> str | None:
    """How a child of ours ended; None when it is still there after so many seconds."""
    deadline = time.monotonic() + until
    while True:
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return "unknown"
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return signal.Signals(-code).name if code < 0 else f"exit {code}"
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.005)


def _kill(pid: int) -> str | None:
    """End a child of ours that does not end by itself. It may be stuck in the kernel for long."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return _wait(pid, until=END_S)
