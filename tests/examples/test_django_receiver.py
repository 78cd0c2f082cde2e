"""The Django example takes what the webhook channel sends, once, and shows it as text."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from include.corral.channel import NotNow, Refused
from include.corral.channels.webhook import WebhookChannel, post, sign
from include.corral.corral import Corral
from include.corral.deliver import deliver
from include.corral.message import Message
from include.corral.outbox import enqueue
from include.corral.settings import Settings
from models import Alert

SITE = Path(__file__).resolve().parents[2] / "examples" / "django_receiver"
SECRET = "a-long-random-text"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site on loopback, started as its README says."""
    database = tmp_path_factory.mktemp("django") / "alerts.db"
    env = os.environ | {"CORRAL_WEBHOOK_SECRET": SECRET, "RECEIVER_DATABASE": str(database)}
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v", "0"], cwd=SITE, env=env, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    command = [*manage, "runserver", "--noreload", "--nothreading", place]
    with (database.parent / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=SITE, env=env, stdout=log, stderr=log)
    try:
        wait_for(f"http://{place}/", server)
        yield f"http://{place}"
    finally:
        server.terminate()
        server.wait(20)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "the site ended by itself"
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(url)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Corral]:
    corral = Corral(Settings.below(tmp_path))
    yield corral
    corral.close()


def put(corral: Corral, key: str, **columns: str) -> None:
    given = {"rule": "Test", "subject": f"about {key}", "body": f"body of {key}"} | columns
    with corral.write() as session:
        enqueue(session, dedup_key=key, channels=["page"], **given)


def channel(address: str, secret: str = SECRET, **options: int) -> WebhookChannel:
    return WebhookChannel(url=f"{address}/hook", secret=secret, **options)


def articles(address: str) -> list[str]:
    return httpx.get(address).text.split("<article")[1:]


def test_alerts_of_the_outbox_are_shown_the_newest_first(address, outbox) -> None:
    """With what they say, and how grave they are."""
    put(outbox, "moon-1", severity="info")
    assert deliver(outbox, {"page": channel(address)}).alerts == 1
    put(outbox, "moon-2", severity="critical")
    assert deliver(outbox, {"page": channel(address)}).alerts == 1
    newest, before = articles(address)[:2]
    assert 'class="critical"' in newest
    assert "body of moon-2" in newest
    assert 'class="info"' in before
    assert "about moon-1" in before


def test_many_alerts_come_as_one_digest(address, outbox) -> None:
    """As a person reads it."""
    for number in range(4):
        put(outbox, f"star-{number}")
    done = deliver(outbox, {"page": channel(address, messages_per_hour=1)})
    assert (done.messages, done.alerts) == (1, 4)
    assert "4 alerts" in articles(address)[0]


def test_message_that_comes_twice_is_kept_once(address, outbox) -> None:
    """The channel takes the second answer for delivered, too."""
    put(outbox, "twice")
    with outbox.read() as session:
        message = Message([session.get(Alert, 1)])
    for _ in range(2):
        channel(address).send(message)
    assert sum("about twice" in article for article in articles(address)) == 1


def test_what_is_not_signed_with_the_secret_is_kept_out(address, outbox) -> None:
    """It stays in the outbox: the fault may be on the other side."""
    put(outbox, "forged")
    for secret in ("", "another"):
        assert deliver(outbox, {"page": channel(address, secret)}).alerts == 0
    body = b'{"message_id": "<forged@corral>"}'
    headers = {"X-Corral-Signature": sign(body, "another")}
    assert httpx.post(f"{address}/hook", content=body, headers=headers).status_code == 401
    strange = {"X-Corral-Signature": b"sha256=\xfc"}
    assert httpx.post(f"{address}/hook", content=body, headers=strange).status_code == 401
    assert not any("forged" in article for article in articles(address))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"message_id": 1}', b"\xff"])
def test_signed_nonsense_is_refused_and_leaves_nothing(address, body) -> None:
    """What is no message is the sender's fault."""
    before = len(articles(address))
    with pytest.raises(Refused):
        post(
            f"{address}/hook",
            body,
            content_type="application/json",
            message_id="<x@corral>",
            key=SECRET,
        )
    assert len(articles(address)) == before


def test_markup_in_an_alert_is_shown_as_text(address, outbox) -> None:
    """Neither a script nor a template runs."""
    put(outbox, "hostile", subject="<script>alert(1)</script>", body="{{ 7*7 }} <b>{% now %}")
    deliver(outbox, {"page": channel(address)})
    newest = articles(address)[0]
    assert "&lt;script&gt;alert(1)" in newest
    assert "{{ 7*7 }} &lt;b&gt;{% now %}" in newest
    answer = httpx.get(address)
    assert "<script" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_migration_agrees_with_the_model(tmp_path) -> None:
    """Django would make no other one."""
    command = [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"]
    env = os.environ | {"RECEIVER_DATABASE": str(tmp_path / "alerts.db")}
    subprocess.run(command, cwd=SITE, env=env, check=True, capture_output=True)


def test_site_that_is_down_loses_nothing(outbox) -> None:
    """Nobody answers: the channel says "not now"."""
    put(outbox, "later")
    with outbox.read() as session:
        message = Message([session.get(Alert, 1)])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NotNow):
        channel(nobody).send(message)
