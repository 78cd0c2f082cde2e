"""Every way in which a task can end badly ends as failed, with its reason, and somebody is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import func, select

from models import Alert, Delivery, DeliveryStatus, Unit, UnitRun
from tools.airflow_api import Run

pytestmark = pytest.mark.system


@pytest.fixture(scope="session")
def ended(api, installation, mailbox) -> Mapping[str, Run]:
    """One run of each mishap, all at once, when all have ended."""
    import mishaps

    lots = ("killed", "crash", "hungry", "bad", "again", "flaky", "endless")
    with installation.write() as session:
        session.add_all(mishaps.Sample(lot=lot, number=n) for lot in lots for n in range(4))
    runs = {lot: api.trigger(f"mishap_{lot}") for lot in lots}
    return {lot: api.wait_for_run(run.dag_id, run.run_id) for lot, run in runs.items()}


def _task(api, run: Run):
    (task,) = api.tasks(run.dag_id, run.run_id)
    return task


@pytest.mark.parametrize(
    ("lot", "reason"),
    [
        ("killed", "Likely out of memory error"),
        ("crash", "Fatal Python error: Segmentation fault"),
        ("hungry", "MemoryError"),
        ("bad", "is not usable"),
    ],
)
def test_it_ends_as_failed_with_its_reason_in_the_log_and_one_mail(
    api, ended, everything_logged, mailbox, lot, reason
):
    """Also where the process can say nothing any more: then the run's callback mails."""
    run = ended[lot]
    task = _task(api, run)
    assert (run.state, task.state, task.try_number) == ("failed", "failed", 1)
    assert reason in everything_logged(run, "step")
    mail = mailbox.wait_for(f"[corral] mishap_{lot}: step failed")
    assert mail["To"] == "night-shift@example.org"
    assert run.run_id in mailbox.text(mail)
    assert "log    http://127.0.0.1" in mailbox.text(mail)


def test_a_process_that_ended_silently_is_called_that(ended, mailbox):
    """The ledger shows a try that never ended: that much is known, and the mail says it."""
    for lot in ("killed", "crash"):
        mail = mailbox.wait_for(f"mishap_{lot}: step failed")
        assert "ended without a word" in mailbox.text(mail)


def test_what_the_data_say_is_never_evaluated_in_a_mail(ended, mailbox):
    """A header may hold a template or a script; both arrive as text, and the page escapes them."""
    mail = mailbox.wait_for("mishap_bad: step failed")
    assert "object {{ 7*7 }} <script>" in mailbox.text(mail)
    page = mail.get_payload(1).get_payload(decode=True).decode()
    assert "object {{ 7*7 }} &lt;script&gt;" in page
    assert "<script>" not in page


def test_what_may_pass_is_tried_again_and_what_may_not_is_not(api, ended, everything_logged):
    """A full disk: second try, success. Bad data: two retries allowed, none used."""
    assert (ended["flaky"].state, _task(api, ended["flaky"]).try_number) == ("success", 2)
    assert _task(api, ended["bad"]).try_number == 1
    assert "retry: may pass by itself" in everything_logged(ended["flaky"], "step")
    assert "bad_data: trying again changes nothing" in everything_logged(ended["bad"], "step")


def test_good_units_of_a_failed_task_are_committed(ended, installation):
    """Two of four samples are bad; the results of the others are there."""
    import mishaps

    query = (
        select(func.count())
        .select_from(mishaps.Result)
        .join(mishaps.Sample, mishaps.Sample.id == mishaps.Result.sample_id)
    )
    with installation.read() as session:
        assert session.scalar(query.where(mishaps.Sample.lot == "bad")) == 2


def test_one_failure_is_one_alert_with_one_delivery(ended, mailbox, installation):
    """The task's callback and the run's both report it; it is told once."""
    for lot in ("killed", "crash", "hungry", "bad"):
        mailbox.wait_for(f"mishap_{lot}: step failed")
    query = select(Alert).where(Alert.rule == "task_failed", Alert.subject.contains("mishap_bad"))
    with installation.read() as session:
        (alert,) = session.scalars(query)
        (delivery,) = session.scalars(select(Delivery).where(Delivery.alert_id == alert.id))
    assert delivery.status == DeliveryStatus.SENT
    mails = mailbox.about("mishap_bad: step failed")
    assert [mail["Message-ID"] for mail in mails] == [alert.message_id]


def test_a_cleared_task_tries_only_what_failed(api, ended, installation):
    """Clearing is how a person says "again": the two good units are left alone."""
    run = ended["again"]
    request = {"dry_run": False, "dag_run_id": run.run_id, "only_failed": True}
    api.post(f"/dags/{run.dag_id}/clearTaskInstances", request)
    assert api.wait_for_run(run.dag_id, run.run_id).state == "failed"
    assert _task(api, run).try_number == 2
    query = select(UnitRun.outcome, func.count()).join(UnitRun.unit).group_by(UnitRun.outcome)
    with installation.read() as session:
        attempts = dict(session.execute(query.where(Unit.step == "Again")).all())
    assert attempts == {"done": 2, "failed": 4}


def test_a_run_that_takes_too_long_is_failed_and_told(ended, mailbox):
    """The limit of the run holds where a task's own would not: whatever the task hangs in."""
    assert ended["endless"].state == "failed"
    assert "timed_out" in mailbox.text(mailbox.wait_for("[corral] mishap_endless"))
