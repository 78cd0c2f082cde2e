"""Steps one after the other, as a group of tasks: the same branch for any number of DAGs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import TaskGroup, chain

from corral_ops.operators import StepOperator


def branch(stages: Iterable[Mapping[str, Any]], *, group_id: str, **common: Any) -> TaskGroup:
    """Give a group of tasks, one for each stage, each after the one before.

    :param stages: the arguments of one ``StepOperator`` each; ``workers``, a number above one,
        lets that many tasks share the stage's units.
    :param group_id: name of the group.
    :param common: arguments of all, which go before those of the stages.
    """
    with TaskGroup(group_id) as group:
        chain(*(_stage(**{**stage, **common}) for stage in stages))
    return group


def _stage(*, workers: int = 1, **arguments: Any) -> Any:
    if workers == 1:
        return StepOperator(**arguments)
    template = "worker {{ task.worker }}"
    shared = StepOperator.partial(map_index_template=template, **arguments)
    return shared.expand(worker=list(range(1, workers + 1)))
