"""Alerts arrive through bad servers of mail and web, and whenever the postman is killed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select, update

from include.corral import parcel
from include.corral.audit import audit
from include.corral.channel import Channel
from include.corral.channels.webhook import WebhookChannel
from include.corral.corral import Corral
from include.corral.deliver import deliver
from models import ChannelState, DeliveryAttempt
from tests.bad_servers import FAULTY, BadOffice, BadSite
from tests.chaos.child import Child
from tests.chaos.homes import Home
from tests.chaos.moments import Moments
from tests.chaos.night import new_home
from tests.mail_office import Office, smtp_connection
from tests.outbox_trials import NAME, post_all, put, toll, waiting

pytestmark = pytest.mark.chaos

ALERTS = 10_000
MANY = 10**9
Told = list[tuple[str, str]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An installation that nothing has come into."""
    (tmp_path / "inbox").mkdir()
    return new_home(tmp_path / "homes", tmp_path / "inbox")


@pytest.fixture
def no_pauses(monkeypatch) -> None:
    """The postman tries again at once."""
    for name in ("FIRST_PAUSE", "FIRST_REFUSAL_PAUSE"):
        monkeypatch.setattr(parcel, name, timedelta(0))


def email(messages_per_hour: int = MANY) -> Channel:
    # Late: Airflow reads where it lives when it is first imported, which other tests choose.
    from corral_ops.mail import EmailChannel

    return EmailChannel(to="night@example.org", messages_per_hour=messages_per_hour)


@pytest.mark.timeout(3600)
def test_every_alert_arrives_through_a_mail_server_that_fails_at_one_in_five(
    home, ledger, dice, monkeypatch, no_pauses
) -> None:
    """None is lost; one comes twice only where the line broke after the server had taken it."""
    with BadOffice(dice) as office, home.corral() as corral:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(office.port))
        _all_arrive(corral, email(), office, ledger, "F9 mail server that fails")


@pytest.mark.timeout(3600)
def test_every_alert_arrives_through_a_web_server_that_fails_at_one_in_five(
    home, ledger, dice, no_pauses
) -> None:
    """The same of posts: refused, later, broken off before and after the answer, too slow."""
    with BadSite(dice, slow_s=0.3) as site, home.corral() as corral:
        # Of a busy machine nobody can say that it answers at once.
        channel = WebhookChannel(url=site.url, timeout_s=0.2, messages_per_hour=MANY)
        _all_arrive(corral, channel, site, ledger, "F9 web server that fails")


def _all_arrive(corral: Corral, channel: Channel, server, ledger, name: str) -> None:
    began = time.monotonic()
    put(corral, ALERTS)
    post_all(corral, channel)
    found = toll(corral, server.identities)
    faults = server.faults.total()
    # A time-out of a busy machine leaves as much open as one of a slow server.
    with corral.read() as session:
        unknown = len(
            session.scalars(
                select(DeliveryAttempt.id).where(DeliveryAttempt.outcome == "unknown")
            ).all()
        )
    violations = found.violations(unknown)
    ledger.add(name, faults, violations, time.monotonic() - began)
    print(f"\n{name}: {found}, {unknown} left open, {dict(server.faults)}")
    assert (found.lost, found.given_up, found.broken) == (0, 0, 0)
    assert violations == 0
    assert faults > ALERTS * FAULTY * 0.8


def test_postman_killed_at_every_moment_with_mail_leaves_nothing_untold(
    home, ledger, monkeypatch
) -> None:
    """Everything arrives; twice, and as the same mail, only what was on its way."""

    def trial(kill: Callable[[Callable[[int], Channel]], int]) -> tuple[int, Told]:
        with Office() as office:
            monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(office.port))
            code = kill(email)
            return code, [(mail["Message-ID"], office.text(mail)) for mail in office.mails]

    _killed_at_every_moment(home, ledger, trial, "F1 postman with mail killed at every moment")


def test_postman_killed_at_every_moment_with_posts_leaves_nothing_untold(home, ledger) -> None:
    """The same over the web."""

    def trial(kill: Callable[[Callable[[int], Channel]], int]) -> tuple[int, Told]:
        with BadSite() as site:
            code = kill(lambda rate: WebhookChannel(url=site.url, messages_per_hour=rate))
            texts = [str(body["text"]) for body in site.bodies]
            return code, list(zip(site.identities, texts, strict=True))

    _killed_at_every_moment(home, ledger, trial, "F1 postman with posts killed at every moment")


def _killed_at_every_moment(home: Home, ledger, trial, name: str) -> None:
    with home.corral() as corral:
        put(corral, 4)
    injected = violations = 0
    longest_s = 0.0
    for at in count(1):
        copy = home.copy()
        seconds: list[float] = []

        def kill(make, copy=copy, at=at, seconds=seconds) -> int:
            def work() -> None:
                with copy.corral() as corral:
                    Moments(copy.place, at=at).watch()
                    deliver(corral, {NAME: make(3 if at % 2 else 100)})

            code = Child(work).end()
            began = time.monotonic()
            with copy.corral() as corral:
                _let_time_pass(corral)
                deliver(corral, {NAME: make(MANY)})
            seconds.append(time.monotonic() - began)
            return code

        code, told = trial(kill)
        with copy.corral() as corral:
            found = _what_is_wrong(corral, told)
        longest_s = max(longest_s, *seconds)
        violations += len(found)
        assert found == [], f"moment {at}"
        copy.remove()
        if code == 0:
            break
        injected += 1
    ledger.add(name, injected, violations, longest_s)
    print(f"\n{name}: {injected} moments")
    assert injected > 30


def _let_time_pass(corral: Corral) -> None:
    """Until nobody can think any more that the dead one still sends."""
    with corral.write() as session:
        for attempt in session.scalars(select(DeliveryAttempt)):
            attempt.begun_at -= timedelta(minutes=6)
        session.execute(update(ChannelState).values(paused_until=None))


def _what_is_wrong(corral: Corral, told: Told) -> list[str]:
    found = [str(violation) for violation in audit(corral)]
    if left := waiting(corral):
        found.append(f"{left} still wait")
    times = Counter(
        line
        for text in dict(told).values()
        for line in set(text.splitlines())
        if line.startswith("alert ")
    )
    found += [
        f"alert {each}: told {times[f'alert {each}']} times"
        for each in range(4)
        if times[f"alert {each}"] != 1
    ]
    with corral.read() as session:
        unknown = session.scalars(
            select(DeliveryAttempt.message_id).where(DeliveryAttempt.outcome == "unknown")
        ).all()
    repeated = Counter(identity for identity, _ in told)
    found += [
        f"{name} came {number} times"
        for name, number in repeated.items()
        if number > 1 and name not in unknown
    ]
    return found
