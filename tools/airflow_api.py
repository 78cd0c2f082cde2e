"""A small typed client of Airflow's REST API, for the demo and the system tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from tools.progress import Progress, print_progress, wait_until

COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
ENDED = frozenset({"success", "failed"})
# Longer than a writer waits for Airflow's SQLite (a minute, see `airflow_env`): what stands behind
# it is answered in the end.
PATIENCE_S = 180.0
# An expired token is answered by 403 "Invalid JWT token", a missing one by 401.
_PERHAPS_EXPIRED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class AirflowError(RuntimeError):
    """The local Airflow does not do what was asked of it; the message says what to read."""


class BrokenDagError(AirflowError):
    """A DAG file does not import; the message is its trace."""


class ApiError(AirflowError):
    """The server refused or failed; `status` is the HTTP status, `detail` its own words."""

    def __init__(self, what: str, *, status: int, detail: str) -> None:
        super().__init__(f"{what}: HTTP {status}: {detail}")
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Run:
    """One DAG run."""

    dag_id: str
    run_id: str
    state: str
    run_type: str
    partition_key: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing of it will run any more."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Task:
    """One task instance of a run at its latest try."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    duration_s: float | None

    @property
    def unfinished(self) -> bool:
        """Whether it has begun, or wants to again, and has not ended."""
        return self.state in {"queued", "running", "up_for_retry", "deferred", "restarting"}


class AirflowApi:
    """Login and the calls that tests and the demo need; a context manager closes the client."""

    def __init__(
        self, url: str, *, username: str, password: str, timeout_s: float = PATIENCE_S
    ) -> None:
        self.url = url.rstrip("/")
        self._login = {"username": username, "password": password}
        self._token: str | None = None
        # trust_env: a proxy of the environment is not the way to this machine.
        self._http = httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of `GET /api/v2<path>`."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON of `POST /api/v2<path>`."""
        return self._call("POST", path, json=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON of `PATCH /api/v2<path>`."""
        return self._call("PATCH", path, json=body)

    def login(self) -> str:
        """Return a fresh token; it also is what the page's cookie `_token` holds."""
        answer = self._http.post("/auth/token", json=self._login)
        _refuse_errors("login", answer)
        self._token = str(answer.json()["access_token"])
        return self._token

    def unhealthy(self) -> list[str]:
        """Return the components that do not report healthy; all of them when nobody answers."""
        try:
            answer = self._http.get("/api/v2/monitor/health", timeout=10)
            report = answer.json() if answer.is_success else {}
        except (httpx.TransportError, ValueError):
            return ["api-server"]
        return [name for name in COMPONENTS if (report.get(name) or {}).get("status") != "healthy"]

    def dags(self) -> dict[str, bool]:
        """Return the id of each parsed DAG and whether it is paused."""
        answer = self.get("/dags", limit=1000)
        return {dag["dag_id"]: dag["is_paused"] for dag in answer["dags"]}

    def import_errors(self) -> dict[str, str]:
        """Return the DAG files that do not import, with the trace of each."""
        answer = self.get("/importErrors", limit=1000)
        return {row["filename"]: row["stack_trace"] for row in answer["import_errors"]}

    def wait_for_dags(
        self,
        *dag_ids: str,
        timeout_s: float = 120,
        on_progress: Progress = print_progress,
    ) -> None:
        """Return once all of these DAGs are parsed; an import error ends the wait at once."""

        def missing() -> str | None:
            absent = sorted(set(dag_ids) - self.dags().keys())
            if absent and (broken := self.import_errors()):
                traces = (f"{name}\n{trace}" for name, trace in broken.items())
                raise BrokenDagError("\n".join(traces))
            return f"DAG {', '.join(absent)} not parsed yet" if absent else None

        wait_until(_patient(missing), timeout_s=timeout_s, on_progress=on_progress)

    def unpause(self, dag_id: str, *, timeout_s: float = 300) -> None:
        """Let the scheduler run this DAG, asking again while the API server does not answer."""
        self._set_paused(dag_id, False, timeout_s)

    def pause(self, dag_id: str, *, timeout_s: float = 300) -> None:
        """Let no further task of this DAG be run; those that workers have go on."""
        self._set_paused(dag_id, True, timeout_s)

    def _set_paused(self, dag_id: str, paused: bool, timeout_s: float) -> None:
        def changed() -> None:
            self.patch(f"/dags/{dag_id}", {"is_paused": paused})

        wait_until(_patient(changed), timeout_s=timeout_s)

    def trigger(
        self,
        dag_id: str,
        *,
        partition_key: str | None = None,
        conf: Mapping[str, Any] | None = None,
    ) -> Run:
        """Return the new run."""
        body = {"logical_date": None, "partition_key": partition_key, "conf": dict(conf or {})}
        return _run(self.post(f"/dags/{dag_id}/dagRuns", body))

    def run(self, dag_id: str, run_id: str) -> Run:
        """Return the run as it is now."""
        return _run(self.get(_run_path(dag_id, run_id)))

    def runs(self, dag_id: str, *, partition_key: str | None = None) -> list[Run]:
        """Return the runs of a DAG, oldest first, of one partition when it is named."""
        answer = self.get(f"/dags/{dag_id}/dagRuns", limit=1000, order_by="id")
        found = [_run(row) for row in answer["dag_runs"]]
        return [run for run in found if partition_key in (None, run.partition_key)]

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        """Return the task instances of a run."""
        answer = self.get(f"{_run_path(dag_id, run_id)}/taskInstances", limit=1000)
        return [_task(row) for row in answer["task_instances"]]

    def log(
        self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1
    ) -> str:
        """Return the log of one try of a task, a line for each event."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{task_id}/logs/{try_number}"
        answer = self.get(path, full_content=True, map_index=map_index)
        return "\n".join(_log_line(row) for row in answer["content"])

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        timeout_s: float = 600,
        on_progress: Progress = print_progress,
    ) -> Run:
        """Return the run once it succeeded or failed; an API server that restarts is waited for."""

        def missing() -> str | None:
            state = self.run(dag_id, run_id).state
            return None if state in ENDED else self._describe(dag_id, run_id, state)

        wait_until(_patient(missing), timeout_s=timeout_s, on_progress=on_progress)
        return self.run(dag_id, run_id)

    def backfill(
        self,
        dag_id: str,
        *,
        first: date,
        last: date,
        reprocess: str = "none",
        max_active_runs: int = 1,
        conf: Mapping[str, Any] | None = None,
    ) -> int:
        """Return the id of a new backfill over the dates `first` to `last`."""
        body = {
            "dag_id": dag_id,
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last}T00:00:00Z",
            "reprocess_behavior": reprocess,
            "max_active_runs": max_active_runs,
            "dag_run_conf": dict(conf or {}),
        }
        return int(self.post("/backfills", body)["id"])

    def _describe(self, dag_id: str, run_id: str, state: str) -> str:
        ahead = [run for run in self.runs(dag_id) if run.state == "running"]
        if state == "queued" and ahead:
            first = ahead[0]
            return f"behind {first.run_id}: {self._describe(dag_id, first.run_id, first.state)}"
        tasks = self.tasks(dag_id, run_id)
        done = sum(task.state in {"success", "skipped"} for task in tasks)
        under_way = sorted({f"{task.task_id} {task.state}" for task in tasks if task.unfinished})
        doing = f" ({', '.join(under_way)})" if under_way else ""
        return f"{dag_id} {state}: {done} of {len(tasks)} tasks done{doing}"

    def _call(self, method: str, path: str, **request: Any) -> Any:
        answer = self._send(method, path, request)
        if answer.status_code in _PERHAPS_EXPIRED:
            self._token = None
            answer = self._send(method, path, request)
        _refuse_errors(f"{method} {path}", answer)
        return answer.json()

    def _send(self, method: str, path: str, request: Mapping[str, Any]) -> httpx.Response:
        bearer = {"Authorization": f"Bearer {self._token or self.login()}"}
        return self._http.request(method, f"/api/v2{path}", headers=bearer, **request)


def _patient(missing: Callable[[], str | None]) -> Callable[[], str | None]:
    """Turn an API server that is away for a moment into one more reason to wait."""

    def tolerant() -> str | None:
        try:
            return missing()
        except httpx.TransportError as error:
            return f"the API server does not answer ({type(error).__name__})"
        except ApiError as error:
            if error.status < httpx.codes.INTERNAL_SERVER_ERROR:
                raise
            return f"the API server answers {error.status}"

    return tolerant


def _refuse_errors(what: str, answer: httpx.Response) -> None:
    if answer.is_success:
        return
    raise ApiError(what, status=answer.status_code, detail=answer.text[:500])


def _log_line(row: str | Mapping[str, Any]) -> str:
    if isinstance(row, str):
        return row
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in row.get("error_detail", ())]
    return "\n".join((str(row["event"]), *errors))


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _run(row: Mapping[str, Any]) -> Run:
    return Run(
        dag_id=row["dag_id"],
        run_id=row["dag_run_id"],
        state=row["state"],
        run_type=row["run_type"],
        partition_key=row["partition_key"],
    )


def _task(row: Mapping[str, Any]) -> Task:
    return Task(
        task_id=row["task_id"],
        map_index=row["map_index"],
        state=row["state"],
        try_number=row["try_number"],
        duration_s=row["duration"],
    )
