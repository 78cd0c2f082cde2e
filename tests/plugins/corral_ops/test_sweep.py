"""Tasks that sweep: parts on record, alerts mailed, partitions announced."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from corral_ops.sweep import AnnounceOperator, SweepOperator
from include.corral.errors import ConfigurationError, PermanentlyFailed
from include.corral.sweep import Found, Notice, Sweep, Watch
from models import StepRun

HERE = "tests.plugins.corral_ops.test_sweep"
NIGHTS = Asset("nights")


def full(watch: Watch) -> Found:
    return Found("full", [Notice(key="disk", subject="disk full", body="Free some room.")])


def broken(watch: Watch) -> Found:
    raise ConfigurationError("no such folder")


def nights(watch: Watch) -> Found:
    return Found(partitions=["2026-11-21", "2026-11-20"][: watch.parameters["nights"]])


class Round(Sweep):
    parts = (full,)


class FaultyRound(Sweep):
    parts = (broken, full)


class Nights(Sweep):
    parts = (nights,)
    parameters = {"nights": 2}


def test_sweep_mails_what_it_found_and_gives_it_as_json(installation, make_context, mailbox):
    """The trigger is on record with its task."""
    task = SweepOperator(task_id="sweep", sweep=f"{HERE}.Round", mail=True)
    made = task.execute(make_context(task_id="sweep"))
    assert json.loads(json.dumps(made)) == made
    assert (made["parts"], made["alerts"], made["mailed"]) == (1, 1, 1)
    assert made["found"] == {"full": "full"}
    assert mailbox.mails[0]["Subject"] == "[corral] disk full"
    with installation.read() as session:
        run = session.get_one(StepRun, made["step_run_id"])
    assert (run.step, run.task_id) == ("Round", "sweep")
    again = task.execute(make_context())
    assert (again["alerts"], again["mailed"]) == (0, 0)


def test_part_that_fails_fails_the_task_after_all_else_is_done(installation, make_context, mailbox):
    """What the others found is told of all the same."""
    task = SweepOperator(task_id="sweep", sweep=f"{HERE}.FaultyRound", mail=True)
    with pytest.raises(PermanentlyFailed, match="no such folder"):
        task.execute(make_context())
    assert len(mailbox.mails) == 1


def test_mail_server_that_is_down_does_not_fail_the_sweep(installation, make_context, monkeypatch):
    """The alert stays in the outbox."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT",
        '{"conn_type": "smtp", "host": "127.0.0.1", "port": 1, "extra":'
        ' {"disable_ssl": true, "disable_tls": true, "from_email": "corral@example.org"}}',
    )
    task = SweepOperator(task_id="sweep", sweep=f"{HERE}.Round", mail=True)
    made = task.execute(make_context())
    assert (made["alerts"], made["mailed"]) == (1, 0)


def test_only_the_sweep_that_is_asked_to_mails(installation, make_context, mailbox):
    """Two at once would mail things twice."""
    task = SweepOperator(task_id="audit", sweep=f"{HERE}.Round")
    assert task.execute(make_context())["mailed"] == 0
    assert mailbox.mails == []


def test_each_partition_is_announced(installation, make_context):
    """As the loader announces what it has loaded; with none there is no event."""
    context = make_context()
    task = AnnounceOperator(task_id="announce", sweep=f"{HERE}.Nights", outlets=[NIGHTS])
    assert task.execute(context)["partitions"] == ["2026-11-21", "2026-11-20"]
    assert context["outlet_events"][NIGHTS].keys == ["2026-11-21", "2026-11-20"]
    idle = AnnounceOperator(
        task_id="announce", sweep=f"{HERE}.Nights", parameters={"nights": 0}, outlets=[NIGHTS]
    )
    context = make_context()
    with pytest.raises(AirflowSkipException, match="nothing to announce"):
        idle.execute(context)
    assert not context["outlet_events"]


def test_what_is_no_sweep_is_a_configuration_error(installation, make_context):
    """A step has no parts."""
    task = SweepOperator(task_id="sweep", sweep="include.toritos.steps.MasterBias")
    with pytest.raises(ConfigurationError, match="is no Sweep"):
        task.execute(make_context())
