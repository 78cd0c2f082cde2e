"""What Airflow is told of: timetable and links that it must know to show a DAG, and a listener."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from corral_ops import listener
from corral_ops.links import MadeLink
from corral_ops.timetable import NightTimetable


class CorralOpsPlugin(AirflowPlugin):
    """Small on purpose: every process of Airflow loads it."""

    name = "corral_ops"
    timetables = [NightTimetable]
    operator_extra_links = [MadeLink()]
    listeners = [listener]
