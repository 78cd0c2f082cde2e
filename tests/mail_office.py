"""A mail server on this machine that takes everything, or does what it is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tools.airflow_env import free_port
from tools.progress import wait_until

Answer = str | Callable[[SMTP], Any]
FINE = "250 OK"
# The server tells of every command; thousands of mails would drown what a test says.
logging.getLogger("mail.log").setLevel(logging.WARNING)


class Office:
    """The mails it took, in their order; `with Office() as office:` it is open.

    Parameters
    ----------
    **how
        Arguments of the server's `Controller`: TLS, who may log in.

    Attributes
    ----------
    answers
        What it says, or does, to ``MAIL``, to an address, and to ``DATA`` when it has the text.
    recipients
        All addresses that were ever named to it.
    """

    def __init__(self, **how: Any) -> None:
        self._how = how
        self.mails: list[Message] = []
        self.recipients: set[str] = set()
        self.answers: dict[str, Answer] = {}
        self.port = free_port()
        self._controller: Controller | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Listen, at the same port whenever it is opened."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **self._how)
        self._controller.start()

    def close(self) -> None:
        """Let nobody in: who connects is refused."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_MAIL(self, server: SMTP, *rest: Any) -> str:
        _, envelope, address, _ = rest
        envelope.mail_from = address
        return self.answer("MAIL", server)

    async def handle_RCPT(self, server: SMTP, *rest: Any) -> str:
        _, envelope, address, _ = rest
        self.recipients.add(address)
        said = self.answer(address, server)
        if said == FINE:
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        said = self.answer("DATA", server)
        if said == FINE:
            self.mails.append(message_from_bytes(envelope.content))
        return said

    def answer(self, what: str, server: SMTP) -> str:
        """What is said to a command; one that is done instead of said leaves it fine."""
        answer = self.answers.get(what, FINE)
        if callable(answer):
            answer(server)
            return FINE
        return answer

    def about(self, words: str) -> list[Message]:
        """Mails whose subject holds `words`."""
        return [mail for mail in self.mails if words in str(mail["Subject"])]

    def wait_for(self, words: str, *, timeout_s: float = 60) -> Message:
        """The first mail whose subject holds `words`."""
        wait_until(lambda: None if self.about(words) else f"mail {words!r}", timeout_s=timeout_s)
        return self.about(words)[0]

    def text(self, mail: Message | None = None) -> str:
        """Text of a mail, by default of the one that came."""
        if mail is None:
            (mail,) = self.mails
        part = mail.get_payload(0) if mail.is_multipart() else mail
        assert isinstance(part, Message)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        return content.decode()


def hang_up(server: SMTP) -> None:
    """Close the line at once: no answer ever comes."""
    assert server.transport is not None
    server.transport.abort()  # type: ignore[attr-defined]


def smtp_connection(port: int, *, login: str = "", password: str = "", **extra: Any) -> str:
    """An Airflow connection to a mail server on this machine, as its environment has it."""
    plain = {"disable_ssl": True, "disable_tls": True, "from_email": "corral@example.org"}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": plain | extra}
    return json.dumps(connection | {"login": login, "password": password})
