"""Frames of the inbox become rows, with nobody touching anything.

A watcher of the inbox rings when files have come and stand still; the clock looks every ten
minutes whatever the watcher does, because an event can be lost. The loader itself finds what is
new. Each night that frames came for is announced by an event of `toritos_frames`, which starts
`toritos_arrival` for that night.

Nothing new: the task is skipped. A file that cannot be a frame becomes a rejection with a reason.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from corral_ops.defaults import dag_defaults, task_defaults
from corral_ops.operators import LoaderOperator
from corral_ops.triggers import InboxTrigger

INBOX = Asset(
    "toritos_inbox",
    uri="corral://toritos/inbox",
    watchers=[AssetWatcher(name="new_frames", trigger=InboxTrigger())],
)
FRAMES = Asset("toritos_frames", uri="corral://toritos/frames")

with DAG(
    "toritos_load",
    description="Bring new frames of the inbox in, and say for which nights",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/10 * * * *", timezone="UTC"), assets=[INBOX]
    ),
    max_active_runs=1,
    tags=["corral", "toritos", "load"],
    default_args=task_defaults(owner="toritos", per="day"),
    **dag_defaults(per="day", timeout=timedelta(hours=2)),
):
    LoaderOperator(
        task_id="load",
        loader="include.toritos.loader.FitsInbox",
        outlets=[FRAMES],
        doc_md="Registers every new file: a frame, known by its content, or a rejection.",
    )
