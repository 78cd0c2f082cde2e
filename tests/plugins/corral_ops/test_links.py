from __future__ import annotations

from types import SimpleNamespace

import pytest

from corral_ops.links import MadeLink


@pytest.mark.parametrize(("map_index", "part"), [(-1, "night.flat"), (1, "night.flat/mapped/1")])
def test_the_link_leads_to_the_value_of_this_task(map_index, part, monkeypatch):
    """Run ids hold colons and plus signs, which mean something else in an address."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.org/base/")
    key = SimpleNamespace(
        dag_id="toritos_night",
        run_id="manual__2026-11-20T00:00:00+00:00",
        task_id="night.flat",
        map_index=map_index,
    )
    assert MadeLink().get_link(None, ti_key=key) == (
        "https://airflow.example.org/base/dags/toritos_night/runs/"
        f"manual__2026-11-20T00%3A00%3A00%2B00%3A00/tasks/{part}/xcom"
    )
