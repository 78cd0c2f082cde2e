"""A web service: each message is posted as signed JSON."""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from include.corral.channel import Channel, NotNow, Refused, resolve_secret
from include.corral.message import Message

if TYPE_CHECKING:
    import ssl

TIMEOUT_S = 20.0
SIGNATURE = "X-Corral-Signature"
MESSAGE_ID = "X-Corral-Message-Id"
# The other side has the message, though it says so by an error.
TAKEN = frozenset({409})
# Of itself, not of the message.
PASSING = frozenset({401, 403, 404, 408, 423, 425, 429})


class WebhookChannel(Channel):
    """Posts messages to a URL.

    The body is JSON; the header ``X-Corral-Signature`` is ``sha256=`` and the hex HMAC-SHA256 of
    the body under the secret, ``X-Corral-Message-Id`` is the same for every attempt at the same
    message. Any 2xx, or 409 for one that it has, means taken.

    Parameters
    ----------
    url
        ``http`` or ``https``; redirects are not followed.
    secret
        For the signature; ``env:NAME`` takes it from the environment.
    timeout_s
        Seconds that the other side may be silent.
    **options
        Of any channel.
    """

    kind: ClassVar[str] = "webhook"

    def __init__(
        self, *, url: str, secret: str = "", timeout_s: float = TIMEOUT_S, **options: Any
    ) -> None:
        super().__init__(**options)
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"url {url!r} is neither http nor https")
        self.url = url
        self.timeout_s = timeout_s
        self._secret = resolve_secret("secret", secret)

    def send(self, message: Message) -> None:
        """Post it; when this returns the other side has said that it has it."""
        post(
            self.url,
            json.dumps(message.as_json(), sort_keys=True).encode(),
            content_type="application/json",
            message_id=message.message_id,
            key=self._secret,
            timeout_s=self.timeout_s,
        )


def post(
    url: str,
    body: bytes,
    *,
    content_type: str,
    message_id: str,
    key: str = "",
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Post a body, signed when there is a key.

    Raises
    ------
    NotNow
        Nobody answers there, or the answer says "later".
    Refused
        The answer says that the message is wrong.
    httpx.HTTPError
        It broke off after the request was begun: it may have arrived.
    """
    import httpx

    headers = {"Content-Type": content_type, MESSAGE_ID: message_id, "User-Agent": "corral"}
    if key:
        headers[SIGNATURE] = sign(body, key)
    try:
        # Not to be redirected: message and signature would go to somebody else.
        answer = httpx.post(
            url, content=body, headers=headers, timeout=timeout_s, verify=_trusted()
        )
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise NotNow(f"{url}: {error}") from error
    _judge(answer.status_code, f"HTTP {answer.status_code} {answer.reason_phrase}")


@cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates count; to read them takes longer than a message."""
    import httpx

    return httpx.create_ssl_context()


def sign(body: bytes, key: str) -> str:
    """Give the value of the signature's header."""
    return f"sha256={hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}"


def _judge(status: int, said: str) -> None:
    if status in TAKEN or 200 <= status < 300:
        return
    if status >= 500 or status in PASSING or 300 <= status < 400:
        raise NotNow(said)
    raise Refused(said)
