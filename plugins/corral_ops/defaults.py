"""What every task and DAG of a pipeline should have, to be taken over by DAG files."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from corral_ops.late import late_after
from corral_ops.notifiers import FailureNotifier
from corral_ops.retry import FailureClassPolicy


def task_defaults(*, owner: str, per: Literal["try", "day"] = "try") -> dict[str, Any]:
    """Give the ``default_args`` of a DAG: two retries where they may help, and a mail at the end.

    :param owner: of the tasks.
    :param per: how often a failing task is told of; see ``FailureNotifier``.
    """
    return {
        "owner": owner,
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "retry_policy": FailureClassPolicy(),
        "on_failure_callback": FailureNotifier(per=per),
    }


def dag_defaults(
    *,
    per: Literal["try", "day"] = "try",
    timeout: timedelta = timedelta(hours=6),
    late: timedelta | None = None,
) -> dict[str, Any]:
    """Give the arguments of a DAG that guard its runs: a limit in time, and a last-resort mail.

    :param per: how often a failing task is told of.
    :param timeout: after which a run that hangs is failed.
    :param late: after which somebody is told that it is late.
    """
    return {
        "catchup": False,
        "dagrun_timeout": timeout,
        "on_failure_callback": FailureNotifier(per=per),
        "deadline": [late_after(late)] if late else None,
    }
