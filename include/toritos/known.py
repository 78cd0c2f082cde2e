"""What is known of the inbox's files, and which of them must therefore be looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from include.corral.corral import Corral
from include.corral.wants import portions
from include.toritos.inbox import FileState, Seen, is_too_long, path_key
from models.frame import Frame, Rejection, Sighting

WAIT, QUARANTINE, GONE = "WAIT", "QUARANTINE", "GONE"
CHUNK = 1000
# Some file systems count time in steps of two seconds: what is written twice in one of them looks
# as it did. It is looked at once more when the step is over; an hour later that has been done.
COARSE_S = (3, 3600)
# What was refused later than now was refused by a clock that was wrong; loaders that work side by
# side differ by less.
SAME_CLOCK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Gone:
    """A refused file that a scan did not meet any more."""

    rejection_id: int
    path: str

    @property
    def stamp(self) -> str:
        """Another one each time that it goes."""
        return f"gone {self.rejection_id}"


@dataclass(frozen=True, slots=True)
class Header:
    """A frame whose header another state of the profile has read."""

    frame_id: int
    sha256: str


class Known:
    """Compares what a scan meets with what the database holds.

    Parameters
    ----------
    corral
        The installation.
    read_by
        Digest of the profile as it is now: what another one refused is looked at again.
    now, wait
        What has waited so long is refused for good.
    """

    def __init__(self, corral: Corral, *, read_by: str, now: datetime, wait: timedelta) -> None:
        self._corral = corral
        self._read_by = read_by
        self._now = now
        self._waited_enough = now - wait
        self._met: set[str] = set()
        with corral.read() as session:
            self._last_refusal = session.scalar(select(func.max(Rejection.id))) or 0

    def meet(self, path: str) -> None:
        """Note that something is there, though it may not be a file."""
        self._met.add(path_key(path))

    def choose(
        self, there: Mapping[str, os.stat_result], unmarked: Container[str], *, is_range: bool
    ) -> list[Seen]:
        """Give the files that are not known as they are.

        Parameters
        ----------
        there
            Path to state of the files met.
        unmarked
            Those of which the camera has not yet said that they are complete.
        is_range
            In the order of paths, those of no other folder lie between these.
        """
        if not there:
            return []
        keys = {path_key(path): path for path in there}
        with self._corral.read() as session:
            sightings = _sightings(session, keys, is_range=is_range)
            rejections = _rejections(session, keys, is_range=is_range)
        self._met |= rejections.keys() & keys.keys()
        self._met |= {key for key, path in keys.items() if key != path and is_too_long(path)}
        chosen = []
        for key, path in keys.items():
            found, refused = there[path], rejections.get(key)
            # To move or to chmod a file leaves its content, and the time of that does not count.
            content = (found.st_size, found.st_mtime_ns, found.st_ino)
            is_known = refused is None and sightings.get(key) == content
            if is_known and not self._may_have_changed(found):
                continue
            seen = Seen(path, FileState.of(found), path not in unmarked, is_again=is_known)
            again = seen if refused is None else self._refused_again(refused, seen)
            chosen += [again] if again else []
        return chosen

    def _may_have_changed(self, known: os.stat_result) -> bool:
        if known.st_mtime_ns % 10**9:
            return False
        return COARSE_S[0] <= self._now.timestamp() - known.st_mtime_ns // 10**9 <= COARSE_S[1]

    def gone(self, looked_into: Callable[[str], bool]) -> list[Gone]:
        """Give the refused files that were not met; to be asked for when the scan is over.

        Parameters
        ----------
        looked_into
            Tells of a path whether its inbox was there to be looked into.
        """
        query = select(Rejection.id, Rejection.path).where(Rejection.resolved_at.is_(None))
        query = query.where(Rejection.id <= self._last_refusal)  # not those of this very scan
        with self._corral.read() as session:
            rows = session.execute(query.order_by(Rejection.id)).all()
        missing = [row for row in rows if path_key(row.path) not in self._met]
        return [Gone(row.id, row.path) for row in missing if looked_into(row.path)]

    def read_otherwise(self, instrument: str) -> Iterator[Header]:
        """Give the frames of an instrument whose headers must be read anew."""
        # Two ranges, as an index knows them; "is not" would go through all frames.
        other = or_(Frame.read_by < self._read_by, Frame.read_by > self._read_by)
        query = select(Frame.id, Frame.sha256).where(Frame.instrument == instrument, other)
        last = 0
        while True:
            some = query.where(Frame.id > last).order_by(Frame.id).limit(CHUNK)
            with self._corral.read() as session:
                rows = session.execute(some).all()
            if not rows:
                return
            yield from (Header(row.id, row.sha256) for row in rows)
            last = rows[-1].id

    def _refused_again(self, row: Any, seen: Seen) -> Seen | None:
        """Give a refused file if there is reason to look again."""
        if row.stamp != seen.stamp or row.read_by != self._read_by:
            return seen
        if self._is_over(row):
            return replace(seen, refusal_id=row.id)
        is_overdue = row.verdict == WAIT and row.rejected_at <= self._waited_enough
        return replace(seen, is_overdue=True) if is_overdue else None

    def _is_over(self, row: Any) -> bool:
        """Tell whether a verdict was one of its moment, and that moment is past or never was."""
        is_time = row.again_at is not None and row.again_at <= self._now
        return bool(is_time or row.rejected_at > self._now + SAME_CLOCK)


def _sightings(
    session: Session, keys: Collection[str], *, is_range: bool
) -> dict[str, tuple[int, int, int]]:
    # As text: to undo the escapes of RelPath would cost more than the comparison. And by the
    # connection: a session would do more for each row than the database.
    path = type_coerce(Sighting.path, String)
    query = select(path, Sighting.size_bytes, Sighting.mtime_ns, Sighting.inode)
    found: dict[str, tuple[int, int, int]] = {}
    for are_these in _among(path, keys, is_range=is_range):
        rows = session.connection().execute(query.where(Sighting.current, are_these)).all()
        found |= {key: (size_bytes, mtime_ns, inode) for key, size_bytes, mtime_ns, inode in rows}
    return found


def _rejections(session: Session, keys: Collection[str], *, is_range: bool) -> dict[str, Any]:
    path = type_coerce(Rejection.path, String)
    columns = (Rejection.id, Rejection.verdict, Rejection.stamp, Rejection.read_by)
    query = select(path, *columns, Rejection.rejected_at, Rejection.again_at)
    standing = query.where(Rejection.resolved_at.is_(None))
    found: dict[str, Any] = {}
    for are_these in _among(path, keys, is_range=is_range):
        found |= {row[0]: row for row in session.connection().execute(standing.where(are_these))}
    return found


def _among(path: Any, keys: Collection[str], *, is_range: bool) -> Iterator[ColumnElement[bool]]:
    """Conditions that together hold for these paths; a range may hold others, long gone."""
    if is_range:
        yield path.between(min(keys), max(keys))
        return
    for some in portions(keys, CHUNK):
        yield path.in_(some)
