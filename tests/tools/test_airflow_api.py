from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from tools.airflow_api import AirflowApi, ApiError
from tools.stack import Stack

pytestmark = pytest.mark.system


@pytest.fixture
def api(probe_stack: Stack) -> Iterator[AirflowApi]:
    """A client of the running probe stack, whose DAGs are parsed and not paused."""
    with probe_stack.api() as client:
        client.wait_for_dags("probe_conf", "probe_night")
        client.unpause("probe_conf")
        client.unpause("probe_night")
        yield client


def test_a_triggered_run_succeeds_and_its_log_can_be_read(api):
    """Trigger, wait, tasks and log agree with what the task was given."""
    started = api.trigger("probe_conf", conf={"frames": 42})
    run = api.wait_for_run("probe_conf", started.run_id, timeout_s=120)
    (task,) = api.tasks("probe_conf", run.run_id)
    assert (run.state, task.task_id, task.state) == ("success", "say", "success")
    log = api.log("probe_conf", run.run_id, "say", try_number=task.try_number)
    assert "conf={'frames': 42} partition=None preloaded=True" in log


def test_the_log_of_a_failed_task_ends_with_its_exception(api):
    """Airflow keeps the exception beside the log's lines; a reader must not miss it."""
    started = api.trigger("probe_conf", conf={"fail": "no flats tonight"})
    run = api.wait_for_run("probe_conf", started.run_id, timeout_s=120)
    assert run.state == "failed"
    assert "ValueError: no flats tonight" in api.log("probe_conf", run.run_id, "say")


def test_a_run_of_a_night_carries_its_partition_key(api):
    """The key given to the trigger is what the task sees and what runs are found by."""
    started = api.trigger("probe_night", partition_key="2026-11-20")
    run = api.wait_for_run("probe_night", started.run_id, timeout_s=120)
    assert run.state == "success"
    assert "partition=2026-11-20" in api.log("probe_night", run.run_id, "say")
    assert run.run_id in [
        found.run_id for found in api.runs("probe_night", partition_key="2026-11-20")
    ]


def test_a_backfill_makes_a_run_for_each_night(api):
    """Both ends of the range are in it."""
    api.backfill("probe_night", first=date(2026, 3, 1), last=date(2026, 3, 3), max_active_runs=3)
    nights = {run.partition_key for run in api.runs("probe_night") if run.run_type == "backfill"}
    assert nights == {"2026-03-01", "2026-03-02", "2026-03-03"}


def test_a_refusal_carries_the_servers_words(api):
    """The status and the reason are there for the caller, not only a text."""
    with pytest.raises(ApiError, match="no_such_dag") as caught:
        api.trigger("no_such_dag")
    assert caught.value.status == 404


def test_an_expired_token_is_renewed(api):
    """A run that takes longer than a token lives is still waited for."""
    assert api.dags()
    api._token = "expired"
    assert {"probe_conf", "probe_night"} <= api.dags().keys()


def test_a_wrong_password_is_an_error(probe_stack):
    """Nobody gets a token by asking."""
    stranger = AirflowApi(probe_stack.url, username="admin", password="guess")
    with stranger, pytest.raises(ApiError, match="login: HTTP 401"):
        stranger.dags()
