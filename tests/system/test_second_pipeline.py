"""Another pipeline runs on the same operators."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

pytestmark = pytest.mark.system


def test_a_pipeline_of_ten_lines_runs_without_a_change_of_the_glue(api, installation):
    """No frames, no nights, no files; loading again is skipped, as nothing is new."""
    import kelvin

    run = api.trigger("kelvin")
    assert api.wait_for_run("kelvin", run.run_id).state == "success"
    with installation.read() as session:
        assert session.scalar(select(func.count()).select_from(kelvin.Kelvin)) == 20
    again = api.trigger("kelvin")
    assert api.wait_for_run("kelvin", again.run_id).state == "success"
    states = {task.task_id: task.state for task in api.tasks("kelvin", again.run_id)}
    assert states == {"load": "skipped", "do.convert": "skipped"}
