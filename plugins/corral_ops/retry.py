"""Which failures Airflow tries again: those that may pass by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, RetryDecision, RetryPolicy

if TYPE_CHECKING:
    from include.corral.errors import CorralError

# A full disk or a lost mount is not mended within the minute that other trouble is given.
STORAGE_DELAY = timedelta(minutes=5)


class FailureClassPolicy(RetryPolicy):
    """Retries what the kernel calls retryable, and ends at once what it calls permanent.

    What the kernel does not know (a lost connection to Airflow, a time-out) is left to the task's
    ``retries``. A policy can end a task early; it cannot add tries.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide by the class of the failure."""
        from include.corral.errors import (
            CorralError,
            FailureClass,
            StorageTrouble,
            classify,
        )

        failure_class = classify(exception)
        if failure_class is FailureClass.RETRY:
            delay = STORAGE_DELAY if isinstance(exception, StorageTrouble) else None
            return RetryDecision.retry(delay=delay, reason=f"{failure_class}: may pass by itself")
        if isinstance(exception, CorralError):
            return RetryDecision.fail(reason=f"{_named(exception)}: trying again changes nothing")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Give its arguments as JSON: it has none."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> FailureClassPolicy:
        """Give the policy again."""
        return cls()


def _named(error: CorralError) -> str:
    """Name the class of a failure; of failed units, the classes of theirs."""
    report = getattr(error, "report", None)
    if report is None:
        return error.failure_class
    return ", ".join(sorted({f.failure_class for f in (*report.failures, *report.standing)}))
