"""The callback of a failed task or run: an alert in the outbox, and a mail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from airflow.sdk import BaseNotifier, Context

from corral_ops.failure import Failure, failure_of
from corral_ops.hook import DEFAULT_CONN_ID, CorralHook
from corral_ops.tell import Message, dedup_key, tell


class FailureNotifier(BaseNotifier):
    """Tells of a task's final failure, once, whether the task or its run reports it.

    Give it to the tasks *and* to the DAG: a task that is killed, or dies in native code, cannot
    call anybody; the DAG's callback runs elsewhere and names the task that failed last.

    :param per: ``try`` tells of every failure; ``day`` of a task's first one for a night and day
        (UTC), for DAGs that run many times a night and would fail each time.
    :param conn_id: the installation whose outbox is used.
    """

    def __init__(
        self, *, per: Literal["try", "day"] = "try", conn_id: str = DEFAULT_CONN_ID
    ) -> None:
        super().__init__()
        self.per = per
        self.conn_id = conn_id

    def __call__(self, *args: Any) -> None:
        """Tell; whatever happens, the task's own end is not disturbed."""
        try:
            self.notify(args[0])
        except Exception:
            self.log.exception("the failure could not be told")

    def notify(self, context: Context) -> None:
        """Tell."""
        corral = CorralHook(self.conn_id).corral()
        try:
            failure = failure_of(context, corral)
            tell(corral, self._message(failure))
        finally:
            corral.close()

    def _message(self, failure: Failure) -> Message:
        return Message(
            key=dedup_key("failure", *self._once_for(failure)),
            rule="task_failed",
            subject=failure.subject,
            body=failure.body,
            partition=failure.partition,
            context=failure.as_json(),
        )

    def _once_for(self, failure: Failure) -> tuple[object, ...]:
        what = (failure.dag_id, failure.task_id)
        if self.per == "day":
            return (*what, failure.partition, datetime.now(UTC).date())
        return (*what, failure.run_id, failure.try_number)
