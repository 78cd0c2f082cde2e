"""What waits in the outbox goes out once, when the mail server takes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from corral_ops.deliver import deliver_pending
from include.corral.corral import Corral
from include.corral.outbox import enqueue
from models import Alert, Delivery
from models.alert import AlertStatus

NO_SERVER = (
    '{"conn_type": "smtp", "host": "127.0.0.1", "port": 1, "extra":'
    ' {"disable_ssl": true, "disable_tls": true, "from_email": "corral@example.org"}}'
)


@pytest.fixture
def unreachable(monkeypatch):
    """A mail server that is down."""
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", NO_SERVER)


def put(installation: Corral, *keys: str, rule: str = "free_space", channels=("email",)) -> None:
    with installation.write() as session:
        for key in keys:
            enqueue(
                session,
                dedup_key=key,
                rule=rule,
                subject=f"[corral] {key}",
                body="Free some room.",
                channels=channels,
            )


def statuses(installation: Corral) -> list[str]:
    with installation.read() as session:
        return list(session.scalars(select(Alert.status).order_by(Alert.id)))


def wait(installation: Corral, time: timedelta) -> None:
    """As if all that happened had happened so much earlier."""
    with installation.write() as session:
        for column in (Alert.created_at, Delivery.attempted_at):
            for row in session.scalars(select(column.class_)).all():
                setattr(row, column.key, getattr(row, column.key) - time)


def test_pending_alerts_are_mailed_once_the_oldest_first(installation, mailbox):
    """Not more than asked for at a time; each with the Message-ID of its row."""
    put(installation, "a", "b", "c")
    assert deliver_pending(installation, at_most=2) == 2
    assert [deliver_pending(installation) for _ in range(2)] == [1, 0]
    assert [mail["Subject"] for mail in mailbox.mails] == [f"[corral] {key}" for key in "abc"]
    with installation.read() as session:
        ids = [alert.message_id for alert in session.scalars(select(Alert).order_by(Alert.id))]
    assert [mail["Message-ID"] for mail in mailbox.mails] == ids
    assert statuses(installation) == [AlertStatus.SENT] * 3


def test_server_that_is_down_is_tried_a_little_and_left_in_peace(installation, unreachable):
    """Two attempts for a hundred alerts; each is on record, none is lost."""
    put(installation, *map(str, range(100)))
    assert deliver_pending(installation) == 0
    with installation.read() as session:
        attempts = session.scalars(select(Delivery)).all()
    assert [attempt.delivered for attempt in attempts] == [False, False]
    assert "refused" in attempts[0].message
    assert set(statuses(installation)) == {AlertStatus.PENDING}


def test_pauses_between_attempts_double(installation, unreachable):
    """Ten minutes, twenty, …, six hours at most."""
    put(installation, "a")
    made = []
    for minutes in (0, 9, 2, 11, 10, 30, 11):
        wait(installation, timedelta(minutes=minutes))
        deliver_pending(installation)
        with installation.read() as session:
            made.append(len(session.scalars(select(Delivery)).all()))
    assert made == [1, 1, 2, 2, 3, 3, 4]
    with installation.write() as session:
        session.execute(update(Delivery).values(attempted_at=datetime.now(UTC)))
        for _ in range(20):
            values = {"channel": "email", "delivered": False, "attempted_at": datetime.now(UTC)}
            session.add(Delivery(alert_id=1, **values))
    wait(installation, timedelta(hours=6, minutes=1))
    deliver_pending(installation)
    with installation.read() as session:
        assert len(session.scalars(select(Delivery)).all()) == 25


def test_backlog_goes_out_when_the_server_is_back(installation, mailbox, monkeypatch):
    """Those that were tried too, after their pause."""
    put(installation, "a", "b", "c")
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", NO_SERVER)
        deliver_pending(installation)
    assert deliver_pending(installation) == 1
    wait(installation, timedelta(minutes=11))
    assert deliver_pending(installation) == 2
    assert statuses(installation) == [AlertStatus.SENT] * 3


def test_what_somebody_else_is_mailing_is_left_to_him(installation, mailbox):
    """A failed task mails its own alert; here only when that did not work, minutes later."""
    put(installation, "a", rule="task_failed")
    assert deliver_pending(installation) == 0
    wait(installation, timedelta(minutes=6))
    assert deliver_pending(installation) == 1


def test_other_channels_are_not_ours(installation, mailbox):
    """An alert for mail and pager is mailed once, and stays pending for the other."""
    put(installation, "a", channels=("pager",))
    put(installation, "b", channels=("email", "pager"))
    assert [deliver_pending(installation) for _ in range(2)] == [1, 0]
    assert statuses(installation) == [AlertStatus.PENDING] * 2


def test_without_recipients_nothing_is_tried(tmp_path, mailbox, caplog):
    """And nothing piles up; the log says what to set."""
    from include.corral.settings import Settings

    corral = Corral(Settings.below(tmp_path))
    put(corral, "a")
    assert deliver_pending(corral) == 0
    corral.close()
    assert "CORRAL_ALERT_TO" in caplog.text
    assert mailbox.mails == []
