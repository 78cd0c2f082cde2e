"""What every DAG file owes: it parses fast, says what it is, and cannot fail silently."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from corral_ops.notifiers import FailureNotifier
from tests.plugins.conftest import ROOT

FILES = sorted((ROOT / "dags").glob("*.py"))
HEAVY = ("numpy", "astropy", "numba", "scipy", "sep", "pandas", "fastapi", "httpx")


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(ROOT / "dags")


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def dags(request: pytest.FixtureRequest, bag: DagBag) -> list[DAG]:
    return [dag for dag in bag.dags.values() if dag.fileloc == str(request.param)]


def test_every_file_loads(bag):
    """Among its DAGs are those that the documents name."""
    assert bag.import_errors == {}
    assert {"toritos_load", "toritos_night", "toritos_arrival"} <= set(bag.dags)


def test_no_file_is_slow_to_parse(bag):
    """Airflow parses each in every task; what it costs is measured by the imports, below."""
    assert {stat.file for stat in bag.dagbag_stats if stat.duration.total_seconds() > 1} == set()


def test_parsing_imports_nothing_heavy():
    """Science libraries belong into the task; half a second each would be paid at every parse."""
    program = (
        "import sys, airflow; before = set(sys.modules);"
        "from airflow.dag_processing.dagbag import DagBag; DagBag();"
        "print(*(set(sys.modules) - before))"
    )
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    parsed = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    modules = parsed.stdout.split()
    assert "include.toritos.night" in modules
    assert [name for name in modules if name.partition(".")[0] in HEAVY] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_wiring_only(path):
    """A hundred lines at most."""
    assert len(path.read_text().splitlines()) <= 100


def test_it_says_what_it_is(dags):
    """Tags to find it by, an owner to ask, a description, a page of text."""
    assert dags
    for dag in dags:
        assert {"corral", "toritos"} <= dag.tags
        assert dag.description
        assert len(dag.doc_md or "") > 200
        assert {task.owner for task in dag.tasks} == {"toritos"}


def test_it_cannot_hang_or_fail_silently(dags):
    """A limit in time, retries, and a callback of the run for tasks that cannot speak."""
    for dag in dags:
        assert dag.dagrun_timeout
        assert not dag.catchup
        assert isinstance(dag.on_failure_callback, FailureNotifier)
        assert all(task.retries >= 2 for task in dag.tasks)
        assert all(task.has_retry_policy and task.has_on_failure_callback for task in dag.tasks)


def test_runs_of_it_do_not_pile_up(dags):
    """Units are shared between runs, but a small machine is not endless."""
    assert all(dag.max_active_runs <= 2 for dag in dags)


def test_a_frame_that_comes_goes_to_its_candidates_in_one_task(bag):
    """Before any other task, in the order of the branch; the branch does not wait for it."""
    dag = bag.dags["toritos_arrival"]
    chain = dag.get_task("at_once")
    assert (chain.upstream_task_ids, chain.downstream_task_ids) == (set(), set())
    assert (chain.weight_rule, chain.priority_weight) == ("absolute", 1000)
    in_order = [_arguments(task)["step"] for task in _of_the_branch(dag)]
    assert [step for step in in_order if step in chain.steps] == chain.steps
    assert {step.rpartition(".")[2] for step in set(in_order) - set(chain.steps)} == {
        "TargetLightCurves",
        "CoaddField",
        "ForcedLightCurves",
        "NightGate",
    }


@pytest.mark.parametrize("dag_id", ["toritos_night", "toritos_arrival"])
def test_both_nights_have_the_same_branches(bag, dag_id):
    """Bias → dark → flat → science; then side by side what needs the calibrated images only."""
    dag = bag.dags[dag_id]
    order = [task.task_id.removeprefix("night.") for task in _of_the_branch(dag)]
    assert order[:4] == ["bias", "dark", "flat", "science"]
    assert order[-1] == "gate"
    for name in ("check", "sources"):
        assert dag.get_task(f"night.{name}").upstream_task_ids == {"night.flat", "night.science"}
    for before, after in (
        ("sources", "astrometry"),
        ("astrometry", "zero_point"),
        ("sources", "reference"),
        ("sources", "coadd"),
        ("reference", "difference"),
        ("difference", "candidates"),
        ("candidates", "light_curves"),
    ):
        assert f"night.{before}" in dag.get_task(f"night.{after}").upstream_task_ids
    shared = {name for name in order if dag.get_task(f"night.{name}").is_mapped}
    assert shared >= {"flat", "science", "sources", "astrometry", "difference"}


@pytest.mark.parametrize("dag_id", ["toritos_night", "toritos_arrival"])
def test_a_frame_that_fails_keeps_no_branch_from_the_others_and_fails_the_night(bag, dag_id):
    """What comes after science begins whatever became of it; the gate needs every task."""
    dag = bag.dags[dag_id]
    gate = dag.get_task("night.gate")
    tasks = _of_the_branch(dag)
    assert gate.upstream_task_ids == {task.task_id for task in tasks} - {gate.task_id}
    assert gate.trigger_rule == "all_success"
    made = {"bias", "dark", "flat", "science", "gate"}
    rules = {t.trigger_rule for t in tasks if t.task_id.removeprefix("night.") not in made}
    assert rules == {"all_done_min_one_success"}


@pytest.mark.parametrize("dag_id", ["toritos_night", "toritos_arrival"])
def test_every_step_that_is_named_exists(bag, dag_id):
    """A dotted path is only looked at when the task runs: look at it here."""
    from corral_ops.runtime import make_processor

    for task in _of_the_branch(bag.dags[dag_id]):
        assert make_processor(_arguments(task)["step"], {}).name


def test_the_loader_that_is_named_exists(bag):
    """As for the steps."""
    from corral_ops.runtime import make_processor

    assert make_processor(bag.dags["toritos_load"].get_task("load").loader, {}).name == "FitsInbox"


def test_nights_end_at_noon_of_the_site(bag):
    """The timetable takes the site's clock from the instrument's profile."""
    assert bag.dags["toritos_night"].timetable.serialize() == {
        "timezone": "America/Argentina/Salta",
        "hour": 12,
    }


def test_what_is_loaded_is_what_arrival_listens_to(bag):
    """One asset, by name and address, in two files."""
    (loaded,) = bag.dags["toritos_load"].get_task("load").outlets
    listened = bag.dags["toritos_arrival"].timetable.asset_condition
    assert (loaded.name, loaded.uri) == (listened.name, listened.uri)


def test_a_frame_that_waits_fails_the_night_but_not_its_arrival(bag):
    """Masters may come from another night; science without any is told at noon, not before."""
    masters = ["tolerate_refused"] * 3
    night, arrival = (_policies(bag.dags[f"toritos_{name}"]) for name in ("night", "arrival"))
    assert (night[:3], set(night[3:])) == (masters, {"fail"})
    assert (arrival[:3], set(arrival[3:])) == (masters, {"tolerate_waiting"})


def _of_the_branch(dag):
    return [task for task in dag.topological_sort() if task.task_id.startswith("night.")]


def _arguments(task) -> dict[str, object]:
    return task.partial_kwargs if task.is_mapped else vars(task)


def _policies(dag: DAG) -> list[object]:
    return [_arguments(task).get("failure_policy", "fail") for task in _of_the_branch(dag)]
