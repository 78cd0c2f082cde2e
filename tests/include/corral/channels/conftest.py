"""Messages, and a web server that does what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from include.corral.message import Message
from include.corral.outbox import one_line, printable
from include.corral.sky_event import Magnitude, Place, SkyEvent
from models.alert import Alert

SKY_EVENT = SkyEvent(
    ra_deg=83.633,
    dec_deg=-5.391,
    error_deg=0.0002,
    observed_at=datetime(2026, 11, 20, 4, 5, 6, tzinfo=UTC),
    magnitudes=(Magnitude(mag=17.31, mag_err=0.04, filter="V"), Magnitude(mag=17.9)),
    observatory=Place(
        name="Cordón Macón", latitude_deg=-24.623, longitude_deg=-67.328, elevation_m=4650
    ),
    name="TOR26a",
    score=0.93,
)


def make_message(
    subject: str = "disk full", body: str = "Free some room.", **context: Any
) -> Message:
    """A message of one alert that is in no database, made harmless as the outbox does it."""
    alert = Alert(
        id=1,
        dedup_key=one_line(subject),
        rule="disk",
        severity="critical",
        partition="",
        context=context or SKY_EVENT.as_context(),
    )
    alert.subject, alert.body = one_line(subject), printable(body)
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
