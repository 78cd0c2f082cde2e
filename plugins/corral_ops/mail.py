"""E-mail, through the connection of Airflow's SMTP provider."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from airflow.providers.smtp.hooks.smtp import SmtpHook

SMTP_CONN_ID = "smtp_default"
_PAGE = "<html><body><pre>{text}</pre></body></html>"


class PromptSmtpHook(SmtpHook):
    """Tries once more at most: what cannot be sent now stays in the outbox."""

    @property
    def smtp_retry_limit(self) -> int:
        """Tries beside the first."""
        return min(1, super().smtp_retry_limit)


def recipients(options: Mapping[str, str]) -> list[str]:
    """Give the addresses that are told, by configuration alone; never from data.

    :param options: the pipeline's, of connection or environment: ``alert_to``.
    """
    return [address for address in re.split(r"[,;\s]+", options.get("alert_to", "")) if address]


def send(
    *, to: list[str], subject: str, body: str, message_id: str, conn_id: str = SMTP_CONN_ID
) -> None:
    """Hand one message to the mail server, or raise what kept it.

    :param to: addresses.
    :param subject: one printable line.
    :param body: plain text; shown as it is, whatever it holds.
    :param message_id: the same for every attempt at the same message.
    :param conn_id: a connection of type ``smtp``, with ``from_email``.
    """
    with PromptSmtpHook(conn_id) as server:
        server.send_email_smtp(
            to=to,
            subject=subject,
            html_content=_PAGE.format(text=html.escape(body)),
            custom_headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated"},
        )
