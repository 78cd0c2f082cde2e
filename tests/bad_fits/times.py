"""Catalogue B6.2, the dates: how cameras tell when, and how their clocks are wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from tests.bad_fits.case import Case
from tests.bad_fits.headers import cards, flagged, refused

AT: Final = datetime(2024, 3, 5, 3, 4, 5, tzinfo=UTC)


def read_as(number: int, name: str, at: datetime, text: str, **kwargs: Any) -> Case:
    """DATE-OBS in a spelling that is understood."""
    return Case(
        number,
        name,
        "OK",
        cards(DATE_OBS=f"'{text}'", drop=("JD",)),
        values={"observed_at": at},
        **kwargs,
    )


def unread(number: int, name: str, why: str, text: str) -> Case:
    """DATE-OBS in a spelling that nobody promised to understand."""
    return refused(number, name, why, cards(DATE_OBS=f"'{text}'", drop=("JD",)))


TIMES: Final = [
    unread(51, "days first", "unreadable_time", "05/03/24"),
    unread(51, "month by name", "unreadable_time", "05-Mar-24"),
    read_as(
        51, "days first from a camera that writes so", AT, "05/03/24 03:04:05", profile="careless"
    ),
    read_as(52, "Z", AT, "2024-03-05T03:04:05Z"),
    read_as(52, "an offset", AT, "2024-03-05T00:04:05-03:00"),
    read_as(53, "a blank for the T", AT, "2024-03-05 03:04:05"),
    read_as(
        53, "many digits", datetime(2024, 3, 5, 3, 4, 5, 123456, UTC), "2024-03-05T03:04:05.1234567"
    ),
    unread(55, "empty", "no_time", ""),
    unread(55, "N/A", "unreadable_time", "N/A"),
    unread(55, "date without time", "unreadable_time", "2024-03-05"),
    unread(55, "day that does not exist", "unreadable_time", "2024-02-30T03:04:05"),
    unread(55, "hour that does not exist", "unreadable_time", "2024-03-05T25:04:05"),
    refused(55, "a control character", "unreadable_time", cards(DATE_OBS="'\x85'")),
    refused(55, "DATE-OBS a number", "unreadable_time", cards(DATE_OBS="20240305", drop=("JD",))),
    unread(56, "1970", "too_early", "1970-01-01T00:00:00"),
    unread(56, "2000", "too_early", "2000-01-01T00:00:00"),
    unread(56, "before the camera", "too_early", "2009-12-31T23:59:59"),
    unread(56, "two days ahead", "too_late", "2024-03-07T12:00:01"),
    unread(56, "year 9999", "too_late", "9999-12-31T23:59:59"),
    read_as(56, "an hour ahead", datetime(2024, 3, 5, 13, tzinfo=UTC), "2024-03-05T13:00:00"),
    flagged(57, "JD two minutes off", "time_disagrees", cards(JD="2460374.6292")),
    refused(57, "JD two hours off", "time_contradicts", cards(JD="2460374.7112")),
    refused(57, "JD of the day before", "time_contradicts", cards(JD="2460373.6278414")),
    refused(57, "MJD-OBS in local time", "time_contradicts", cards(MJD_OBS="60374.0028")),
    flagged(57, "JD unreadable", "time_unreadable", cards(JD="'today   '")),
    flagged(
        57, "name two minutes off", "time_disagrees", cards(), file_name="m83_20240305T030610.fits"
    ),
    refused(
        57,
        "name of another night",
        "time_contradicts",
        cards(),
        file_name="m83_20240304T030405.fits",
    ),
    Case(57, "name that agrees", "OK", cards(), file_name="m83_20240305T030405.fits"),
    Case(58, "night named by its evening", "OK", cards(NIGHT="'2024-03-04'")),
    flagged(58, "night named by its morning", "night_disagrees", cards(NIGHT="'2024-03-05'")),
    refused(
        59,
        "DATE without DATE-OBS",
        "no_time",
        cards(drop=("DATE-OBS", "JD"), DATE="'2024-03-05T03:10:00'"),
    ),
]
