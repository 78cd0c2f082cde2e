"""What a database, and the way to it, may do at any request."""

from __future__ import annotations

import time

from tests.chaos.wire import TOO_MANY, Fault, Link, Wire, error

DOWN_S = 0.7
STALL_S = 1.5


def refused(wire: Wire, _link: Link, _request: bytes) -> bool:
    """Every connection is reset, and for a while none is taken."""
    wire.down_until = time.monotonic() + DOWN_S
    wire.cut()
    return False


def reset(_wire: Wire, link: Link, _request: bytes) -> bool:
    """The connection is reset; the server never sees the request."""
    link.reset()
    return False


def reset_after_commit(_wire: Wire, link: Link, request: bytes) -> bool:
    """The server has committed, and nobody hears of it."""
    link.server.sendall(request)
    link.answer(to_client=False)
    link.reset()
    return False


def stall(_wire: Wire, _link: Link, _request: bytes) -> bool:
    """Nothing comes for a while."""
    time.sleep(STALL_S)
    return True


def too_many_connections(wire: Wire, link: Link, _request: bytes) -> bool:
    """The server ends the connection: it has too many."""
    link.client.sendall(error(TOO_MANY))
    return refused(wire, link, b"")


def _says(sqlstate: str) -> Fault:
    def answer(_wire: Wire, link: Link, request: bytes) -> bool:
        link.refuse(request, sqlstate)
        return False

    return answer


FAULTS: dict[str, Fault] = {
    "refused": refused,
    "reset in mid-transaction": reset,
    "reset after COMMIT was sent": reset_after_commit,
    "stall": stall,
    "deadlock": _says("40P01"),
    "serialisation failure": _says("40001"),
    "read-only": _says("25006"),
    "too many connections": too_many_connections,
}
