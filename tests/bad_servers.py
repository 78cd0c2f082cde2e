"""Servers on this machine that fail at one message in five, each time in another way."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.smtp import SMTP

from tests.mail_office import FINE, Office, hang_up

FAULTY = 0.2
AFTER_THE_TEXT = ("DATA", "hang up")
MAIL_FAULTS = [
    ("MAIL", "451 later"),
    ("MAIL", "hang up"),
    ("RCPT", "450 grey list"),
    ("RCPT", "hang up"),
    ("DATA", "452 full"),
    ("DATA", "554 I do not like it"),
    AFTER_THE_TEXT,
]


class BadOffice(Office):
    """A mail server; it knows at which commands it failed.

    Attributes
    ----------
    identities
        Message-ID of each mail it took.
    ambiguous
        How often it took a mail without a word.
    """

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice
        self.faults: Counter[str] = Counter()

    def answer(self, what: str, server: SMTP) -> str:
        if what == "MAIL":
            is_bad = self.dice.random() < FAULTY
            self.fault = self.dice.choice(MAIL_FAULTS) if is_bad else None
            self.faults[str(self.fault)] += self.fault is not None
        where, what_then = self.fault or ("", "")
        if where != ("RCPT" if "@" in what else what):
            return FINE
        if what_then == "hang up":
            hang_up(server)
            return FINE
        return what_then

    @property
    def identities(self) -> list[str]:
        return [mail["Message-ID"] for mail in self.mails]

    @property
    def ambiguous(self) -> int:
        return self.faults[str(AFTER_THE_TEXT)]


# What is done, and whether the message is kept.
WEB_FAULTS: dict[str, bool] = {
    "429": False,
    "500": False,
    "503": False,
    "422": False,
    "drop before the body": False,
    "drop before the answer": True,
    "half an answer": True,
    "drop after the answer": True,
    "slow": True,
}


class BadSite:
    """A web server that keeps JSON messages; `with BadSite(dice) as site:` it is open.

    Parameters
    ----------
    dice
        Chances of faults; None never fails.
    slow_s
        For how long it is silent when it is slow.

    Attributes
    ----------
    identities
        Message id of each message it kept, as often as it came.
    bodies
        What they said.
    signatures
        By whom they were signed, as each header has it; beside the bytes that it is for.
    ambiguous
        How often it kept a message and did not say so, or not for certain.
    """

    def __init__(self, dice: random.Random | None = None, *, slow_s: float = 0.5) -> None:
        self.dice = dice
        self.slow_s = slow_s
        self.identities: list[str] = []
        self.bodies: list[dict[str, object]] = []
        self.signatures: list[tuple[str | None, bytes]] = []
        self.faults: Counter[str] = Counter()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                site._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> BadSite:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def ambiguous(self) -> int:
        return sum(number for fault, number in self.faults.items() if WEB_FAULTS[fault])

    def _fault(self) -> str:
        if self.dice is None or self.dice.random() >= FAULTY:
            return ""
        fault = self.dice.choice(list(WEB_FAULTS))
        self.faults[fault] += 1
        return fault

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        fault = self._fault()
        if fault == "drop before the body":
            _reset(handler)
            return
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if WEB_FAULTS.get(fault, True):
            self.signatures.append((handler.headers["X-Corral-Signature"], body))
            self.identities.append(handler.headers["X-Corral-Message-Id"])
            self.bodies.append(json.loads(body))
        self._answers().get(fault, _say)(handler, fault)

    def _answers(self) -> dict[str, Callable[[BaseHTTPRequestHandler, str], None]]:
        return {
            "drop before the answer": lambda handler, _: _reset(handler),
            "half an answer": _say_half,
            "drop after the answer": _say_and_drop,
            "slow": self._say_late,
        }

    def _say_late(self, handler: BaseHTTPRequestHandler, _: str) -> None:
        time.sleep(self.slow_s)
        _say(handler, "")


def _say(handler: BaseHTTPRequestHandler, fault: str) -> None:
    handler.send_response(int(fault) if fault.isdigit() else 201)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _say_half(handler: BaseHTTPRequestHandler, _: str) -> None:
    handler.wfile.write(b"HTTP/1.1 201 Crea")
    handler.wfile.flush()
    handler.close_connection = True


def _say_and_drop(handler: BaseHTTPRequestHandler, _: str) -> None:
    _say(handler, "")
    _reset(handler)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """Let go of the line at once, with what is still on its way."""
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()
