"""One DAG for each mishap, with as many retries as its test needs."""

from datetime import timedelta

from airflow.sdk import DAG, Param

from corral_ops.defaults import dag_defaults, task_defaults
from corral_ops.operators import StepOperator

RETRIES = {"Killed": 0, "Crash": 0, "Hungry": 0, "Bad": 2, "Again": 0, "Flaky": 1}

FAST = {"retry_delay": timedelta(seconds=1)}

for name, retries in RETRIES.items():
    defaults = task_defaults(owner="tests") | FAST | {"retries": retries}
    with DAG(f"mishap_{name.lower()}", default_args=defaults, schedule=None, **dag_defaults()):
        StepOperator(task_id="step", step=f"mishaps.{name}", partition=None)

endless = dag_defaults(timeout=timedelta(seconds=4))
with DAG("mishap_endless", default_args=defaults, schedule=None, **endless):
    StepOperator(task_id="step", step="mishaps.Endless", partition=None)

with DAG(
    "mishap_slowreduce",
    default_args=task_defaults(owner="tests") | FAST,
    schedule=None,
    params={"night": Param(None, type=["null", "string"])},
    **dag_defaults(),
):
    StepOperator(task_id="step", step="mishaps.SlowReduce")
