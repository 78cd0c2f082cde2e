"""A night in the three ways a person asks for one."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import select

from include.toritos.pipeline import TORITOS
from models import StepRun
from tests.system.held import held
from tools.airflow_env import ROOT
from tools.progress import wait_until

pytestmark = pytest.mark.system

WHOLE_NIGHT = Counter(master_bias=1, master_dark=1, master_flat=2, calibrated=4)
TO_SCIENCE = ["MasterBias", "MasterDark", "MasterFlat", "ReduceScience"]


@pytest.fixture(scope="module")
def reduced(api, loaded_night):
    """A run that was triggered as the UI does it: POST /dagRuns with a partition key."""
    run = api.trigger("toritos_night", partition_key=loaded_night(date(2026, 8, 1)))
    return api.wait_for_run("toritos_night", run.run_id)


def test_a_night_triggered_as_the_ui_does_it_is_reduced(reduced, products_of, installation):
    """Every stage succeeds, and the ledger knows run, night, and both workers of the flats."""
    assert (reduced.state, reduced.partition_key) == ("success", "2026-08-01")
    assert products_of("2026-08-01") >= WHOLE_NIGHT
    query = select(StepRun).where(StepRun.run_id == reduced.run_id).order_by(StepRun.id)
    with installation.read() as session:
        triggers = session.scalars(query).all()
    order = list(dict.fromkeys(trigger.step for trigger in triggers))
    assert order[:4] == TO_SCIENCE
    assert order[-1] == "NightGate"
    assert set(order) == {step.name for step in TORITOS.steps}
    assert {trigger.partition for trigger in triggers} == {"2026-08-01"}
    flats = sorted(t.map_index for t in triggers if t.task_id == "night.flat")
    assert flats == [0, 1]


def test_a_task_links_to_what_it_made(api, reduced, installation):
    """The button leads to the value the task returned, which names products that exist."""
    task = f"/dags/toritos_night/dagRuns/{reduced.run_id}/taskInstances/night.bias"
    link = api.get(f"{task}/links")["extra_links"]["What was made"]
    assert link.endswith("/tasks/night.bias/xcom")
    made = api.get(f"{task}/xcomEntries/return_value")["value"]
    assert [installation.store.locate(path).is_file() for path in made["products"]] == [True]
    log = api.log("toritos_night", reduced.run_id, "night.bias")
    assert "MasterBias of 2026-08-01: 1 done" in log
    assert made["products"][0] in log


def test_a_second_run_of_a_night_does_nothing(api, reduced, installation):
    """Here the night is named by the parameter: no unit of any step is open."""
    run = api.trigger("toritos_night", conf={"night": "2026-08-01"})
    assert api.wait_for_run("toritos_night", run.run_id).state == "success"
    with installation.read() as session:
        triggers = session.scalars(select(StepRun).where(StepRun.run_id == run.run_id)).all()
    assert {(trigger.partition, trigger.done) for trigger in triggers} == {("2026-08-01", 0)}


def test_the_scheduler_runs_each_night_at_the_noon_that_ends_it(api, loaded_night, products_of):
    """Three noons of the past: three runs with the nights before them as keys, made unasked."""
    night = loaded_night(date(2026, 3, 2))
    expected = {"2026-03-01", "2026-03-02", "2026-03-03"}

    def missing() -> str | None:
        ended = {run.partition_key for run in api.runs("past_nights") if run.state == "success"}
        return None if ended == expected else f"scheduled nights {expected - ended}"

    api.unpause("past_nights")
    wait_until(missing, timeout_s=120)
    assert {run.run_type for run in api.runs("past_nights")} == {"scheduled"}
    assert products_of(night)["master_bias"] == 1


def test_a_run_that_names_no_night_fails_at_once_and_says_how_to_name_one(
    api, everything_logged, mailbox
):
    """Nothing is retried and nothing is done; the sentence stands in the log and in the mail."""
    run = api.trigger("toritos_night")
    assert api.wait_for_run("toritos_night", run.run_id).state == "failed"
    states = {
        task.task_id: (task.state, task.try_number) for task in api.tasks(run.dag_id, run.run_id)
    }
    assert states["night.bias"] == ("failed", 1)
    assert {states[task][0] for task in states if task != "night.bias"} == {"upstream_failed"}
    for words in ("names no night", "Partition Key", "`night`", "backfill"):
        assert words in everything_logged(run, "night.bias")
    assert "names no night" in mailbox.text(mailbox.wait_for("toritos_night: night.bias failed"))


def test_one_step_of_a_night_is_tried_from_the_command_line(
    stack, api, reduced, loaded_night, products_of
):
    """`airflow tasks test` runs the step, for the night of its date, and no other step.

    The run it makes is gone in the end, and all others are as before.
    """
    night = loaded_night(date(2026, 8, 3))
    before = {run.run_id for run in api.runs(reduced.dag_id)}
    # To a scheduler the run would have begun months ago: it would end it for taking too long.
    with held(api, reduced.dag_id):
        ran = subprocess.run(
            [sys.executable, "-m", "airflow", "tasks", "test", reduced.dag_id, "night.bias", night],
            env=stack.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert f"MasterBias of {night}: 1 done" in ran.stdout + ran.stderr
    assert products_of(night) == {"master_bias": 1}
    assert {run.run_id for run in api.runs(reduced.dag_id)} == before
