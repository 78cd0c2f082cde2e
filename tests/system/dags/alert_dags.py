"""A run that takes longer than it should, and a rule with a DAG that looks at it."""

import time
from datetime import timedelta

import mishaps
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, task

from corral_ops.alerts import AlertOperator
from corral_ops.defaults import dag_defaults, task_defaults
from corral_ops.outbox_trigger import OutboxTrigger

with DAG(
    "dawdle",
    schedule=None,
    default_args=task_defaults(owner="tests"),
    **dag_defaults(late=timedelta(seconds=2)),
):

    @task
    def dawdle() -> None:
        time.sleep(12)

    dawdle()

BELL = OutboxTrigger(rules=[mishaps.Noted.name], poll_s=1.0, pause_s=2.0)
NOTES = Asset("notes", watchers=[AssetWatcher(name="notes", trigger=BELL)])
YEARLY = CronTriggerTimetable("0 0 1 1 *", timezone="UTC")

with DAG(
    "notes",
    schedule=AssetOrTimeSchedule(timetable=YEARLY, assets=[NOTES]),
    max_active_runs=1,
    default_args=task_defaults(owner="tests"),
    **dag_defaults(),
):
    AlertOperator(task_id="tell", rules=["mishaps.Noted"])
