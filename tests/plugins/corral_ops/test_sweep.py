"""Tasks that sweep: parts on record, alerts in the outbox, partitions announced."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException
from sqlalchemy import select

from corral_ops.sweep import AnnounceOperator, SweepOperator
from include.corral.errors import ConfigurationError, PermanentlyFailed
from include.corral.sweep import Found, Notice, Sweep, Watch
from models import Alert, StepRun

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


def test_sweep_tells_what_it_found_and_gives_it_as_json(installation, make_context):
    """The trigger is on record with its task; to send is another task's work."""
    task = SweepOperator(task_id="sweep", sweep=f"{HERE}.Round")
    made = task.execute(make_context(task_id="sweep"))
    assert json.loads(json.dumps(made)) == made
    assert (made["parts"], made["alerts"]) == (1, 1)
    assert made["found"] == {"full": "full"}
    assert waiting(installation) == ["[corral] disk full"]
    with installation.read() as session:
        run = session.get_one(StepRun, made["step_run_id"])
    assert (run.step, run.task_id) == ("Round", "sweep")
    assert task.execute(make_context())["alerts"] == 0


def test_part_that_fails_fails_the_task_after_all_else_is_done(installation, make_context):
    """What the others found is told of all the same."""
    task = SweepOperator(task_id="sweep", sweep=f"{HERE}.FaultyRound")
    with pytest.raises(PermanentlyFailed, match="no such folder"):
        task.execute(make_context())
    assert waiting(installation) == ["[corral] disk full"]


def waiting(installation) -> list[str]:
    with installation.read() as session:
        return list(session.scalars(select(Alert.subject).join(Alert.deliveries)))


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
