"""The wiring of a second pipeline: ten lines, the same operators, nothing else."""

from airflow.sdk import DAG

from corral_ops.branch import branch
from corral_ops.defaults import dag_defaults, task_defaults
from corral_ops.operators import LoaderOperator

with DAG("kelvin", default_args=task_defaults(owner="lab"), schedule=None, **dag_defaults()):
    load = LoaderOperator(task_id="load", loader="kelvin.Thermometer", partitioned=False)
    load >> branch(
        [{"task_id": "convert", "step": "kelvin.ToKelvin", "partition": None}], group_id="do"
    )
