"""Header values in the units that the rest of the code speaks.

Every converter takes what a card holds and returns the logical value, or raises ValueError
with what it saw: headers are data written by many hands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from include.ccd.fits_cards import Value, clean_text

KELVIN: Final = 273.15
_LONGEST: Final = 80
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# 12:34:56.7, 12 34 56.7, 12h34m56.7s, 12d 34m 56.7s, 12d34'56.7"
_SEXAGESIMAL = re.compile(
    r"([+-]?) *(\d{1,3})([: hd]) *(\d{1,2})(?:[: m'] *(\d{1,2}(?:\.\d*)?)[s\"]?|[m']?)",
    re.ASCII,
)
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T| +)(\d\d:\d\d:\d\d(?:\.\d+)?) *(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
# how a count of time is written: its value in 1970, and how many seconds one of it is
_COUNTS: Final = {"jd": (2440587.5, 86_400), "mjd": (40587.0, 86_400), "unix": (0.0, 1)}


def text(value: Value) -> str:
    """Printable text of any value: a filter may be called 3."""
    return clean_text(str(value))


def number(value: Value) -> float:
    """Finite number, also when the camera wrote it between quotes."""
    if isinstance(value, bool) or value is None:
        raise ValueError(f"expected a number, found {value!r}")
    if isinstance(value, str):
        if len(value) > _LONGEST or _NUMBER.fullmatch(value.strip(" ")) is None:
            raise ValueError(f"expected a number, found the text {value[:40]!r}")
        value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value!r}")
    return float(value)


def integer(value: Value) -> int:
    """Whole number."""
    found = number(value)
    if not found.is_integer():
        raise ValueError(f"expected a whole number, found {value!r}")
    return int(found)


def kelvin(value: Value) -> float:
    """Degrees Celsius of a temperature in kelvin."""
    return round(number(value) - KELVIN, 6)


def degrees(value: Value) -> float:
    """Degrees of an angle given in degrees, decimal or sexagesimal."""
    return _units(value, "d")


def hours(value: Value) -> float:
    """Degrees of an angle given in hours, decimal or sexagesimal."""
    return _units(value, "h") * 15


def duration_s(value: Value) -> float:
    """Seconds of a duration given in seconds, or as h:m:s."""
    if _spelt(value) is None:
        return number(value)
    return round(_units(value, "h") * 3600, 6)


def _units(value: Value, letter: str) -> float:
    """A number, or a text in that unit, its sixtieths and theirs; it may name no other unit."""
    text = _spelt(value)
    if text is None:
        return number(value)
    match = _SEXAGESIMAL.fullmatch(text)
    if match is None or match[3] not in {":", " ", letter}:
        raise ValueError(f"expected an angle or a duration, found the text {text[:40]!r}")
    sign, whole, _, minutes, seconds = match.groups()
    if int(minutes) >= 60 or float(seconds or 0) >= 60:
        raise ValueError(f"minutes and seconds must be below 60: {text[:40]!r}")
    size = int(whole) + int(minutes) / 60 + float(seconds or 0) / 3600
    return -size if sign == "-" else size


def reciprocal(value: Value) -> float:
    """One over a number: a gain in ADU per electron."""
    found = number(value)
    if found == 0:
        raise ValueError("expected a number other than zero")
    return 1 / found


def west_degrees(value: Value) -> float:
    """East-positive degrees of a longitude counted westward."""
    return -degrees(value)


CONVERTERS: Final[dict[str, Callable[[Value], str | float]]] = {
    "text": text,
    "number": number,
    "integer": integer,
    "kelvin": kelvin,
    "degrees": degrees,
    "hours": hours,
    "west_degrees": west_degrees,
    "duration_s": duration_s,
    "reciprocal": reciprocal,
}


def _spelt(value: Value) -> str | None:
    """Text that may be sexagesimal; None for what is a number, or can be neither."""
    if not isinstance(value, str) or len(value) > _LONGEST or _NUMBER.fullmatch(value.strip(" ")):
        return None
    return value.strip(" ")


def instant(
    parts: list[Value], layout: str, *, utc_offset_hours: float = 0.0, zone: str | None = None
) -> datetime:
    """Aware UTC instant of one or more header values.

    Parameters
    ----------
    parts : list
        Values of the keywords, in order; joined by a space.
    layout : str
        'iso' (with T or a space, with or without Z or an offset), 'jd', 'mjd', 'unix'
        (seconds since 1970), or a `strptime` pattern.
    utc_offset_hours : float
        Offset of clocks that do not state theirs.
    zone : str, optional
        IANA zone of such clocks, instead of an offset; of an hour that comes twice, the first.

    Raises
    ------
    ValueError
        The text is not in that layout. A date without a time is not an instant.
    """
    try:
        found = _instant(parts, layout)
        if found.tzinfo is None:
            offset = timezone(timedelta(hours=utc_offset_hours))
            found = found.replace(tzinfo=ZoneInfo(zone) if zone else offset)
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"instant out of range: {parts!r:.60}") from error


def _instant(parts: list[Value], layout: str) -> datetime:
    if layout in _COUNTS:
        zero, seconds = _COUNTS[layout]
        return _UNIX + timedelta(milliseconds=round((number(parts[0]) - zero) * seconds * 1000))
    joined = " ".join(str(part).strip(" ") for part in parts)
    if len(joined) > _LONGEST:
        raise ValueError(f"expected an instant, found {joined[:60]!r}…")
    if layout != "iso":
        return datetime.strptime(joined, layout)  # noqa: DTZ007 - its zone is settled by the caller
    match = _ISO.fullmatch(joined)
    if match is None:
        raise ValueError(f"expected YYYY-MM-DDThh:mm:ss, found {joined[:60]!r}")
    day, time, zone = match.groups()
    leap = time[3:8] == "59:60"  # a leap second counts as the second after it
    if leap:
        time = f"{time[:6]}59{time[8:]}"
    found = datetime.fromisoformat(f"{day}T{time}{zone or ''}")
    return found + timedelta(seconds=leap)
