"""A look at one file: what it is, or why it is no frame. Nothing is written here."""

from __future__ import annotations

import gzip
import os
import stat
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from include.corral.errors import ConfigurationError
from include.corral.grouping import KEY_LENGTH
from include.corral.settings import Settings
from include.toritos.inbox import Absent, Seen, Unlisted, is_too_long, path_key
from include.toritos.known import GONE, QUARANTINE, WAIT, Gone
from models.columns import path_text
from models.frame import Frame

if TYPE_CHECKING:
    from include.ccd.errors import BadFits
    from include.ccd.fits_reader import Inspection
    from include.ccd.header import FrameHeader
    from include.ccd.profile import Profile

# What is unusual of a file itself; the rest of a frame's flags is of its pixels or its header.
FILE_FLAGS = frozenset(
    {"null_padding", "padding_missing", "padding_not_empty", "several_images", "trailing_bytes"}
)
HEAD_BYTES = 24 * 2880
# Between two looks at a file that may not be read.
SOONEST_S, LATEST_S = 600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Found:
    """A file is a frame."""

    seen: Seen
    frame: Inspection
    night: date

    @property
    def header_gzip(self) -> bytes:
        """The header blocks, packed; the same bytes each time."""
        return gzip.compress(self.frame.raw_header, compresslevel=6, mtime=0)


@dataclass(frozen=True, slots=True)
class Refused:
    """A file is no frame, or none yet; columns as of a Rejection."""

    path: str
    verdict: str
    reason: str
    evidence: str
    stamp: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0
    night: date | None = None
    again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadAnew:
    """A frame that was known reads so by the profile as it is now."""

    sha256: str
    header: FrameHeader
    flags: tuple[str, ...]


class Look:
    """Looks at files, by one profile, in one trigger.

    Parameters
    ----------
    settings
        Where the inboxes are.
    profile
        By which headers are read.
    now
        Time of arrival: no exposure began much later.
    """

    def __init__(self, settings: Settings, profile: Profile, *, now: datetime) -> None:
        self._settings = settings
        self._profile = profile
        self._now = now

    def at_file(self, seen: Seen) -> Found | Refused:
        """Say what a file is."""
        from include.ccd.errors import BadFits
        from include.ccd.safe_reader import inspect_safely

        if (refused := self._refused_unopened(seen)) is not None:
            return refused
        try:
            place = self._place(seen.path)
            frame = inspect_safely(place, profile=self._profile, now=self._now)
        except BadFits as error:
            return self._refused_opened(seen, error)
        return Found(seen, frame, self._night(frame.header.observed_at))

    def at_header(self, frame: Frame) -> ReadAnew:
        """Say how the header of a known frame reads now.

        Raises
        ------
        BadHeader
            If the profile cannot read it any more.
        """
        from include.ccd.header import parse_header
        from include.ccd.pixel_checks import PIXEL_FLAGS

        assert frame.header is not None
        header = parse_header(
            gzip.decompress(frame.header),
            shape=(frame.height_px, frame.width_px),
            profile=self._profile,
            name=Path(frame.path).name,
        )
        flags = {*header.flags, *(FILE_FLAGS | PIXEL_FLAGS).intersection(frame.flags)}
        return ReadAnew(frame.sha256, header, tuple(sorted(flags)))

    def at_nothing(self, gone: Gone) -> Refused | None:
        """Say that what was refused is no longer met; None when a file may be there after all.

        Raises
        ------
        OSError
            If the disk is at fault.
        """
        try:
            state = self._place(gone.path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return Refused(gone.path, GONE, "gone", "no longer there")
        except PermissionError:
            return None
        if stat.S_ISDIR(state.st_mode):
            return Refused(gone.path, GONE, "gone", "a folder that can be read")
        return None

    def at_folder(self, folder: Unlisted) -> Refused:
        """Say that a folder cannot be looked into.

        Raises
        ------
        OSError
            If the disk is at fault and not a permission.
        """
        if not isinstance(folder.error, PermissionError):
            raise folder.error
        evidence = f"the folder cannot be read ({folder.error.strerror}): what is in it waits"
        return Refused(folder.path, WAIT, "folder_not_readable", evidence, folder.stamp)

    def at_absent(self, absent: Absent) -> None:
        """Say that a whole inbox is missing, so that a person looks; the others go on.

        Raises
        ------
        ConfigurationError
            Always.
        """
        raise ConfigurationError(absent.reason)

    def _refused_unopened(self, seen: Seen) -> Refused | None:
        if is_too_long(seen.path):
            text, key = path_text(seen.path), path_key(seen.path)
            evidence = f"{len(text)} characters, at most {KEY_LENGTH}: {text!r}"
            return _refused(seen, QUARANTINE, "path_too_long", evidence, path=key)
        if not seen.is_still:
            return _refused(seen, WAIT, "still_written", "it changed between two looks")
        if not seen.is_marked:
            verdict = QUARANTINE if seen.is_overdue else WAIT
            evidence = f"no file *{self._profile.arrival.marker} says yet that it is complete"
            return _refused(seen, verdict, "not_marked", evidence)
        return None

    def _refused_opened(self, seen: Seen, error: BadFits) -> Refused:
        from include.ccd.errors import FromTheFuture

        place = self._place(seen.path)
        if error.code == "not_readable" and not os.path.lexists(place):
            return Refused(seen.path, GONE, "gone", "it went before it was read")
        verdict = QUARANTINE if seen.is_overdue else error.verdict
        again_at = error.possible_from if isinstance(error, FromTheFuture) else None
        if error.code == "not_readable":
            again_at = self._now + self._pause(seen)
        observed_at = time_in(place, self._profile)
        night = self._night(observed_at) if self._is_plausible(observed_at) else None
        columns = {"night": night, "again_at": again_at}
        return _refused(seen, verdict, error.code, error.message, **columns)

    def _pause(self, seen: Seen) -> timedelta:
        """How long a file that may not be read is let alone: a tenth of its age, within bounds.

        When a folder, a share or a group is mended, nothing changes that a scan of it would see.
        """
        age_s = self._now.timestamp() - seen.state.ctime_ns / 1e9
        return timedelta(seconds=min(max(age_s / 10, SOONEST_S), LATEST_S))

    def _is_plausible(self, observed_at: datetime | None) -> TypeGuard[datetime]:
        """Tell whether a night is to be opened for a file because its header tells this time."""
        if observed_at is None or observed_at.date() < self._profile.reading.earliest:
            return False
        return observed_at <= self._now + timedelta(
            days=self._profile.reading.future_tolerance_days
        )

    def _place(self, path: str) -> Path:
        inbox, below = self._settings.inbox_of(path)
        return inbox / below

    def _night(self, observed_at: datetime) -> date:
        from include.ccd.night import night_of

        return night_of(observed_at, self._profile.site.longitude_deg)


def _refused(seen: Seen, verdict: str, reason: str, evidence: str, **others: Any) -> Refused:
    known = {
        "path": seen.path,
        "stamp": seen.stamp,
        "size_bytes": seen.state.size_bytes,
        "mtime_ns": seen.state.mtime_ns,
    }
    return Refused(verdict=verdict, reason=reason, evidence=evidence, **{**known, **others})


def time_in(place: Path, profile: Profile) -> datetime | None:
    """Start of exposure by the header of a file that is otherwise unusable; None if unknown."""
    from include.ccd.errors import BadFits
    from include.ccd.fits_cards import Cards
    from include.ccd.fits_file import GZIP_MAGIC, GzipSource, open_regular

    try:
        with open_regular(place) as plain:
            packed = bytes(plain.read(0, 2)) == GZIP_MAGIC
            source = GzipSource(plain, max_bytes=2 * HEAD_BYTES) if packed else plain
            cards = Cards(bytes(source.read(0, HEAD_BYTES)))
        times = (each.find(cards) for each in profile.fields.observed_at)
        return next((found for found in times if found), None)
    except (BadFits, OSError):
        return None
