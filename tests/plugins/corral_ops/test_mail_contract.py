"""E-mail keeps what channels promise, as a page and as an SMS."""

from __future__ import annotations

from email.message import Message
from typing import Any

import pytest

from corral_ops.mail import EmailChannel
from include.corral.channel import Channel
from tests.include.corral.channels.contract import ChannelContract, FarSide, Taken
from tests.mail_office import Office, hang_up

TO = ["night@example.org"]
OWN = {"subject", "from", "to", "date", "message-id", "auto-submitted", "mime-version"}
OWN |= {"content-type", "content-transfer-encoding", "x-peer", "x-mailfrom", "x-rcptto"}


class PostOffice(FarSide):
    """A mail server on this machine."""

    def __init__(self, office: Office, **options: Any) -> None:
        self.office, self._options = office, options

    def channel(self, **options: Any) -> Channel:
        return EmailChannel(to=TO, **self._options | options)

    def taken(self) -> list[Taken]:
        return [self._taken(mail) for mail in self.office.mails]

    def _taken(self, mail: Message) -> Taken:
        text = f"{mail['Subject']}\n{self.office.text(mail)}"
        return Taken(mail["Message-ID"], text, len(mail.as_bytes()))

    def close(self) -> None:
        self.office.answers["MAIL"] = "451 later"

    def reopen(self) -> None:
        self.office.answers.clear()

    def break_off(self) -> bool:
        self.office.answers["DATA"] = hang_up
        return True

    def refuse(self) -> bool:
        self.office.answers["DATA"] = "554 I do not like it"
        return True

    def strangers(self) -> list[str]:
        """Headers that the channel does not make, recipients, and markup of others."""
        found = [name for mail in self.office.mails for name in mail if name.lower() not in OWN]
        for mail in self.office.mails:
            for part in mail.walk():
                if part.get_content_type() == "text/html":
                    page = part.get_payload(decode=True).decode()
                    found += ["<script>"] if "<script>" in page else []
        return found + sorted(self.office.recipients - set(TO))


class TestEmail(ChannelContract):
    @pytest.fixture
    def far(self, mailbox: Office) -> PostOffice:
        return PostOffice(mailbox)


class TestSms(ChannelContract):
    @pytest.fixture
    def far(self, mailbox: Office) -> PostOffice:
        office = PostOffice(mailbox, plain=True, max_chars=300)
        office.shows_body = False
        return office
