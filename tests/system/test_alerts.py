"""People are told by a running Airflow, with nobody touching anything."""

from __future__ import annotations

import hashlib
import hmac
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from include.corral.outbox import enqueue
from models import Alert, Delivery, DeliveryAttempt
from tools.progress import wait_until

pytestmark = pytest.mark.system


def test_a_row_that_calls_for_an_alert_is_mailed_within_seconds(api, installation, mailbox):
    """The rule has looked once, so that the database notes what changes for it."""
    import mishaps

    api.wait_for_run("notes", api.trigger("notes").run_id)
    with installation.write() as session:
        session.add(mishaps.Sample(lot="noted", number=7))
    began = time.monotonic()
    mail = mailbox.wait_for("sample 7 was noted")
    print(f"  row → mail: {time.monotonic() - began:.1f} s")
    with installation.read() as session:
        alert = session.scalars(select(Alert).where(Alert.rule == "Noted")).one()
        status = session.scalar(select(Delivery.status).where(Delivery.alert_id == alert.id))
    assert (mail["Message-ID"], status) == (alert.message_id, "sent")


def test_what_anybody_puts_into_the_outbox_is_mailed(installation, mailbox):
    """A sweep, a notebook, another program: to write it down is enough."""
    with installation.write() as session:
        enqueue(session, dedup_key="k", rule="by hand", subject="a note by hand", body="b")
    mailbox.wait_for("a note by hand")


def test_a_link_that_was_down_ends_in_one_digest_with_urgent_things_first(
    stack, installation, mailbox
):
    """Thirty alerts while nobody takes mail: tried, kept, and then told of once."""
    mailbox.close()
    try:
        _put_thirty(installation)
        wait_until(lambda: None if _tried(installation) else "an attempt", timeout_s=60)
        assert _mine(installation) == {"pending"}
    finally:
        mailbox.open()
    began = time.monotonic()
    wait_until(
        lambda: None if _mine(installation) == {"sent"} else "the digest",
        timeout_s=150,
    )
    print(f"  link is up → digest: {time.monotonic() - began:.1f} s")
    (digest,) = [mail for mail in mailbox.mails if "out of the dark" in mailbox.text(mail)]
    lines = mailbox.text(digest).splitlines()
    places = [
        lines.index(f"out of the dark {each} {kind}")
        for kind in ("critical", "warning", "info")
        for each in range(10)
    ]
    assert places == sorted(places)
    assert digest["Subject"] == "[corral] 30 alerts: 10 critical, 10 warning, 10 info"
    identities = [mail["Message-ID"] for mail in mailbox.mails]
    assert identities.count(digest["Message-ID"]) == 1


def _put_thirty(installation) -> None:
    with installation.write() as session:
        for kind in ("info", "critical", "warning"):
            for each in range(10):
                text = f"out of the dark {each} {kind}"
                enqueue(
                    session,
                    dedup_key=text,
                    rule="dark",
                    subject=text,
                    body=text,
                    severity=kind,
                    channels=("few",),
                )


def _tried(installation) -> bool:
    query = select(DeliveryAttempt.id).where(
        DeliveryAttempt.channel == "few", DeliveryAttempt.outcome == "not_now"
    )
    with installation.read() as session:
        return session.scalar(query.limit(1)) is not None


def _mine(installation) -> set[str]:
    query = select(Delivery.status).join(Delivery.alert).where(Alert.rule == "dark")
    with installation.read() as session:
        return set(session.scalars(query))


def test_a_web_service_gets_what_is_for_it_signed(stack, installation, receiver):
    """The site's file of channels names it; the secret is in the environment alone."""
    with installation.write() as session:
        made = enqueue(
            session,
            dedup_key="for the page",
            rule="page",
            subject="for the page",
            body="b",
            channels=("page",),
        )
    wait_until(lambda: None if receiver.bodies else "a post", timeout_s=60)
    with installation.read() as session:
        identity = session.get_one(Alert, made).message_id
    assert receiver.identities == [identity]
    assert receiver.bodies[0]["subject"] == "for the page"
    signature, body = receiver.signatures[0]
    digits = hmac.new(b"a-long-random-text", body, hashlib.sha256).hexdigest()
    assert signature == f"sha256={digits}"


def test_a_run_that_is_late_is_told_of_while_it_runs(api, mailbox):
    """It is not stopped, and ends well."""
    run = api.trigger("dawdle")
    mail = mailbox.wait_for("dawdle is late")
    assert run.run_id in mailbox.text(mail)
    assert api.wait_for_run(run.dag_id, run.run_id).state == "success"


def test_a_dag_file_that_does_not_import_is_told_of(stack, broken_dags: Path, mailbox):
    """Airflow itself only shows it to whoever looks at the page."""
    (broken_dags / "typo.py").write_text("from airflow.sdk import DAG\nimport no_such_module\n")
    mail = mailbox.wait_for("typo.py cannot be imported", timeout_s=120)
    assert "No module named 'no_such_module'" in mailbox.text(mail)
    (broken_dags / "typo.py").unlink()
