"""A night from raw frames to checked images: bias, dark, flat, science, checks, gate.

The night is the partition key of the run, its date the one of the evening.

* **By timetable**: at noon of the site, when the night is over.
* **Backfill**: *Trigger → Backfill* over dates looks at these nights again; what is done stays.
* **By hand**: *Trigger → Advanced Options → Partition Key* `2026-11-20`, or the parameter `night`.
* **One step**: `airflow tasks test toritos_night night.bias 2026-11-20`, with this DAG paused.

A run does what is open: frames that have no product of the present version, parameters and
masters. Running it again does nothing. Clearing a task tries only what failed.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from corral_ops.branch import branch
from corral_ops.defaults import dag_defaults, task_defaults
from corral_ops.timetable import NightTimetable
from include.corral.settings import Settings
from include.toritos.instrument import profile_name, profile_of
from include.toritos.night import STAGES

settings = Settings.from_env()
site = profile_of(profile_name(settings), settings).site

with DAG(
    "toritos_night",
    description="Reduce one night: by timetable, in a backfill, by hand",
    doc_md=__doc__,
    schedule=NightTimetable(timezone=site.timezone),
    max_active_runs=2,
    params={
        "night": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Night",
            description="Local date of the evening; not needed where a partition key is given",
        )
    },
    tags=["corral", "toritos", "night"],
    default_args=task_defaults(owner="toritos"),
    **dag_defaults(late=timedelta(hours=3)),
):
    branch(STAGES, group_id="night")
