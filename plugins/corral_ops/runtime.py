"""From what Airflow knows of a task to what the kernel asks for."""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.corral.processor import Processor
    from include.corral.trigger import Trigger

log = logging.getLogger(__name__)

# What `airflow tasks test` calls the run that it makes, and removes in the end.
TEMPORARY_RUN = "__airflow_temporary_run_"
# Neither the command line nor one DAG that triggers another can give a partition key. The date that
# `airflow tasks test` is given is that of the night; of other runs it says when they were made.
NIGHT = (
    "{{ dag_run.partition_key or params.get('night') "
    f"or (ds if dag_run.logical_date and dag_run.run_id.startswith('{TEMPORARY_RUN}') else '') }}}}"
)
HOW_TO_NAME_A_NIGHT = (
    "This run names no night, so nothing was done. Name one: when triggering, under Advanced "
    "Options, as Partition Key (2026-11-20), or as the parameter `night`; or start a backfill, "
    "which names the nights of its dates. A single step, while the DAG is paused: "
    "`airflow tasks test DAG TASK 2026-11-20`."
)
# https://github.com/apache/airflow/pull/72656
A_RUN_IS_GONE = (
    "Airflow 3.3 removes another run of this DAG from its history when `airflow tasks test` is "
    "given no date (what the ledger knows of that run stays). Give one: "
    "`airflow tasks test DAG TASK 2026-11-20`."
)


class NoPartitionError(AirflowFailException):
    """The run does not say what to work on; trying again would not either."""


def require_partition(partition: str | None) -> str | None:
    """Give the partition to work on; None, as opposed to nothing, stands for everything.

    :param partition: what the task's template came to.
    """
    if partition is None:
        return None
    named = partition.strip()
    if named in ("", "None"):
        raise NoPartitionError(HOW_TO_NAME_A_NIGHT)
    return named


def trigger_of(context: Context) -> Trigger:
    """Give the task instance as the kernel records it."""
    from include.corral.trigger import Trigger

    task = context["ti"]
    if task.run_id.startswith(TEMPORARY_RUN) and context.get("logical_date") is None:
        log.warning(A_RUN_IS_GONE)
    return Trigger(
        dag_id=task.dag_id,
        run_id=task.run_id,
        task_id=task.task_id,
        map_index=-1 if task.map_index is None else task.map_index,
        try_number=task.try_number,
    )


def make_processor(path: str, parameters: Mapping[str, Any] | None = None) -> Processor:
    """Give the step or loader at a dotted path, imported now and not when the DAG was parsed.

    :param path: of its class, ``include.toritos.steps.MasterBias``.
    :param parameters: values that depart from the class's own.
    """
    from include.corral.errors import ConfigurationError
    from include.corral.processor import Processor

    try:
        made = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be imported: {error}. The operator needs the dotted path of a class."
        ) from error
    if not (isinstance(made, type) and issubclass(made, Processor)):
        raise ConfigurationError(f"{path} is neither a Step nor a Loader")
    return made(**(parameters or {}))
