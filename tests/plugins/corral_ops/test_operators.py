from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from sqlalchemy import func, select

from corral_ops.operators import LoaderOperator, StepOperator
from include.corral.drain import drain
from include.corral.errors import ConfigurationError, PermanentlyFailed
from models import Alert, StepRun
from tests.plugins.corral_ops import conftest as pipeline

LOADER = "tests.plugins.corral_ops.conftest.Thermometer"
STEP = "tests.plugins.corral_ops.conftest.ToKelvin"
NIGHTS = Asset("nights")


@pytest.fixture
def loaded(installation):
    """Four readings of two days."""
    drain(installation, pipeline.Thermometer())
    return installation


def _count(installation, model) -> int:
    with installation.read() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_the_loader_announces_each_night_that_something_came_for(installation, make_context):
    """One event for a night, however many rows; the value returned is plain JSON."""
    context = make_context()
    made = LoaderOperator(task_id="load", loader=LOADER, outlets=[NIGHTS]).execute(context)
    assert context["outlet_events"][NIGHTS].keys == ["2026-11-20", "2026-11-21"]
    assert json.loads(json.dumps(made)) == made
    assert (made["done"], made["rows"]) == (4, {"glue_reading": 4})


def test_the_loader_is_skipped_when_nothing_is_new(loaded, make_context):
    """A skipped task announces nothing, so that no night is worked on for nothing."""
    context = make_context()
    with pytest.raises(AirflowSkipException, match="nothing new"):
        LoaderOperator(task_id="load", loader=LOADER, outlets=[NIGHTS]).execute(context)
    assert not context["outlet_events"]


def test_a_bad_item_keeps_no_night_from_being_announced(installation, make_context, mailbox):
    """The good ones are loaded and announced; the failures are told of once, not at every look."""
    faulty = LoaderOperator(
        task_id="load", loader=LOADER, parameters={"faulty": True}, outlets=[NIGHTS]
    )
    context = make_context()
    assert faulty.execute(context)["failed"] == 2
    assert context["outlet_events"][NIGHTS].keys == ["2026-11-20", "2026-11-21"]
    with pytest.raises(AirflowSkipException):
        faulty.execute(make_context())
    assert _count(installation, Alert) == 1
    assert "{{ 7*7 }} is not a temperature" in mailbox.text()


def test_a_step_records_the_task_that_triggered_it(loaded, make_context):
    """DAG, run, task, mapped index and try stand in the ledger."""
    context = make_context(task_id="convert", try_number=2)
    made = StepOperator(task_id="convert", step=STEP, partition=None).execute(context)
    assert (made["done"], made["products"]) == (4, [])
    with loaded.read() as session:
        run = session.get(StepRun, made["step_run_id"])
    assert (run.dag_id, run.run_id, run.task_id, run.map_index, run.try_number) == (
        "dag",
        "run",
        "convert",
        -1,
        2,
    )


def test_good_units_are_committed_before_the_task_fails(loaded, make_context):
    """The error names the failed units and their class."""
    task = StepOperator(task_id="t", step=STEP, partition=None, parameters={"below": 1.5})
    with pytest.raises(PermanentlyFailed, match=r"2 unit\(s\) failed(.|\n)*bad_data"):
        task.execute(make_context())
    assert _count(loaded, pipeline.Kelvin) == 2


def test_units_that_wait_for_something_may_be_tolerated(loaded, make_context):
    """On arrival a frame without a master is no failure yet."""
    waiting = {"below": 1.5, "waiting": True}
    arguments = {"step": STEP, "partition": None, "parameters": waiting}
    with pytest.raises(PermanentlyFailed):
        StepOperator(task_id="t", **arguments).execute(make_context())
    tolerant = StepOperator(task_id="t", failure_policy="tolerate_waiting", **arguments)
    assert tolerant.execute(make_context())["failed_before"] == 2


def test_only_a_later_try_tries_failed_units_again(loaded, make_context):
    """A run that comes by leaves them; a retry or a cleared task does not."""
    task = StepOperator(
        task_id="t", step=STEP, partition=None, parameters={"below": 1.5}, failure_policy="warn"
    )
    counts = [
        [made["done"], made["failed"], made["failed_before"]]
        for made in (task.execute(make_context(try_number=number)) for number in (1, 1, 2))
    ]
    assert counts == [[2, 2, 0], [0, 0, 2], [0, 2, 0]]


@pytest.mark.parametrize("nothing", ["", " ", "None"])
def test_a_step_without_a_night_does_nothing_and_says_how_to_name_one(
    loaded, make_context, nothing
):
    """An error that no retry follows, with the ways of naming one."""
    task = StepOperator(task_id="t", step=STEP, partition=nothing)
    with pytest.raises(AirflowFailException, match=r"Partition Key.*`night`.*backfill"):
        task.execute(make_context())
    assert _count(loaded, pipeline.Kelvin) == 0


TESTED = "__airflow_temporary_run_2026-11-24T00:40:07__"


@pytest.mark.parametrize(
    ("run", "parameter", "expected"),
    [
        ({"partition_key": "2026-11-20"}, None, "2026-11-20"),
        ({}, "2026-11-21", "2026-11-21"),
        ({"partition_key": "2026-11-20"}, "2026-11-21", "2026-11-20"),
        ({}, None, ""),
        ({"run_id": TESTED, "logical_date": "2026-11-22"}, None, "2026-11-22"),
        ({"run_id": TESTED, "logical_date": "2026-11-22"}, "2026-11-21", "2026-11-21"),
        ({"run_id": TESTED}, None, ""),
        ({"run_id": "manual__1", "logical_date": "2026-11-22"}, None, ""),
    ],
)
def test_the_night_is_that_of_the_run_its_parameter_or_the_date_of_a_test(run, parameter, expected):
    """The template that every step has; a DAG without that parameter is no error.

    The logical date of any other run says when somebody asked, and not for which night.
    """
    known = {"partition_key": None, "run_id": "manual__1", "logical_date": None} | run
    date = {"ds": known["logical_date"]} if known["logical_date"] else {}
    task = StepOperator(task_id="t", step=STEP)
    params = {"night": parameter} if parameter else {}
    task.render_template_fields({"dag_run": SimpleNamespace(**known), "params": params, **date})
    assert task.partition == expected


def test_a_test_without_a_date_is_told_what_airflow_has_done(loaded, make_context, caplog):
    """With one, nothing was removed and nothing is said."""
    for date, said in ((None, 1), ("2026-11-20", 0)):
        context = make_context(run_id=TESTED, logical_date=date)
        caplog.clear()
        StepOperator(task_id="t", step=STEP, partition=None).execute(context)
        assert caplog.text.count("removes another run") == said


@pytest.mark.parametrize(
    "path", ["no.such.module.Step", "include.corral.step.Stap", "json.dumps", "Step"]
)
def test_a_step_that_is_none_is_a_configuration_error(installation, make_context, path):
    """The sentence names the path; no retry mends it."""
    with pytest.raises(ConfigurationError, match=path.replace(".", r"\.")):
        StepOperator(task_id="t", step=path, partition=None).execute(make_context())


def test_a_made_product_is_named_by_its_path(installation):
    """Twenty at most: Airflow's database is no store."""
    from corral_ops.made import summary
    from include.corral.report import Report

    report = Report("Step", None, 1)
    report.outputs["product"] = 1
    assert summary(installation, report)["products"] == []
