"""Steps as a group of tasks, each after those it stands on: the same for any number of DAGs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import TaskGroup

from corral_ops.operators import StepOperator


def branch(stages: Iterable[Mapping[str, Any]], *, group_id: str, **common: Any) -> TaskGroup:
    """Give a group of tasks, one for each stage.

    :param stages: the arguments of one ``StepOperator`` each. ``after``, names of earlier stages
        or ``"all"`` of them; without it, the one before. Stages after the same run side by side.
        ``workers``, a number above one, lets that many tasks share the stage's units.
    :param group_id: name of the group.
    :param common: arguments of all, which go before those of the stages.
    """
    with TaskGroup(group_id) as group:
        made: dict[str, Any] = {}
        for stage in stages:
            task_id, after = stage["task_id"], stage.get("after", tuple(made)[-1:])
            arguments = {name: value for name, value in stage.items() if name != "after"}
            task = _stage(**{**arguments, **common})
            for name in tuple(made) if after == "all" else after:
                made[name] >> task
            made[task_id] = task
    return group


def _stage(*, workers: int = 1, **arguments: Any) -> Any:
    if workers == 1:
        return StepOperator(**arguments)
    template = "worker {{ task.worker }}"
    shared = StepOperator.partial(map_index_template=template, **arguments)
    return shared.expand(worker=list(range(1, workers + 1)))
