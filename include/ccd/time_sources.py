"""Where a frame tells when its exposure began: in its header, and perhaps in its name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from include.ccd.converters import instant
from include.ccd.errors import BadHeader
from include.ccd.fits_cards import Cards
from include.ccd.patterns import LONGEST_MATCHED, compiled

_PASSED: Final = {"start": 0.0, "middle": 0.5, "end": 1.0}


@dataclass(frozen=True, slots=True)
class TimeSource:
    """One way in which a camera tells when the exposure began.

    Attributes
    ----------
    keywords : tuple of str
        All must be present; their texts are joined by a space.
    format : str
        'iso', 'jd', 'mjd', 'unix' or a `strptime` pattern.
    utc_offset_hours : float
        Offset of a clock that does not state its own.
    timezone : str or None
        IANA zone of such a clock, when it follows summer time.
    marks : {'start', 'middle', 'end'}
        Which moment of the exposure it tells.
    """

    keywords: tuple[str, ...]
    format: str = "iso"
    utc_offset_hours: float = 0.0
    timezone: str | None = None
    marks: Literal["start", "middle", "end"] = "start"

    def __post_init__(self) -> None:
        if not self.keywords:
            raise ValueError("needs keywords")
        check_zone(self.timezone)
        if "DATE" in self.keywords:
            raise ValueError("DATE is when the file was written, never when the sky was seen")

    def find(self, cards: Cards, *, exptime_s: float = 0.0) -> datetime | None:
        """Start of an exposure of that length, aware UTC, or None when a keyword is absent.

        Raises
        ------
        BadHeader
            The keywords are there and their text is not an instant.
        """
        parts = [cards.get(keyword) for keyword in self.keywords]
        if any(part is None or not str(part).strip(" ") for part in parts):
            return None
        if cards.comma:
            parts = [part.replace(",", ".") if isinstance(part, str) else part for part in parts]
        try:
            marked = instant(
                parts, self.format, utc_offset_hours=self.utc_offset_hours, zone=self.timezone
            )
            return marked - timedelta(seconds=exptime_s * _PASSED[self.marks])
        except (ValueError, OverflowError) as error:
            raise BadHeader("unreadable_time", f"{' + '.join(self.keywords)}: {error}") from error


@dataclass(frozen=True, slots=True)
class NameTime:
    """A time in the name of the file: compared with the header's, never believed.

    Attributes
    ----------
    pattern : str
        Regular expression with one group: the time.
    format : str
        `strptime` pattern.
    utc_offset_hours : float
        Offset of the clock that named the file.
    """

    pattern: str
    format: str = "%Y%m%dT%H%M%S"
    utc_offset_hours: float = 0.0

    def __post_init__(self) -> None:
        if compiled(self.pattern).groups != 1:
            raise ValueError(f"pattern must have exactly one group: {self.pattern!r}")

    def find(self, name: str) -> datetime | None:
        """Aware UTC instant; None when the name does not tell one."""
        match = compiled(self.pattern).search(name[:LONGEST_MATCHED])
        if match is None:
            return None
        try:
            return instant([match[1]], self.format, utc_offset_hours=self.utc_offset_hours)
        except ValueError:
            return None


def check_zone(zone: str | None) -> None:
    """Refuse the name of a time zone that nobody knows.

    Raises
    ------
    ValueError
        There is no such zone.
    """
    try:
        if zone is not None:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no such time zone: {zone!r}") from error
