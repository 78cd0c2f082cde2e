"""Messages are posted, signed, and it is known whether they arrived."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import httpx
import pytest

from include.corral.channel import NotNow, Refused
from include.corral.channels.webhook import WebhookChannel
from tests.include.corral.channels.conftest import Site, hang_up, make_message, status
from tools.airflow_env import free_port


def test_message_arrives_signed(site: Site) -> None:
    """As JSON; a server with the secret can tell who sent it, and that it is whole."""
    message = make_message("ü {{ 7*7 }} <script>")
    WebhookChannel(url=site.url, secret="s3cret").send(message)
    ((headers, body),) = site.requests
    assert json.loads(body)["alerts"][0]["subject"] == "ü {{ 7*7 }} <script>"
    expected = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert headers["X-Corral-Signature"] == f"sha256={expected}"
    assert headers["X-Corral-Message-Id"] == message.message_id


@pytest.mark.parametrize("code", [200, 201, 204, 409])
def test_answers_that_mean_taken(site: Site, code: int) -> None:
    """409 says that it has the message already."""
    site.answer = status(code)
    WebhookChannel(url=site.url).send(make_message())


@pytest.mark.parametrize("code", [301, 307, 401, 404, 429, 500, 503])
def test_answers_that_mean_later(site: Site, code: int) -> None:
    """A redirect is not followed: it would hand the message to somebody else."""
    site.answer = status(code, Location="http://127.0.0.1:1/elsewhere")
    with pytest.raises(NotNow, match=str(code)):
        WebhookChannel(url=site.url).send(make_message())
    assert len(site.requests) == 1


@pytest.mark.parametrize("code", [400, 413, 422])
def test_answers_that_mean_never(site: Site, code: int) -> None:
    """The message itself is not wanted."""
    site.answer = status(code)
    with pytest.raises(Refused, match=str(code)):
        WebhookChannel(url=site.url).send(make_message())


def test_nobody_there_is_certain() -> None:
    """The message has not arrived."""
    with pytest.raises(NotNow):
        WebhookChannel(url=f"http://127.0.0.1:{free_port()}/").send(make_message())


def test_line_that_breaks_leaves_it_open(site: Site) -> None:
    """It may have arrived; here it has."""
    site.answer = hang_up
    with pytest.raises(httpx.HTTPError):
        WebhookChannel(url=site.url).send(make_message())
    assert len(site.requests) == 1


def test_server_that_is_too_slow_leaves_it_open(site: Site) -> None:
    """Nobody waits for it for ever."""
    site.answer = lambda _: time.sleep(0.5)
    with pytest.raises(httpx.ReadTimeout):
        WebhookChannel(url=site.url, timeout_s=0.1).send(make_message())
