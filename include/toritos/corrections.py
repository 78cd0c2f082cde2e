"""What headers say wrongly: the site's list, and what of it holds for a frame.

The list is a TOML file that people write. Raw files stay as they are::

    [[correction]]
    path = "2026-11-20/m33-*.fits"      # and, or: sha256, night, kind, filter, camera
    set = { filter = "R" }
    reason = "the wheel was stuck at R, see the log of 21 November"
    author = "A. Observer"

Every condition must hold; they speak of what the header says, not of what was corrected. Later
entries go before earlier ones.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal

from include.corral.errors import ConfigurationError

LONGEST = {"filter": 64, "object": 200}
LONGEST_SHIFT_S = 36_525 * 86_400.0
YEARS = range(1900, 2200)
WITHOUT_FILTER = frozenset({"bias", "dark"})
# Columns of a frame that may be corrected.
FIELDS = ("accepted", "exptime_s", "filter", "kind", "object", "observed_at", "temperature_c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What is believed instead; what is not given stays as the header says.

    Attributes
    ----------
    filter, object
        An empty text stands for none.
    observed_at
        With its offset from UTC.
    shift_s
        Seconds to be added to the start of exposure: of a clock that was wrong all night.
    accepted
        False takes the frame out of every step.
    """

    accepted: Literal[False] | None = None
    exptime_s: float | None = None
    filter: str | None = None
    kind: Literal["bias", "dark", "flat", "science", "unknown"] | None = None
    object: str | None = None
    observed_at: datetime | None = None
    shift_s: float | None = None
    temperature_c: float | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, field.name) is None for field in fields(self)):
            raise ValueError("sets nothing")
        if self.exptime_s is not None and not 0 <= self.exptime_s <= 86_400:
            raise ValueError("exptime_s must be 0 to 86400")
        if self.temperature_c is not None and not -273.15 <= self.temperature_c <= 100:
            raise ValueError("temperature_c must be -273.15 to 100")
        self._check_time()
        for name, longest in LONGEST.items():
            text = getattr(self, name) or ""
            if len(text) > longest or not text.isprintable():
                raise ValueError(f"{name} must be printable, of {longest} characters at most")

    def _check_time(self) -> None:
        if self.observed_at is not None and self.observed_at.utcoffset() is None:
            raise ValueError("observed_at must have an offset from UTC: 2026-11-21T03:04:05Z")
        if self.observed_at is not None and self.observed_at.year not in YEARS:
            raise ValueError(f"observed_at must be in the years {YEARS[0]} to {YEARS[-1]}")
        if self.observed_at is not None and self.shift_s is not None:
            raise ValueError("observed_at and shift_s are two ways to say the same")
        if self.shift_s is not None and not abs(self.shift_s) <= LONGEST_SHIFT_S:
            raise ValueError("shift_s must be a century at most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the list.

    Attributes
    ----------
    sha256
        Of the file, or its first eight digits or more; one or several.
    path
        Pattern for the whole path below the inbox; ``*`` stands for anything.
    night
        Date of the evening.
    kind, filter, camera
        As the header says.
    set, reason, author
        What is believed instead, why, and who says so.
    """

    set: Values
    reason: str
    author: str
    sha256: tuple[str, ...] | None = None
    path: str | None = None
    night: date | None = None
    kind: str | None = None
    filter: str | None = None
    camera: str | None = None

    def __post_init__(self) -> None:
        if not self.sha256 and self.path is None and self.night is None:
            raise ValueError("names no frames: give sha256, path or night")
        if any(len(digits) < 8 for digits in self.sha256 or ()):
            raise ValueError("sha256 needs eight digits at least")
        if not self.reason.strip() or not self.author.strip():
            raise ValueError("reason and author must not be empty")

    def holds(self, read: Read) -> bool:
        """Tell whether this speaks of a frame."""
        said = {name: getattr(self, name) for name in ("night", "kind", "filter", "camera")}
        return (
            all(value is None or getattr(read, name) == value for name, value in said.items())
            and (not self.sha256 or read.sha256.startswith(self.sha256))
            and (self.path is None or any(fnmatchcase(path, self.path) for path in read.paths))
        )


@dataclass(frozen=True, slots=True)
class Read:
    """A frame as its header says: what entries are compared with.

    Attributes
    ----------
    paths
        At which its content was ever seen.
    values
        The columns of `FIELDS`.
    """

    sha256: str
    paths: tuple[str, ...]
    night: date
    camera: str
    values: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Kind of frame."""
        kind: str = self.values["kind"]
        return kind

    @property
    def filter(self) -> str | None:
        """Name of the filter."""
        name: str | None = self.values["filter"]
        return name


@dataclass(frozen=True, slots=True)
class CorrectionsText:
    """A list of corrections that makes sense, as it was written."""

    text: str

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Believed:
    """One corrected value, and why."""

    value: Any
    entry: Entry


def parse(text: str, *, where: str) -> tuple[Entry, ...]:
    """Read a list of corrections.

    Parameters
    ----------
    text
        TOML; an empty one corrects nothing.
    where
        Name of the file, for messages.

    Raises
    ------
    ConfigurationError
        If it says something that makes no sense: names the entry and what is allowed.
    """
    from include.ccd.errors import ProfileError
    from include.ccd.toml_tables import bind

    try:
        table = tomllib.loads(text)
        entries = table.pop("correction", [])
        if table or not isinstance(entries, list):
            raise ProfileError(f"{where} must hold [[correction]] entries and nothing else")
        return tuple(
            bind(Entry, _with_list(entry), where=f"{where} correction {number}")
            for number, entry in enumerate(entries, start=1)
        )
    except (ProfileError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"corrections not read: {error}. Those read before stay in force."
        ) from error


def _with_list(entry: Any) -> Any:
    if isinstance(entry, dict) and isinstance(entry.get("sha256"), str):
        return entry | {"sha256": [entry["sha256"]]}
    return entry


def believed(entries: Iterable[Entry], read: Read) -> dict[str, Believed]:
    """Give what is believed of a frame against its header, by column.

    What an entry sets to the value that the header has anyway is left out.
    """
    found: dict[str, Believed] = {}
    for entry in entries:
        if entry.holds(read):
            found |= {name: Believed(value, entry) for name, value in _set(entry.set, read)}
    kind = found.get("kind")
    if kind is not None and kind.value in WITHOUT_FILTER:
        found["filter"] = Believed(None, kind.entry)
    return {name: each for name, each in found.items() if each.value != read.values[name]}


def _set(values: Values, read: Read) -> Iterable[tuple[str, Any]]:
    for name in FIELDS:
        value = getattr(values, name)
        if value is not None:
            yield name, _plain(value)
    if values.shift_s is not None:
        yield "observed_at", read.values["observed_at"] + timedelta(seconds=values.shift_s)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return None if value == "" else value
