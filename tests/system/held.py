"""DAGs that stand still while a test does their work itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tools.airflow_api import AirflowApi
from tools.progress import wait_until

WITH_A_WORKER = frozenset({"queued", "running", "restarting"})


@contextmanager
def held(api: AirflowApi, dag_id: str) -> Iterator[None]:
    """Let no task of this DAG run meanwhile; those that a worker has are waited for first."""

    def missing() -> str | None:
        runs = [run.run_id for run in api.runs(dag_id) if not run.ended]
        tasks = [task for run_id in runs for task in api.tasks(dag_id, run_id)]
        active = [task.task_id for task in tasks if task.state in WITH_A_WORKER]
        return f"the end of {dag_id}: {', '.join(active)}" if active else None

    api.pause(dag_id)
    try:
        wait_until(missing, timeout_s=120)
        yield
    finally:
        api.unpause(dag_id)
