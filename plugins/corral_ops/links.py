"""Buttons of a task in the UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class MadeLink(BaseOperatorLink):
    """Leads to what the task made: its counts, and the first of the products by path."""

    name = "What was made"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Give the address of the page that shows the value the task returned."""
        from urllib.parse import quote

        from airflow.sdk.configuration import conf

        base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
        mapped = f"/mapped/{ti_key.map_index}" if (ti_key.map_index or 0) >= 0 else ""
        run = f"dags/{quote(ti_key.dag_id)}/runs/{quote(ti_key.run_id)}"
        return f"{base.rstrip('/')}/{run}/tasks/{quote(ti_key.task_id)}{mapped}/xcom"
