"""People are told by a running Airflow, with nobody touching anything."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import select

from include.corral.outbox import enqueue
from models import Alert, Delivery

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
