"""Two DAGs that say what they were given, or fail as told, for the tests of the local stack."""

from airflow.sdk import CronPartitionTimetable, dag, get_current_context, task


@task
def say() -> None:
    """Print the run's conf, its partition and whether the science stack came with the fork.

    Raises
    ------
    ValueError
        With the text in `conf["fail"]`, when there is one.
    """
    import sys

    run = get_current_context()["dag_run"]
    if run.conf.get("fail"):
        raise ValueError(run.conf["fail"])
    print(f"conf={run.conf} partition={run.partition_key} preloaded={'numba' in sys.modules}")


@dag(schedule=None, tags=["probe"])
def probe_conf() -> None:
    """Run when it is asked to."""
    say()


@dag(
    schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", key_format="%Y-%m-%d"),
    tags=["probe"],
)
def probe_night() -> None:
    """Run for a night."""
    say()


probe_conf()
probe_night()
