"""Nights as partitions: each ends at noon of the site, and its run begins then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from airflow.timetables.base import DagRunInfo
from airflow.timetables.trigger import CronPartitionTimetable

KEY_FORMAT = "%Y-%m-%d"


class NightTimetable(CronPartitionTimetable):
    """One run for each night, at the noon after it, keyed by the date of its evening.

    A night is given one instant whoever asks for it, the clock, a backfill or a person; Airflow's
    own class gives the first two noon and the third midnight, and ends a backfill one night early.

    :param timezone: of the site.
    :param hour: at which nights end there.
    """

    def __init__(self, *, timezone: str, hour: int = 12) -> None:
        self._site_timezone, self._hour = timezone, hour
        super().__init__(f"0 {hour} * * *", timezone=timezone, run_offset=-1, key_format=KEY_FORMAT)

    @property
    def summary(self) -> str:
        """Words for the list of DAGs."""
        return f"nightly, {self._hour} h {self._site_timezone}"

    def serialize(self) -> dict[str, Any]:
        """Give the arguments as JSON."""
        return {"timezone": self._site_timezone, "hour": self._hour}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> NightTimetable:
        """Give the timetable again."""
        return cls(timezone=data["timezone"], hour=data["hour"])

    def _decode_partition_date(self, partition_key: str) -> dt.datetime:
        midnight = super()._decode_partition_date(partition_key)
        return midnight + dt.timedelta(hours=self._hour)

    def iter_partition_dagrun_infos(
        self, *, earliest: dt.datetime, latest: dt.datetime
    ) -> Iterable[DagRunInfo]:
        """Give a run for each night of a backfill, both ends included."""
        if (latest.hour, latest.minute) == (0, 0):
            latest += dt.timedelta(hours=self._hour)
        yield from super().iter_partition_dagrun_infos(earliest=earliest, latest=latest)
