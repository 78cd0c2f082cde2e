"""What is known of a failure: from the task itself, or from outside when it cannot speak."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.corral.corral import Corral

LONGEST = 4000
ENDED_SILENTLY = (
    "The process of the task ended without a word: killed, out of memory, or a crash in native "
    "code. The last lines of its log name the signal. What it was working on is open again."
)
TOO_LONG = "The run was ended: it took longer than its DAG allows."
UNRECORDED = "Nothing is recorded of this try: the last lines of its log say how it ended."
_BODY = """\
{what} failed.

{reason}

DAG    {dag_id}
run    {run_id}
task   {task_id}
try    {try_number}
night  {partition}
log    {log_url}

What was finished is committed. When the cause is mended, clear the task: only what failed is
done again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure, in words; nothing in it is ever taken for a template."""

    dag_id: str
    run_id: str
    task_id: str
    try_number: int
    partition: str
    reason: str
    log_url: str

    @property
    def subject(self) -> str:
        """One printable line."""
        night = f" {self.partition}" if self.partition else ""
        return f"[corral] {self.dag_id}{night}: {self.task_id or 'run'} failed"

    @property
    def body(self) -> str:
        """Everything, for a person who is woken by it."""
        what = f"Task {self.task_id}" if self.task_id else "The run"
        values = {name: value or "-" for name, value in self.as_json().items()}
        return _BODY.format(what=what, **values)

    def as_json(self) -> dict[str, Any]:
        """Give all fields."""
        return asdict(self)


def failure_of(context: Context, corral: Corral) -> Failure:
    """Give what the context of a callback tells; a run may name no task, and no task a reason.

    :param context: of a task's callback (with the exception) or of a DAG's (with a reason).
    :param corral: whose ledger is asked about a task that ended silently.
    """
    from include.corral.alert import one_line

    task: Any = context.get("ti")
    of: Any = task or context.get("dag")
    return Failure(
        dag_id=one_line(str(getattr(of, "dag_id", "")), 250),
        run_id=one_line(str(context.get("run_id") or getattr(task, "run_id", "")), 250),
        task_id=one_line(str(getattr(task, "task_id", "")), 250),
        try_number=getattr(task, "try_number", 0),
        partition=_partition(context),
        reason=printable(_reason(context, task, corral)),
        log_url=_log_url(task),
    )


def printable(text: str, limit: int = LONGEST) -> str:
    """Give `text` without control characters other than line ends, cut at `limit`."""
    kept = "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
    return kept if len(kept) <= limit else f"{kept[:limit]} …"


def _partition(context: Context) -> str:
    from include.corral.alert import one_line

    run: Any = context.get("dag_run")
    named = getattr(run, "partition_key", None) or (context.get("params") or {}).get("night")
    return one_line(str(named or ""), 40)


def _reason(context: Context, task: Any, corral: Corral) -> str:
    if (error := context.get("exception")) is not None:
        return _in_words(error)
    reason = context.get("reason")
    if reason == "timed_out":
        return f"{TOO_LONG} (timed_out)"
    if task is None:
        return f"Airflow says: {reason or 'no reason'}"
    return _recorded(task, corral)


def _in_words(error: BaseException | str) -> str:
    from sqlalchemy.exc import SQLAlchemyError

    from models.session import first_line

    if isinstance(error, SQLAlchemyError):  # its text holds statements, values and addresses
        return f"{type(error).__name__}: {first_line(error)}"
    return f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)


def _recorded(task: Any, corral: Corral) -> str:
    """What the ledger says of this try."""
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    from models.session import DatabaseError, first_line
    from models.work import StepRun

    query = (
        select(StepRun.message, StepRun.ended_at)
        .where(
            StepRun.dag_id == task.dag_id,
            StepRun.run_id == task.run_id,
            StepRun.task_id == task.task_id,
            StepRun.map_index == (-1 if task.map_index is None else task.map_index),
            StepRun.try_number == task.try_number,
        )
        .order_by(StepRun.id.desc())
    )
    try:
        with corral.read() as session:
            row = session.execute(query).first()
    except (SQLAlchemyError, DatabaseError) as error:
        return f"{UNRECORDED} (The ledger cannot be read: {first_line(error)})"
    if row is None:
        return UNRECORDED
    return ENDED_SILENTLY if row.ended_at is None else row.message or UNRECORDED


def _log_url(task: Any) -> str:
    try:
        return str(task.log_url)
    except AttributeError:
        return ""
