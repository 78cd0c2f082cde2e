from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.timetables.base import TimeRestriction
from pendulum import instance

from corral_ops.timetable import NightTimetable

SITE = "America/Argentina/Salta"  # UTC−3, noon is 15 h UTC


@pytest.fixture
def timetable() -> NightTimetable:
    return NightTimetable(timezone=SITE)


def _midnight(day: int) -> datetime:
    return datetime(2026, 11, day, tzinfo=UTC)


def test_a_night_is_run_at_the_noon_that_ends_it(timetable):
    """Its key is the date of its evening."""
    last = timetable.next_dagrun_info_v2(
        last_dagrun_info=None,
        restriction=TimeRestriction(earliest=instance(_midnight(21)), latest=None, catchup=True),
    )
    assert last.run_after == datetime(2026, 11, 21, 15, tzinfo=UTC)
    assert last.partition_key == "2026-11-20"
    assert last.partition_date == datetime(2026, 11, 20, 15, tzinfo=UTC)


def test_a_backfill_takes_both_its_ends(timetable):
    """Airflow's own class leaves the last night out."""
    infos = timetable.iter_partition_dagrun_infos(earliest=_midnight(14), latest=_midnight(16))
    assert [i.partition_key for i in infos] == ["2026-11-14", "2026-11-15", "2026-11-16"]


def test_a_night_is_the_same_instant_whoever_names_it(timetable):
    """A backfill passes over nights that a person, or the clock, has had run."""
    (filled,) = timetable.iter_partition_dagrun_infos(earliest=_midnight(20), latest=_midnight(20))
    by_hand = timetable._decode_partition_date("2026-11-20")
    assert by_hand == filled.partition_date == datetime(2026, 11, 20, 15, tzinfo=UTC)


@pytest.mark.parametrize("key", ["tonight", "20.11.2026", "2026-11-31", ""])
def test_what_is_no_night_is_refused(timetable, key):
    """The API answers 400 and makes no run."""
    with pytest.raises(ValueError, match="does not match"):
        timetable._decode_partition_date(key)


def test_it_survives_the_way_through_airflows_database(timetable):
    """The scheduler works with what was written there."""
    again = NightTimetable.deserialize(timetable.serialize())
    assert again.serialize() == timetable.serialize() == {"timezone": SITE, "hour": 12}
    assert again.summary == f"nightly, 12 h {SITE}"


def test_airflow_knows_it_by_the_plugin():
    """Without this a DAG that uses it does not load."""
    from airflow.plugins_manager import get_timetables_plugins

    assert get_timetables_plugins()["corral_ops.timetable.NightTimetable"] is NightTimetable
