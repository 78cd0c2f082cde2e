from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from include.ccd.converters import CONVERTERS, instant


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", " V ", "V"),
        ("text", 3, "3"),
        ("number", 60, 60.0),
        ("number", "60.0", 60.0),
        ("integer", 2.0, 2),
        ("kelvin", 271.0, -2.15),
        ("degrees", 46.769087, 46.769087),
        ("degrees", "-64 32 56", -(64 + 32 / 60 + 56 / 3600)),
        ("degrees", "-0:30:00", -0.5),
        ("degrees", "+46 46", 46 + 46 / 60),
        ("degrees", "110.88", 110.88),
        ("degrees", "-00d30m", -0.5),
        ("degrees", "+22d 00m 36.0s", 22.01),
        ("degrees", "-10d30'36\"", -10.51),
        ("hours", "05h34m30s", 15 * 5.575),
        ("duration_s", "0h01m30.5s", 90.5),
        ("hours", "09:19:17.74", 15 * (9 + 19 / 60 + 17.74 / 3600)),
        ("hours", 2.0, 30.0),
        ("west_degrees", 110.88, -110.88),
        ("west_degrees", "67:19:41", -(67 + 19 / 60 + 41 / 3600)),
        ("duration_s", "00:01:30.5", 90.5),
        ("duration_s", "0 2", 120.0),
        ("duration_s", 30, 30.0),
        ("duration_s", "30", 30.0),
        ("reciprocal", 0.4, 2.5),
    ],
)
def test_a_value_is_brought_to_the_logical_unit(name: str, value: object, expected: object) -> None:
    """Seconds, degrees east, degrees Celsius, whatever the camera wrote."""
    found = CONVERTERS[name](value)  # type: ignore[arg-type]

    assert found == (expected if isinstance(expected, str) else pytest.approx(expected, rel=1e-12))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "60.0 s"),
        ("number", "60,0"),
        ("number", "nan"),
        ("number", "1_000"),
        ("number", math.inf),
        ("number", True),
        ("number", None),
        ("number", "__import__('os')"),
        ("integer", 1.5),
        ("kelvin", "cold"),
        ("degrees", "12:60:00"),
        ("degrees", "12h30m00s"),
        ("hours", "12d30m00s"),
        ("duration_s", "1d00m00s"),
        ("degrees", "12d3000"),
        ("degrees", "12:00:60"),
        ("degrees", "north"),
        ("hours", ""),
        ("west_degrees", "1 2 3 4"),
        ("duration_s", "a minute"),
        ("reciprocal", 0),
        ("number", "1" * 5000),
        ("degrees", "1" * 5000 + ":0"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, value: object) -> None:
    """A guess would be worse than a refusal."""
    with pytest.raises(ValueError, match=r"expected|must"):
        CONVERTERS[name](value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "layout", "expected"),
    [
        (["2024-05-13T01:59:58.11"], "iso", datetime(2024, 5, 13, 1, 59, 58, 110000, UTC)),
        (["2016-12-31T23:59:60.5"], "iso", datetime(2017, 1, 1, 0, 0, 0, 500000, UTC)),
        (["2024-05-13T01:59:58Z"], "iso", datetime(2024, 5, 13, 1, 59, 58, 0, UTC)),
        (["2024-05-13 01:59:58"], "iso", datetime(2024, 5, 13, 1, 59, 58, 0, UTC)),
        (["2024-05-13", "01:59:58.5"], "iso", datetime(2024, 5, 13, 1, 59, 58, 500000, UTC)),
        (["2017-12-20T01:33:43.317-0000"], "iso", datetime(2017, 12, 20, 1, 33, 43, 317000, UTC)),
        (["2017-12-19T18:33:43.317-0700"], "iso", datetime(2017, 12, 20, 1, 33, 43, 317000, UTC)),
        (
            ["31/08/87", "23:50:58.00"],
            "%d/%m/%y %H:%M:%S.%f",
            datetime(1987, 8, 31, 23, 50, 58, 0, UTC),
        ),
        (
            ["01/09/87", " 1:23:48.00"],
            "%d/%m/%y %H:%M:%S.%f",
            datetime(1987, 9, 1, 1, 23, 48, 0, UTC),
        ),
        ([2457383.7683333335], "jd", datetime(2015, 12, 27, 6, 26, 24, 0, UTC)),
        ([58107.065], "mjd", datetime(2017, 12, 20, 1, 33, 36, 0, UTC)),
        ([1513733616.25], "unix", datetime(2017, 12, 20, 1, 33, 36, 250000, UTC)),
    ],
)
def test_an_instant_is_the_same_in_every_dialect(
    parts: list[object], layout: str, expected: datetime
) -> None:
    """All become aware UTC."""
    found = instant(parts, layout)  # type: ignore[arg-type]

    assert found == expected
    assert found.tzinfo is UTC


def test_a_clock_without_a_zone_runs_in_the_stated_one() -> None:
    """Local time is told apart only by the profile."""
    found = instant(["2017-12-19T18:33:43"], "iso", utc_offset_hours=-7)

    assert found == datetime(2017, 12, 20, 1, 33, 43, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parts", "layout"),
    [
        (["2024-05-13"], "iso"),
        (["N/A"], "iso"),
        (["13/05/24"], "iso"),
        (["2024-13-40T25:61:61"], "iso"),
        (["2024-05-13T01:59:58; DROP"], "iso"),
        (["0001-01-01T00:00:00+2300"], "iso"),
        (["01-Jan-96"], "%d/%m/%y %H:%M:%S.%f"),
        ([1e300], "jd"),
        ([-1e9], "mjd"),
        (["soon"], "jd"),
        (["2024-05-13T01:59:58" + " " * 100 + "Z"], "iso"),
    ],
)
def test_what_is_not_an_instant_is_refused(parts: list[object], layout: str) -> None:
    """Nothing but ValueError comes out, also for years that do not exist."""
    with pytest.raises(ValueError, match=r".+"):
        instant(parts, layout)  # type: ignore[arg-type]
