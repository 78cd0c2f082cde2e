"""The DAGs that look after the installation are wired to what they look after."""

from __future__ import annotations

import pytest
from airflow.dag_processing.dagbag import DagBag

from corral_ops.runtime import make_processor
from include.corral.sweep import Sweep
from tests.plugins.conftest import ROOT


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(ROOT / "dags")


def test_every_sweep_that_is_named_exists(bag):
    """A dotted path is only looked at when the task runs: look at it here."""
    for dag_id in ("toritos_sweep", "toritos_audit"):
        for task in bag.dags[dag_id].tasks:
            assert isinstance(make_processor(task.processor, task.parameters), Sweep)


def test_a_part_that_fails_does_not_keep_nights_from_being_announced(bag):
    """The tasks of a sweep do not wait for each other."""
    assert [task.upstream_task_ids for task in bag.dags["toritos_sweep"].tasks] == [set(), set()]


def test_what_is_announced_is_what_arrival_listens_to(bag):
    """As what is loaded: one asset, by name and address."""
    (announced,) = bag.dags["toritos_sweep"].get_task("announce").outlets
    listened = bag.dags["toritos_arrival"].timetable.asset_condition
    assert (announced.name, announced.uri) == (listened.name, listened.uri)


def test_one_task_tells(bag):
    """All others only write down what is to be told."""
    tasks = [task for dag in bag.dags.values() for task in dag.tasks]
    assert [task.dag_id for task in tasks if task.task_type == "AlertOperator"] == [
        "toritos_alerts"
    ]
    assert bag.dags["toritos_alerts"].max_active_runs == 1


def test_the_audit_runs_by_the_clock_of_the_site(bag):
    """In the afternoon, when the night is reduced and the next has not begun."""
    timetable = bag.dags["toritos_audit"].timetable
    assert str(timetable.timezone) == "America/Argentina/Salta"
