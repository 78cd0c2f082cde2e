"""E-mail, through the connection of Airflow's SMTP provider."""

from __future__ import annotations

import html
import logging
import re
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.providers.smtp.hooks.smtp import SmtpHook

from include.corral.channel import Channel, NotNow, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from include.corral.message import Message

log = logging.getLogger(__name__)

SMTP_CONN_ID = "smtp_default"
# A report is smaller; encoded for mail it is a third larger.
ATTACH_KB = 200.0
NO_RECIPIENT = "nobody to tell: set CORRAL_ALERT_TO, or `alert_to` in the connection, to addresses"
# What every server takes, however old.
POLICY = SMTP.clone(cte_type="7bit")
PAGE = '<html><body><pre style="white-space: pre-wrap">{text}</pre></body></html>'


class PromptSmtpHook(SmtpHook):
    """Connects once: what cannot be sent now stays in the outbox."""

    @property
    def smtp_retry_limit(self) -> int:
        """Tries to connect, beside the first."""
        return 0

    @property
    def client(self) -> smtplib.SMTP:
        """The connection, once it is made."""
        return cast("smtplib.SMTP", self._smtp_client)

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        if self._smtp_client is not None:
            self._smtp_client.close()
            self._smtp_client = None


class EmailChannel(Channel):
    """Mails messages, as text and as HTML that shows that text.

    With ``plain`` and ``max_chars`` it is a gateway from mail to SMS.

    :param to: addresses, as a list or separated by commas; by configuration alone, never from data.
    :param conn_id: a connection of type ``smtp``, with ``from_email``.
    :param plain: leave the HTML out.
    :param max_chars: of the text; 0 does not cut it.
    :param attach: ``report`` adds the page that the context of an alert names in the folder of
        reports; empty leaves it at the link that the text has.
    :param attach_kb: of all that is attached to one mail; what is larger stays a link.
    :param options: of any channel.
    """

    kind: ClassVar[str] = "email"

    def __init__(
        self,
        *,
        to: str | Sequence[str],
        conn_id: str = SMTP_CONN_ID,
        plain: bool = False,
        max_chars: int = 0,
        attach: str = "",
        attach_kb: float = ATTACH_KB,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if attach not in {"", "report"}:
            raise ValueError(f"attach is {attach!r}; known is report")
        self.to = addresses(to)
        self.conn_id = conn_id
        self.plain = plain
        self.max_chars = max_chars
        self.attach = attach
        self.attach_bytes = int(1000 * attach_kb)

    def send(self, message: Message) -> None:
        """Hand it to the mail server; when this returns the server has it for every address.

        An address that the server does not know keeps nobody else from getting the message.
        """
        if not self.to:
            raise NotNow(NO_RECIPIENT)
        with _connected(self.conn_id) as hook:
            mail = self._compose(message, hook.from_email or "corral@localhost")
            hand_over(hook.client, mail, self.to)

    def _compose(self, message: Message, sender: str) -> EmailMessage:
        text = message.text[: self.max_chars or None]
        mail = EmailMessage(policy=POLICY)
        mail["Subject"] = message.subject
        mail["From"] = sender
        mail["To"] = ", ".join(self.to)
        # Of the cause, not of the attempt: every attempt is the same message.
        mail["Date"] = formatdate(message.alerts[-1].created_at.timestamp())
        mail["Message-ID"] = message.message_id
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        if not self.plain:
            mail.add_alternative(PAGE.format(text=html.escape(text)), subtype="html")
        if self.attach and self.settings is not None:
            for path, content in attachments(message, self.settings.reports, self.attach_bytes):
                mail.add_attachment(content, maintype="text", subtype="html", filename=path.name)
        return mail


def attachments(message: Message, folder: Path, limit_bytes: int) -> Iterator[tuple[Path, bytes]]:
    """Give the pages that the alerts of a message name, as long as they fit.

    :param message: whose alerts may have ``report`` in their context: the name of a page.
    :param folder: of reports; nothing outside it is ever attached.
    :param limit_bytes: of all of them.
    """
    names = (alert.context.get("report") for alert in message.alerts if alert.context)
    for name in dict.fromkeys(str(name) for name in names if name):
        path = folder / name
        if path.parent != folder or path.suffix != ".html" or path.is_symlink():
            log.warning("%r is no page of %s: not attached", name, folder)
            continue
        try:
            content = path.read_bytes() if path.stat().st_size <= limit_bytes else None
        except (OSError, ValueError) as error:
            log.warning("%s is not attached: %s", path, error)
            continue
        if content is None or len(content) > limit_bytes:
            log.info("%s is larger than may be attached", path)
            continue
        limit_bytes -= len(content)
        yield path, content


def addresses(to: str | Sequence[str]) -> list[str]:
    """Give addresses one by one.

    :param to: a list, or text in which they are separated by commas or blanks.
    """
    text = to if isinstance(to, str) else ",".join(to)
    return [address for address in re.split(r"[,;\s]+", text) if address]


@contextmanager
def _connected(conn_id: str) -> Iterator[PromptSmtpHook]:
    """Give the hook, connected and logged in; whatever keeps it from that means "not now"."""
    hook = PromptSmtpHook(conn_id)
    try:
        try:
            hook.get_conn()
        except Exception as error:
            from models.session import first_line

            raise NotNow(f"{type(error).__name__}: {first_line(error)}") from error
        yield hook
    finally:
        hook.close()


def hand_over(client: smtplib.SMTP, mail: EmailMessage, to: Sequence[str]) -> None:
    """Give a mail to a server, and tell by the exception how far it came.

    :param client: connected.
    :param mail: what is sent.
    :param to: addresses.
    :raises NotNow: before the server had the text, or it said that it may take it later.
    :raises Refused: it does not want it, or knows none of the addresses.
    :raises smtplib.SMTPException: the line broke when it may have had all of it.
    """
    try:
        client.ehlo_or_helo_if_needed()
        _require(client.mail(mail["From"]), "the sender")
        _recipients(client, to)
    except (OSError, smtplib.SMTPException) as error:
        raise NotNow(f"{type(error).__name__}: {error}") from error
    try:
        answer = client.data(mail.as_bytes())
    except smtplib.SMTPDataError as error:  # before the text
        answer = error.smtp_code, str(error.smtp_error).encode()
    _require(answer, "the message")


def _recipients(client: smtplib.SMTP, to: Sequence[str]) -> None:
    """Name the addresses; those that the server does not know are left out, unless that is all."""
    unknown = []
    for address in to:
        code, said = client.rcpt(address)
        if 500 <= code < 600:
            unknown.append(f"{address} ({code} {_words(said)})")
        else:  # one that may be taken later: all of them later, or some would get it twice
            _require((code, said), address)
    if len(unknown) == len(to):
        raise Refused(f"the server knows no address: {'; '.join(unknown)}")
    if unknown:
        log.warning("left out, as the server does not know them: %s", "; ".join(unknown))


def _require(answer: tuple[int, bytes], what: str) -> None:
    code, said = answer
    if 200 <= code < 300:
        return
    words = f"{what}: {code} {_words(said)}"
    raise Refused(words) if 500 <= code < 600 else NotNow(words)


def _words(said: bytes) -> str:
    return said.decode(errors="replace")[:200]
