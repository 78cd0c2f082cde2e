"""VOEvent 2.0 packets: what was seen in the sky, for brokers and robotic telescopes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import ClassVar

from include.corral.channel import Channel, NotNow, Refused, Unfit, resolve_secret
from include.corral.channels.voevent_packet import local_id, voevent
from include.corral.channels.webhook import TIMEOUT_S, post
from include.corral.message import Message
from include.corral.sky_event import SkyEvent
from include.corral.whole_file import write_whole
from models.alert import Alert

# An authority and a resource, as IVOA Identifiers 2.0 has them.
STREAM = re.compile(r"[a-zA-Z0-9][\w\-.~*'()]{2,}(/[\w\-.~*'()]+)+", re.ASCII)


class VOEventChannel(Channel):
    """Writes a VOEvent 2.0 packet for each alert, into a folder or to a URL.

    Alerts whose context has a `SkyEvent` can be said so; any other is given up at once, with the
    reason. The packet is made of nothing but the alert: its ``ivorn``, by which brokers know one
    they have, is the same at every attempt, and so is every byte.

    Parameters
    ----------
    stream
        Authority and resource of the identifiers: ``example.org/toritos``.
    folder
        Where files go; one for each packet, whole or not at all.
    url
        Where packets are posted; the answers mean what they mean to `WebhookChannel`.
    secret
        For the signature of what is posted; ``env:NAME`` takes it from the environment.
    role
        ``observation``, or ``test`` while nobody is to point a telescope.
    contact_name, contact_email
        Who can be asked.
    timeout_s
        Seconds that the other side may be silent.

    Raises
    ------
    ValueError
        If there is neither a folder nor a URL, or both; or the stream or role cannot be.
    """

    kind: ClassVar[str] = "voevent"

    def __init__(
        self,
        *,
        stream: str,
        folder: str = "",
        url: str = "",
        secret: str = "",
        role: str = "observation",
        contact_name: str = "",
        contact_email: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        # A packet tells of one event: there are no digests.
        super().__init__(messages_per_hour=sys.maxsize)
        if bool(folder) == bool(url):
            raise ValueError("name a folder or a url, one of them")
        if url and not url.startswith(("http://", "https://")):
            raise ValueError(f"url {url!r} is neither http nor https")
        if role not in {"observation", "test"}:
            raise ValueError(f"role {role!r} is neither observation nor test")
        if not STREAM.fullmatch(stream):
            raise ValueError(f"stream {stream!r} is not like example.org/toritos")
        self.folder = Path(folder).expanduser() if folder else None
        self.url, self.timeout_s = url, timeout_s
        self._secret = resolve_secret("secret", secret)
        self._stream, self._role = stream, role
        self._contact = {"contactName": contact_name, "contactEmail": contact_email}

    def send(self, message: Message) -> None:
        """Hand over the packet of the message's alert; several have to come one by one."""
        if len(message.alerts) > 1:
            raise Refused("a packet tells of one event")
        (alert,) = message.alerts
        packet = self.packet(alert)
        if self.folder is not None:
            _write(self.folder / f"{local_id(alert)}.xml", packet)
        else:
            post(
                self.url,
                packet,
                content_type="application/xml",
                message_id=alert.message_id,
                key=self._secret,
                timeout_s=self.timeout_s,
            )

    def packet(self, alert: Alert) -> bytes:
        """Give the packet of an alert.

        Raises
        ------
        Unfit
            If the alert does not say where in the sky, when, or how bright.
        """
        try:
            event = SkyEvent.from_context(alert.context)
        except ValueError as error:
            raise Unfit(str(error)) from error
        role = "test" if event.is_test else self._role
        return voevent(alert, event, stream=self._stream, role=role, contact=self._contact)


def _write(path: Path, packet: bytes) -> None:
    """Put a packet at `path`; who reads the folder sees it whole, or not at all."""
    try:
        write_whole(path, packet)
    except OSError as error:
        raise NotNow(f"{path}: {error.strerror}") from error
