"""A night while it is observed: whatever frames have come are worked on at once.

`toritos_load` announces the nights it loaded frames for; each announcement is a run here, whose
partition key is the night. Frames that still wait for a master are no failure: they are done when
it has come, here or in `toritos_night`, which looks at the whole night at noon.

`at_once` takes a frame through everything that stands between it and a candidate, in one process,
and tells of what it found. The tasks of the single steps share the work, do what is beside that
way, and say of each step what failed.

Runs share the open units with those of `toritos_night`; nothing is done twice.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, Param, PartitionedAssetTimetable

from corral_ops.branch import branch
from corral_ops.chain import ChainOperator
from corral_ops.defaults import dag_defaults, task_defaults
from include.toritos.night import ARRIVING, CANDIDATE_RULE, TO_A_CANDIDATE

FRAMES = Asset("toritos_frames", uri="corral://toritos/frames")
# Before any task of the steps, which are many.
FIRST = 1000

with DAG(
    "toritos_arrival",
    description="Reduce the frames of a night as they come",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=FRAMES),
    max_active_runs=1,
    params={"night": Param(None, type=["null", "string"], format="date", title="Night")},
    tags=["corral", "toritos", "arrival"],
    default_args=task_defaults(owner="toritos", per="day"),
    **dag_defaults(per="day", timeout=timedelta(hours=2)),
):
    ChainOperator(
        task_id="at_once",
        steps=TO_A_CANDIDATE,
        rules=[CANDIDATE_RULE],
        priority_weight=FIRST,
        weight_rule="absolute",
        doc_md="Takes a new frame to its candidates without waiting for a task at each step.",
    )
    branch(ARRIVING, group_id="night")
