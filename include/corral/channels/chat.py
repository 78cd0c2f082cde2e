"""A hundred chat and SMS services, through Apprise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from include.corral.channel import Channel, NotNow, resolve_secret
from include.corral.errors import ConfigurationError
from include.corral.message import Message

KINDS_OF_NOTE = {"critical": "failure", "warning": "warning", "info": "info"}


class AppriseChannel(Channel):
    """Sends messages to services that Apprise knows (Slack, Telegram, Matrix, Twilio, ntfy, …).

    Parameters
    ----------
    urls
        Apprise's URLs, each with the credentials of its service; ``env:NAME`` takes one from the
        environment.
    **options
        Of any channel.
    """

    kind: ClassVar[str] = "apprise"

    def __init__(self, *, urls: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        import apprise

        self._services = apprise.Apprise()
        for number, url in enumerate(urls, start=1):
            if not self._services.add(resolve_secret("urls", url)):
                # the URL itself holds a password
                raise ConfigurationError(f"URL {number} is not one that Apprise understands")

    def send(self, message: Message) -> None:
        """Send it to each service; Apprise only tells whether all have taken it.

        As these have no place for an identifier, the text ends in one: who gets it twice can see
        that it is one message.
        """
        import apprise

        note = apprise.NotifyType(KINDS_OF_NOTE[message.severity])
        body = f"{message.text}\n#{message.reference}"
        taken = self._services.notify(title=message.subject, body=body, notify_type=note)
        if taken is None:
            raise NotNow("no service is named")
        if not taken:
            raise OSError("a service has not taken it; Apprise's log says which")
