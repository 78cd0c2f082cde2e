from __future__ import annotations

import pytest
from airflow.sdk import DAG

from corral_ops.branch import branch

STAGES = (
    {"task_id": "one", "step": "some.One"},
    {"task_id": "two", "step": "some.Two", "workers": 3},
    {"task_id": "three", "step": "some.Three", "failure_policy": "fail"},
    {"task_id": "aside", "step": "some.Aside", "after": ("one", "two")},
    {"task_id": "end", "step": "some.End", "after": "all"},
)


@pytest.fixture
def dag() -> DAG:
    with DAG("d", schedule=None) as dag:
        branch(STAGES, group_id="group", failure_policy="warn")
    return dag


def test_stages_follow_each_other(dag):
    """Each waits for all workers of the one before."""
    assert dag.get_task("group.two").upstream_task_ids == {"group.one"}
    assert dag.get_task("group.three").upstream_task_ids == {"group.two"}


def test_a_stage_names_those_it_stands_on(dag):
    """What it does not name runs beside it."""
    assert dag.get_task("group.aside").upstream_task_ids == {"group.one", "group.two"}


def test_a_stage_after_all_waits_for_every_other(dag):
    """For the last word on a partition."""
    others = {f"group.{name}" for name in ("one", "two", "three", "aside")}
    assert dag.get_task("group.end").upstream_task_ids == others


def test_workers_share_a_stage(dag):
    """One task for each, and a name by which the grid tells them apart."""
    task = dag.get_task("group.two")
    assert task.is_mapped
    assert task.expand_input.value == {"worker": [1, 2, 3]}
    assert task.map_index_template == "worker {{ task.worker }}"


def test_what_is_common_goes_before_what_a_stage_says(dag):
    """The same branch is strict in one DAG and patient in another."""
    assert dag.get_task("group.three").failure_policy == "warn"
