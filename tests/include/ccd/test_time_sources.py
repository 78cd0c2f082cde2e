from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.ccd.errors import BadHeader
from include.ccd.fits_cards import Cards
from include.ccd.time_sources import NameTime, TimeSource


def cards_of(**values: str) -> Cards:
    cards = [f"{key.replace('_', '-'):<8}= {text}" for key, text in values.items()]
    raw = "".join(card.ljust(80) for card in [*cards, "END"])
    return Cards(raw.encode("latin-1"))


def test_a_time_needs_all_its_keywords() -> None:
    """A date without its time is no instant, and no error either: another source may tell."""
    source = TimeSource(keywords=("DATE-OBS", "UT"))

    assert source.find(cards_of(DATE_OBS="'2024-03-05'")) is None
    assert source.find(cards_of(DATE_OBS="'2024-03-05'", UT="'03:04:05'")) == datetime(
        2024, 3, 5, 3, 4, 5, tzinfo=UTC
    )


def test_the_date_of_the_file_is_never_the_date_of_the_sky() -> None:
    """DATE is refused as a source of time."""
    with pytest.raises(ValueError, match="DATE is when the file was written"):
        TimeSource(keywords=("DATE",))


@pytest.mark.parametrize(
    ("marks", "start"), [("start", "03:04:05"), ("middle", "03:03:35"), ("end", "03:03:05")]
)
def test_a_time_may_mark_any_moment_of_the_exposure(marks: str, start: str) -> None:
    """What comes out is always its start."""
    source = TimeSource(keywords=("DATE-OBS",), marks=marks)  # type: ignore[arg-type]
    cards = cards_of(DATE_OBS="'2024-03-05T03:04:05'")

    assert source.find(cards, exptime_s=60.0) == datetime.fromisoformat(f"2024-03-05T{start}Z")


def test_a_clock_may_follow_summer_time() -> None:
    """Four hours behind in July, three in January; an unknown zone is refused at once."""
    source = TimeSource(keywords=("DATE-OBS",), timezone="America/Santiago")

    assert source.find(cards_of(DATE_OBS="'2024-07-05T20:00:00'")) == datetime(
        2024, 7, 6, tzinfo=UTC
    )
    assert source.find(cards_of(DATE_OBS="'2024-01-05T21:00:00'")) == datetime(
        2024, 1, 6, tzinfo=UTC
    )
    with pytest.raises(ValueError, match="no such time zone"):
        TimeSource(keywords=("DATE-OBS",), timezone="../../etc/passwd")


def test_a_count_with_a_decimal_comma_is_a_time() -> None:
    """As number and as text, for a camera that writes so."""
    source = TimeSource(keywords=("MJD-OBS",), format="mjd")
    expected = datetime(2024, 3, 5, 6, tzinfo=UTC)

    for text in ("60374,25", "'60374,25'"):
        assert source.find(cards_of(MJD_OBS=text).with_decimal_comma()) == expected
        with pytest.raises(BadHeader):
            source.find(cards_of(MJD_OBS=text))


def test_a_name_may_tell_a_time() -> None:
    """By the pattern of the instrument; any other name tells nothing."""
    in_name = NameTime(pattern=r"_(\d{8}T\d{6})", utc_offset_hours=-3)

    assert in_name.find("m83_20240305T010203.fits") == datetime(2024, 3, 5, 4, 2, 3, tzinfo=UTC)
    assert in_name.find("m83_20249905T010203.fits") is None
    assert in_name.find("m83.fits") is None
    with pytest.raises(ValueError, match="group"):
        NameTime(pattern="no group")
