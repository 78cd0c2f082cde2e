"""A wire between a client and PostgreSQL that can be cut, held up, and made to lie.

It understands as much of the protocol (PostgreSQL documentation, "Frontend/Backend Protocol",
version 3) as is needed to know where a request ends, and whether it is a COMMIT.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

READY, ERROR, QUERY, SYNC, TERMINATE = b"Z", b"E", b"Q", b"S", b"X"
TOO_MANY = "53300"


class Gone(Exception):
    """One end has closed the connection."""


class Link:
    """One connection: the client's socket, the server's, and what is known of its transaction."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.status = b"I"
        for end in (client, server):  # or each small message waits for an acknowledgement
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def reset(self) -> None:
        """Break it so that both ends get RST, not FIN."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.close()

    def refuse(self, request: bytes, sqlstate: str) -> None:
        """Answer a request in the server's place; its transaction is rolled back, as it would."""
        over = self.status == b"I" or b"COMMIT" in request
        if self.status != b"I":
            self.server.sendall(message(QUERY, b"ROLLBACK\0"))
            self.answer(to_client=False)
        self.client.sendall(error(sqlstate) + message(READY, b"I" if over else b"E"))

    def answer(self, *, to_client: bool = True) -> None:
        """Hand on what the server says until it is ready for the next request."""
        while True:
            kind, whole = read_message(self.server)
            if to_client:
                self.client.sendall(whole)
            if kind == READY:
                self.status = whole[-1:]
                return


Fault = Callable[["Wire", Link, bytes], bool]
"""What happens at a request; True where the request still goes to the server."""


class Wire:
    """Listens on loopback and passes connections on; at the n-th request a fault strikes, once.

    Parameters
    ----------
    server
        Port of PostgreSQL on loopback.

    Attributes
    ----------
    requests, struck
        What was asked, and how often the fault has struck.
    down_until
        No connection is taken before, by the monotonic clock.
    """

    def __init__(self, server: int) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.struck = 0
        self.down_until = 0.0
        self._strike: tuple[int, bytes, Fault] | None = None
        self._lock = threading.Lock()
        self._links: set[Link] = set()
        self._closing = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._listener.close()
        self.cut()

    def strike_at(self, number: int, fault: Fault, *, word: bytes = b"") -> None:
        """Let `fault` happen at the n-th request from now on that holds `word`."""
        with self._lock:
            self._strike = (number, word, fault)

    def cut(self) -> None:
        """Reset every connection there is."""
        for link in list(self._links):
            link.reset()

    def _listen(self) -> None:
        while not self._closing:
            with suppress(OSError):
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if time.monotonic() < self.down_until:
            Link(client, client).reset()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._server))
        except OSError:
            client.close()
            return
        link = Link(client, server)
        self._links.add(link)
        try:
            server.sendall(read_exactly(client, 4, with_length=True))  # the start-up message
            link.answer()
            while True:
                self._pass_on(link)
        except (Gone, OSError, ValueError):
            return
        finally:
            self._links.discard(link)
            link.reset()

    def _pass_on(self, link: Link) -> None:
        kind, request = read_request(link)
        if kind == TERMINATE:
            raise Gone
        fault = self._fault_of(request)
        if fault is not None and not fault(self, link, request):
            return
        link.server.sendall(request)
        link.answer()

    def _fault_of(self, request: bytes) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            if self._strike is None or self._strike[1] not in request:
                return None
            number, word, fault = self._strike
            self._strike = (number - 1, word, fault) if number > 1 else None
            if number > 1:
                return None
            self.struck += 1
            return fault


def message(kind: bytes, body: bytes) -> bytes:
    """One message of the protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


def error(sqlstate: str) -> bytes:
    """What a server says that could not do what it was asked."""
    severity = b"FATAL" if sqlstate == TOO_MANY else b"ERROR"
    fields = (b"S" + severity, b"V" + severity, b"C" + sqlstate.encode(), b"Minjected")
    return message(ERROR, b"\0".join(fields) + b"\0\0")


def read_message(end: socket.socket) -> tuple[bytes, bytes]:
    """One typed message: its kind, and the whole of it."""
    kind = read_exactly(end, 1)
    return kind, kind + read_exactly(end, 4, with_length=True)


def read_request(link: Link) -> tuple[bytes, bytes]:
    """Messages of the client up to the one that wants an answer."""
    whole = b""
    while True:
        kind, one = read_message(link.client)
        whole += one
        if kind in {QUERY, SYNC, TERMINATE}:
            return kind, whole


def read_exactly(end: socket.socket, number: int, *, with_length: bool = False) -> bytes:
    """So many bytes; `with_length`, they tell how long they are with what follows them."""
    found = b""
    while len(found) < number:
        # Not for ever: a socket that another thread has closed is let go of between two waits.
        if not select.select([end], [], [], 0.05)[0]:
            continue
        some = end.recv(number - len(found))
        if not some:
            raise Gone
        found += some
    if with_length:
        (length,) = struct.unpack("!i", found)
        return found + read_exactly(end, length - number)
    return found
