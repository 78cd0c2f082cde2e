"""Three nights of the past, which the scheduler makes up for by itself."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from corral_ops.defaults import dag_defaults, task_defaults
from corral_ops.operators import StepOperator
from corral_ops.timetable import NightTimetable

with DAG(
    "past_nights",
    schedule=NightTimetable(timezone="America/Argentina/Salta"),
    start_date=datetime(2026, 3, 2, tzinfo=UTC),
    end_date=datetime(2026, 3, 5, tzinfo=UTC),
    default_args=task_defaults(owner="tests"),
    **dag_defaults() | {"catchup": True},
):
    StepOperator(task_id="bias", step="include.toritos.steps.MasterBias")
