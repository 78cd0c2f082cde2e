"""Messages, and a web server that does what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from include.corral.message import Message
from models.alert import Alert


def make_message(subject: str = "disk full", body: str = "Free some room.") -> Message:
    """A message of one alert that is in no database."""
    alert = Alert(
        id=1, dedup_key=subject, rule="disk", severity="critical", partition="", context={}
    )
    alert.subject, alert.body = subject, body
    alert.created_at = datetime(2026, 11, 20, tzinfo=UTC)
    return Message([alert])


class Site:
    """A web server on loopback: what it was sent, and what it answers."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = status(200)
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                site.requests.append((dict(self.headers), body))
                site.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answers with a status."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Closes the line without an answer."""
    handler.close_connection = True


@pytest.fixture
def site() -> Iterator[Site]:
    """The server, running."""
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()
