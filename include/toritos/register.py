"""The register of frames: what looks at files have found is put on record, and settled.

One transaction at a time does so, whoever loads: two that found one content, or one exposure under
two headers, would otherwise not see each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from include.corral.result import Tally
from include.corral.wants import lock_planning, portions
from include.toritos.belief import Beliefs, to_json
from include.toritos.campaign import Nights
from include.toritos.concerned import spoken_of, twins
from include.toritos.corrections import CorrectionsText, Entry, parse
from include.toritos.known import GONE
from include.toritos.look import Found, ReadAnew, Refused
from models.correction import Correction, CorrectionList
from models.frame import Frame, Rejection, Sighting
from models.statements import among, free_ids, insert_rows

if TYPE_CHECKING:
    from include.ccd.header import FrameHeader

T = TypeVar("T")
LOCK = "register of frames"


@dataclass(frozen=True, slots=True)
class Reading:
    """By what, and when, the files of a batch were read."""

    instrument: str
    digest: str
    now: datetime


class Register:
    """Puts what was found in a batch of looks on record.

    Parameters
    ----------
    session
        Writing, at the beginning of its transaction.
    nights
        Of that session.
    reading
        By what and when.
    """

    def __init__(self, session: Session, nights: Nights, reading: Reading) -> None:
        lock_planning(session, LOCK)
        self._session = session
        self._nights = nights
        self._reading = reading

    def write(self, findings: Sequence[Any]) -> Tally:
        """Write it, and settle what is believed of all frames that it bears on.

        Parameters
        ----------
        findings
            ``Found``, ``Refused``, ``ReadAnew`` and ``CorrectionsText``, in any order.

        Returns
        -------
        Tally
            Rows written, and nights in which something may be to do.
        """
        found, refused = _of(Found, findings), _of(Refused, findings)
        lists = _of(CorrectionsText, findings)
        newest = self._newest_list(lists)
        entries = _entries(newest.text) if newest else ()
        # Of several places of one content, the first in the order of names.
        contents: dict[str, Found] = {}
        for each in sorted(found, key=lambda each: each.seen.path):
            contents.setdefault(each.frame.sha256, each)
        ids, fresh = self._insert_frames(contents)
        tally = Tally()
        concerned = {ids[sha256] for sha256 in ids.keys() - fresh}
        concerned |= self._read_anew(_headers(contents, fresh, findings), tally)
        concerned |= self._end(found, refused)
        self._insert_looks(found, refused, ids)
        concerned |= twins(self._session, [contents[each].frame.pixel_sha256 for each in fresh])
        frame_ids = None if lists else [ids[each] for each in fresh]
        concerned |= spoken_of(self._session, entries, frame_ids)
        tally.count("frame", len(fresh))
        tally.count("sighting", len(found))
        tally.count("rejection", len(refused))
        tally.partitions |= {contents[each].night.isoformat() for each in fresh}
        beliefs = Beliefs(self._session, self._nights, newest, entries, now=self._reading.now)
        tally.merge(beliefs.settle(concerned))
        return tally

    def _newest_list(self, given: Sequence[CorrectionsText]) -> CorrectionList | None:
        for each in given:
            values = {"sha256": each.sha256, "text": each.text, "read_at": self._reading.now}
            self._session.execute(insert(CorrectionList), values)
        query = select(CorrectionList).order_by(CorrectionList.id.desc()).limit(1)
        return self._session.scalar(query)

    def _insert_frames(self, contents: Mapping[str, Found]) -> tuple[dict[str, int], set[str]]:
        """Give the ids of these contents, and which of them are new."""
        query = select(Frame.sha256, Frame.id).where(among(Frame.sha256, contents))
        known = {row.sha256: row.id for row in self._session.execute(query)}
        values = [self._frame(found) for sha256, found in contents.items() if sha256 not in known]
        if not values:
            return known, set()
        for row, number in zip(values, free_ids(self._session, Frame, len(values)), strict=True):
            row["id"] = number
        insert_rows(self._session, Frame, values)
        fresh = {row["sha256"]: row["id"] for row in values}
        return known | fresh, set(fresh)

    def _frame(self, found: Found) -> dict[str, Any]:
        frame = found.frame
        return {
            **self._as_read(frame.header),
            "sha256": frame.sha256,
            "pixel_sha256": frame.pixel_sha256,
            "path": found.seen.path,
            "size_bytes": frame.size_bytes,
            "hdu": frame.hdu,
            "flags": list(frame.flags),
            "night_id": self._night_id(found.night),
            "accepted": True,
            "loaded_at": self._reading.now,
            "header": found.header_gzip,
        }

    def _as_read(self, header: FrameHeader) -> dict[str, Any]:
        """Give what a header says of a frame, by column."""
        return {
            "instrument": self._reading.instrument,
            "read_by": self._reading.digest,
            "kind": header.kind,
            "camera": header.camera,
            "binning": header.binning,
            "readout": header.readout,
            "filter": header.filter,
            "exptime_s": header.exptime_s,
            "temperature_c": header.temperature_c,
            "observed_at": header.observed_at,
            "object": header.object,
            "width_px": header.width_px,
            "height_px": header.height_px,
            "ra_deg": header.ra_deg,
            "dec_deg": header.dec_deg,
            "airmass": header.airmass,
        }

    def _night_id(self, day: date | None) -> int | None:
        return self._nights.on(self._reading.instrument, day).id if day else None

    def _read_anew(self, headers: Mapping[str, ReadAnew], tally: Tally) -> set[int]:
        """Let known frames be as their headers read now; give those that were read otherwise."""
        changed: set[int] = set()
        for some in portions(headers, 500):
            otherwise = (Frame.sha256.in_(some), Frame.read_by != self._reading.digest)
            for frame in self._session.scalars(select(Frame).where(*otherwise)).all():
                read = headers[frame.sha256]
                self._read_as(frame, {**self._as_read(read.header), "flags": list(read.flags)})
                tally.add([frame])
                changed.add(frame.id)
            self._session.flush()
        return changed

    def _read_as(self, frame: Frame, values: Mapping[str, Any]) -> None:
        """Change columns; one that is corrected stays so while the header says the same."""
        query = select(Correction).where(
            Correction.frame_id == frame.id, Correction.withdrawn_at.is_(None)
        )
        corrected = {each.field: each for each in self._session.scalars(query)}
        for name, value in values.items():
            standing = corrected.get(name)
            if standing is None or standing.old != to_json(value):
                setattr(frame, name, value)
                if standing is not None:  # made again, where it still holds
                    standing.withdrawn_at = self._reading.now

    def _end(self, found: Sequence[Found], refused: Sequence[Refused]) -> set[int]:
        """End what was on record of these paths; give the frames that were ever there.

        What is refused ends no sighting: a file that turns bad takes nothing away.
        """
        sighted = [each.seen.path for each in found]
        current = (Sighting.current, among(Sighting.path, sighted))
        touched = self._session.scalars(select(Sighting.path).where(*current)).all()
        ended: set[int] = set()
        if touched:
            ever = select(Sighting.frame_id).where(among(Sighting.path, touched))
            ended = set(self._session.scalars(ever))
            self._change(update(Sighting).where(*current).values(current=False))
        paths = [*sighted, *(each.path for each in refused)]
        standing = (Rejection.resolved_at.is_(None), among(Rejection.path, paths))
        self._change(update(Rejection).where(*standing).values(resolved_at=self._reading.now))
        return ended

    def _change(self, statement: Any) -> None:
        # No row of these tables is in the session yet.
        self._session.execute(statement.execution_options(synchronize_session=False))

    def _insert_looks(
        self, found: Sequence[Found], refused: Sequence[Refused], ids: Mapping[str, int]
    ) -> None:
        sightings = [
            {
                "frame_id": ids[each.frame.sha256],
                "path": each.seen.path,
                "size_bytes": each.seen.state.size_bytes,
                "mtime_ns": each.seen.state.mtime_ns,
                "inode": each.seen.state.inode,
                "seen_at": self._reading.now,
                "current": True,
            }
            for each in found
        ]
        if sightings:
            insert_rows(self._session, Sighting, sightings)
        rejections = [self._rejection(each) for each in refused]
        if rejections:
            insert_rows(self._session, Rejection, rejections)

    def _rejection(self, refused: Refused) -> dict[str, Any]:
        return {
            "path": refused.path,
            "verdict": refused.verdict,
            "reason": refused.reason,
            "evidence": refused.evidence,
            "night_id": self._night_id(refused.night),
            "size_bytes": refused.size_bytes,
            "mtime_ns": refused.mtime_ns,
            "stamp": refused.stamp,
            "read_by": self._reading.digest,
            "rejected_at": self._reading.now,
            "again_at": refused.again_at,
            "resolved_at": self._reading.now if refused.verdict == GONE else None,
        }


@lru_cache(maxsize=4)
def _entries(text: str) -> tuple[Entry, ...]:
    return parse(text, where="corrections")


def _headers(
    contents: Mapping[str, Found], fresh: Collection[str], findings: Sequence[Any]
) -> dict[str, ReadAnew]:
    """Give the headers of known frames that were read in this batch, by content."""
    again = {each.sha256: each for each in _of(ReadAnew, findings)}
    for sha256 in contents.keys() - fresh:
        frame = contents[sha256].frame
        again[sha256] = ReadAnew(sha256, frame.header, frame.flags)
    return again


def _of(kind: type[T], findings: Iterable[Any]) -> list[T]:
    return [each for each in findings if isinstance(each, kind)]
