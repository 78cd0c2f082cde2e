"""Alerts reach people through a bad mail server, and whenever the postman is killed."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import select, update

from include.corral import parcel
from include.corral.audit import audit
from include.corral.corral import Corral
from include.corral.deliver import deliver
from include.corral.outbox import SEVERITIES, enqueue
from models import Alert, ChannelState, Delivery, DeliveryAttempt
from tests.chaos.child import Child
from tests.chaos.homes import Home
from tests.chaos.moments import Moments
from tests.chaos.night import new_home
from tests.mail_office import FINE, Office, hang_up, smtp_connection

pytestmark = pytest.mark.chaos

ALERTS = 10_000
FAULTY = 0.2
TO = "night@example.org"


class BadOffice(Office):
    """Fails at one mail in five, each time in another way; it knows which mails it took twice."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice
        self.faults: Counter[str] = Counter()

    def answer(self, what: str, server: SMTP) -> str:
        if what == "MAIL":
            self.fault = self.dice.choice(FAULTS) if self.dice.random() < FAULTY else None
            self.faults[str(self.fault)] += self.fault is not None
        where, what_then = self.fault or ("", "")
        if where != ("RCPT" if "@" in what else what):
            return FINE
        if what_then == "hang up":
            hang_up(server)
            return FINE
        return what_then


FAULTS = [
    ("MAIL", "451 later"),
    ("MAIL", "hang up"),
    ("RCPT", "450 grey list"),
    ("RCPT", "hang up"),
    ("DATA", "452 full"),
    ("DATA", "554 I do not like it"),
    ("DATA", "hang up"),  # after it has taken the mail
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An installation that nothing has come into."""
    (tmp_path / "inbox").mkdir()
    return new_home(tmp_path / "homes", tmp_path / "inbox")


def put(corral: Corral, number: int) -> None:
    with corral.write() as session:
        for each in range(number):
            severity = SEVERITIES[each % len(SEVERITIES)]
            text = f"alert {each}"
            enqueue(session, dedup_key=text, rule="r", subject=text, body=text, severity=severity)


def post(corral: Corral, *, messages_per_hour: int = 10**9) -> int:
    # Late: Airflow reads where it lives when it is first imported, which other tests choose.
    from corral_ops.mail import EmailChannel

    return deliver(
        corral, {"email": EmailChannel(to=TO, messages_per_hour=messages_per_hour)}
    ).messages


def waiting(corral: Corral) -> int:
    with corral.read() as session:
        return len(session.scalars(select(Delivery.id).where(Delivery.is_pending())).all())


@pytest.mark.timeout(1800)
def test_every_alert_arrives_through_a_server_that_fails_at_one_in_five(
    home, ledger, dice, monkeypatch
) -> None:
    """None is lost; one comes twice only where the line broke after the server had taken it."""
    for name in ("FIRST_PAUSE", "FIRST_REFUSAL_PAUSE"):
        monkeypatch.setattr(parcel, name, timedelta(0))
    began = time.monotonic()
    with BadOffice(dice) as office, home.corral() as corral:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(office.port))
        put(corral, ALERTS)
        while waiting(corral):
            post(corral)
        assert audit(corral) == []
        with corral.read() as session:
            wanted = {alert.message_id for alert in session.scalars(select(Alert))}
            given_up = session.scalars(
                select(Delivery.id).where(Delivery.status == "given_up")
            ).all()
    taken = Counter(mail["Message-ID"] for mail in office.mails)
    lost = wanted - taken.keys()
    twice = sum(taken.values()) - len(taken)
    violations = len(lost) + len(taken.keys() - wanted) + len(given_up)
    violations += twice > office.faults[str(("DATA", "hang up"))]
    faults = office.faults.total()
    ledger.add("F9 mail server that fails", faults, violations, time.monotonic() - began)
    assert (len(lost), len(given_up)) == (0, 0)
    assert violations == 0
    assert faults > ALERTS * FAULTY * 0.8


def test_postman_killed_at_every_moment_leaves_nothing_untold(home, ledger, monkeypatch) -> None:
    """Everything arrives; twice, and as the same mail, only what was on its way."""
    with home.corral() as corral:
        put(corral, 4)
    injected = violations = 0
    longest_s = 0.0
    for at in count(1):
        copy = home.copy()
        with Office() as office:
            monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(office.port))

            def work(copy=copy, at=at) -> None:
                with copy.corral() as corral:
                    Moments(copy.place, at=at).watch()
                    post(corral, messages_per_hour=3 if at % 2 else 100)

            code = Child(work).end()
            began = time.monotonic()
            with copy.corral() as corral:
                _let_time_pass(corral)
                post(corral)
                found = _what_is_wrong(corral, office)
            longest_s = max(longest_s, time.monotonic() - began)
        violations += len(found)
        assert found == [], f"moment {at}"
        copy.remove()
        if code == 0:
            break
        injected += 1
    ledger.add("F1 postman killed at every moment", injected, violations, longest_s)
    assert injected > 30


def _let_time_pass(corral: Corral) -> None:
    """Until nobody can think any more that the dead one still sends."""
    with corral.write() as session:
        for attempt in session.scalars(select(DeliveryAttempt)):
            attempt.begun_at -= timedelta(minutes=6)
        session.execute(update(ChannelState).values(paused_until=None))


def _what_is_wrong(corral: Corral, office: Office) -> list[str]:
    found = [str(violation) for violation in audit(corral)]
    if left := waiting(corral):
        found.append(f"{left} still wait")
    told = Counter(
        line
        for mail in {mail["Message-ID"]: mail for mail in office.mails}.values()
        for line in set(office.text(mail).split("\r\n"))
        if line.startswith("alert ")
    )
    found += [
        f"alert {each}: told {told[f'alert {each}']} times"
        for each in range(4)
        if told[f"alert {each}"] != 1
    ]
    with corral.read() as session:
        unknown = session.scalars(
            select(DeliveryAttempt.message_id).where(DeliveryAttempt.outcome == "unknown")
        ).all()
    repeated = Counter(mail["Message-ID"] for mail in office.mails)
    found += [
        f"{name} came {number} times"
        for name, number in repeated.items()
        if number > 1 and name not in unknown
    ]
    return found
