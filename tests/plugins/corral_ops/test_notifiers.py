from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

from sqlalchemy import select, update

from corral_ops.notifiers import FailureNotifier
from corral_ops.tell import send_due
from include.corral.drain import drain
from include.corral.errors import BadData
from include.corral.trigger import Trigger
from models import Alert, Delivery, DeliveryAttempt, StepRun
from tests.plugins.corral_ops.conftest import ToKelvin

HOSTILE = "OBJECT {{ 7*7 }}\r\nBcc: all@example.org\x1b[31m <script>"


def _alerts(installation) -> list[Alert]:
    with installation.read() as session:
        return list(session.scalars(select(Alert).order_by(Alert.id)))


def statuses(installation) -> list[str]:
    with installation.read() as session:
        return list(session.scalars(select(Delivery.status).order_by(Delivery.id)))


def test_a_failed_task_is_told_once_by_mail_and_in_the_outbox(installation, make_context, mailbox):
    """The task's callback and the run's give the same failure: one mail, one delivery."""
    context = make_context(exception=BadData("no stars"))
    FailureNotifier()(context)
    of_the_run = {**context, "reason": "task_failure", "exception": None}
    FailureNotifier()(of_the_run)
    (alert,) = _alerts(installation)
    (mail,) = mailbox.mails
    assert statuses(installation) == ["sent"]
    assert mail["Subject"] == alert.subject == "[corral] dag: task failed"
    assert mail["To"] == "night@example.org, shift@example.org"
    assert mail["Message-ID"] == alert.message_id
    assert "BadData: no stars" in mailbox.text()
    assert "http://127.0.0.1:8080/dags/dag/runs/run" in mailbox.text()


def test_each_try_that_fails_for_good_is_told(installation, make_context, mailbox):
    """A task that was cleared and fails again is news."""
    for number in (1, 2):
        FailureNotifier()(make_context(try_number=number, exception=BadData("no stars")))
    assert len(mailbox.mails) == 2


def test_a_dag_that_runs_all_night_tells_of_a_task_once_a_day(installation, make_context, mailbox):
    """Each night and each task apart."""
    for number, night in enumerate(["2026-11-20", "2026-11-20", "2026-11-21"]):
        run = SimpleNamespace(partition_key=night)
        context = make_context(exception=BadData("x"), dag_run=run, try_number=number)
        FailureNotifier(per="day")(context)
    assert [alert.partition for alert in _alerts(installation)] == ["2026-11-20", "2026-11-21"]
    assert len(mailbox.mails) == 2


def test_what_the_data_say_stays_text(installation, make_context, mailbox):
    """No template is evaluated, no header added, no markup, no colours for a terminal."""
    FailureNotifier()(make_context(task_id=HOSTILE, exception=BadData(HOSTILE)))
    (mail,) = mailbox.mails
    text = mailbox.text()
    assert "{{ 7*7 }}" in text
    assert "<script>" in text
    page = mail.get_payload(1).get_payload(decode=True).decode()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "\x1b" not in text
    assert mail["Bcc"] is None
    assert "\n" not in _alerts(installation)[0].subject


def test_a_process_that_ended_silently_is_called_that(installation, make_context, mailbox):
    """Killed, out of memory, crashed: the ledger has a try that never ended."""
    trigger = Trigger(dag_id="dag", run_id="run", task_id="task")
    drain(installation, ToKelvin(), trigger=trigger)
    with installation.write() as session:
        session.execute(update(StepRun).values(ended_at=None, message=None, outcome="running"))
    FailureNotifier()(make_context(reason="task_failure"))
    assert "ended without a word" in mailbox.text()


def test_a_try_that_the_ledger_closed_is_told_in_its_words(installation, make_context, mailbox):
    """The run's callback has no exception; the ledger has what came of the try."""
    drain(installation, ToKelvin(), trigger=Trigger(dag_id="dag", run_id="run", task_id="task"))
    FailureNotifier()(make_context(reason="task_failure"))
    assert "ToKelvin: 0 done" in mailbox.text()


def test_a_try_of_which_nothing_is_recorded_is_not_called_more_than_that(
    installation, make_context, mailbox
):
    """It may have died before its work began: the log is where to look."""
    FailureNotifier()(make_context(reason="task_failure"))
    assert "Nothing is recorded of this try" in mailbox.text()


def test_a_run_that_was_too_slow_is_told_without_a_task(installation, mailbox):
    """Airflow may give a reason and no task."""
    dag = SimpleNamespace(dag_id="toritos_night")
    FailureNotifier()({"dag": dag, "run_id": "manual__1", "reason": "timed_out"})
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[corral] toritos_night: run failed"
    assert "took longer than its DAG allows" in mailbox.text()


def test_a_mail_that_cannot_be_sent_stays_in_the_outbox(installation, make_context, no_server):
    """The reason stands in the attempt, and the task's end is not disturbed."""
    FailureNotifier()(make_context(exception=BadData("no stars")))
    (alert,) = _alerts(installation)
    assert alert.subject == "[corral] dag: task failed"
    assert statuses(installation) == ["pending"]
    with installation.read() as session:
        (attempt,) = session.scalars(select(DeliveryAttempt))
    assert attempt.outcome == "not_now"
    assert "refused" in attempt.detail


def test_without_recipients_nothing_is_sent_and_the_alert_says_what_to_set(
    installation, make_context, mailbox, monkeypatch, tmp_path
):
    """Addresses come from configuration; there is no default one."""
    connection = f'{{"conn_type": "corral", "extra": {{"home": "{tmp_path}"}}}}'
    monkeypatch.setenv("AIRFLOW_CONN_CORRAL_DEFAULT", connection)
    FailureNotifier()(make_context(exception=BadData("no stars")))
    assert mailbox.mails == []
    with installation.read() as session:
        assert "CORRAL_ALERT_TO" in session.scalars(select(DeliveryAttempt.detail)).one()


def test_a_database_that_is_down_does_not_keep_the_mail(
    installation, make_context, mailbox, monkeypatch, tmp_path
):
    """It may be the very thing that failed; then the mail goes out without a row."""
    extra = f'"alert_to": "a@example.org", "home": "{tmp_path}/other", "database_url": '
    broken = '"postgresql://corral@127.0.0.1:1/none"'
    connection = f'{{"conn_type": "corral", "extra": {{{extra}{broken}}}}}'
    monkeypatch.setenv("AIRFLOW_CONN_CORRAL_DEFAULT", connection)
    FailureNotifier()(make_context(exception=BadData("no stars")))
    (mail,) = mailbox.mails
    assert mail["Message-ID"].endswith("@corral>")


def test_a_flood_of_failed_tasks_ends_in_one_digest_with_counts(
    installation, make_context, mailbox
):
    """Some go out one by one, as nobody knows yet that it is a flood; all others as one."""
    for number in range(60):
        FailureNotifier()(make_context(task_id=f"task_{number}", exception=BadData("no stars")))
    assert len(mailbox.mails) == 20
    with installation.write() as session:
        for attempt in session.scalars(select(DeliveryAttempt)):
            attempt.begun_at -= timedelta(minutes=2)
    send_due(installation)
    (digest,) = mailbox.mails[20:]
    assert digest["Subject"] == "[corral] 40 alerts: 40 critical"
    assert "     40  critical  task_failed" in mailbox.text(digest)
    assert set(statuses(installation)) == {"sent"}


def test_a_callback_never_raises(capsys):
    """Whatever it is given: its own trouble must not become the task's."""
    FailureNotifier()(None)
    assert "could not be told" in capsys.readouterr().out
