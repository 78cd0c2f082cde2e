"""What is believed of frames, brought into agreement with what is on record of them.

On record are: what headers say, where contents were seen, and the site's corrections. What is
believed (kind, filter, time, accepted or not, and in whose favour) follows from these by the rules
below and from nothing else, so that the order in which files came, and how many loaders there
were, leave no trace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from include.corral.result import Tally
from include.corral.wants import portions
from include.toritos.campaign import Nights
from include.toritos.corrections import FIELDS, Believed, Entry, Read, believed
from models.correction import Correction, CorrectionList
from models.frame import Frame, Sighting
from models.statements import among

FRAMES = 500


class Beliefs:
    """Settles what is believed, in the transaction that puts new facts on record.

    Parameters
    ----------
    session
        Writing; nobody else writes frames until its transaction ends.
    nights
        Of that session.
    corrections, entries
        The list of corrections as a row, and what it says; without a list nothing is corrected.
    now
        The moment that corrections keep.
    """

    def __init__(
        self,
        session: Session,
        nights: Nights,
        corrections: CorrectionList | None,
        entries: Sequence[Entry],
        *,
        now: datetime,
    ) -> None:
        self._session = session
        self._nights = nights
        self._corrections = corrections
        self._entries = entries
        self._now = now

    def settle(self, frame_ids: Collection[int]) -> Tally:
        """Settle these frames, and those that hold the same pixels.

        Returns
        -------
        Tally
            What has changed, and the nights it was, or is, of.
        """
        tally = Tally()
        for some in portions(sorted(frame_ids), FRAMES):
            frames = self._frames(some)
            self._correct(frames, tally)
            contents = self._contents(frames)
            for frame in frames:
                _place(frame, contents)
            vetoed = self._vetoed(frames)
            for _, twins in groupby(sorted(frames, key=_pixels), key=_pixels):
                _set_aside(list(twins), vetoed)
            tally.add(frame for frame in frames if self._session.is_modified(frame))
            self._session.flush()
        return tally

    def _frames(self, ids: Sequence[int]) -> list[Frame]:
        pixels = select(Frame.pixel_sha256).where(Frame.id.in_(ids))
        concerned = Frame.id.in_(ids) | Frame.pixel_sha256.in_(pixels.scalar_subquery())
        query = select(Frame).where(concerned).options(selectinload(Frame.sightings))
        fresh = query.execution_options(populate_existing=True)
        return list(self._session.scalars(fresh))

    def _correct(self, frames: Iterable[Frame], tally: Tally) -> None:
        """Let columns be as the list says where it says something, as headers say elsewhere."""
        standing = self._standing(frames)
        made: list[Correction] = []
        for frame in frames:
            stand = standing.get(frame.id, {})
            read = self._read(frame, stand)
            wanted = believed(self._entries, read)
            withdrawn = [row for name, row in stand.items() if not _says(row, wanted.get(name))]
            for row in withdrawn:
                row.withdrawn_at = self._now
            kept = stand.keys() - {row.field for row in withdrawn}
            made += [
                self._correction(frame, read, name, each)
                for name, each in wanted.items()
                if name not in kept
            ]
            self._believe(frame, read, wanted, tally)
        tally.add([frame for frame in frames if self._session.is_modified(frame)])
        # Those withdrawn first: one value of a frame has one standing correction.
        self._session.flush()
        self._session.add_all(made)
        self._session.flush()
        tally.count("correction", len(made))

    def _standing(self, frames: Iterable[Frame]) -> dict[int, dict[str, Correction]]:
        ids = [frame.id for frame in frames]
        query = select(Correction).where(
            Correction.withdrawn_at.is_(None), Correction.frame_id.in_(ids)
        )
        standing: dict[int, dict[str, Correction]] = {}
        for row in self._session.scalars(query):
            standing.setdefault(row.frame_id, {})[row.field] = row
        return standing

    def _read(self, frame: Frame, standing: Mapping[str, Correction]) -> Read:
        """Give the frame as its header says: a correction keeps what it took the place of."""
        values = {name: getattr(frame, name) for name in FIELDS} | {"accepted": True}
        values |= {name: from_json(name, row.old) for name, row in standing.items()}
        return Read(
            sha256=frame.sha256,
            paths=tuple({sighting.path for sighting in frame.sightings}),
            night=self._nights.date_of(frame.instrument, values["observed_at"]),
            camera=frame.camera,
            values=values,
        )

    def _correction(self, frame: Frame, read: Read, name: str, each: Believed) -> Correction:
        assert self._corrections is not None
        return Correction(
            frame_id=frame.id,
            list_id=self._corrections.id,
            field=name,
            old=to_json(read.values[name]),
            new=to_json(each.value),
            reason=each.entry.reason,
            author=each.entry.author,
            applied_at=self._now,
        )

    def _believe(
        self, frame: Frame, read: Read, wanted: Mapping[str, Believed], tally: Tally
    ) -> None:
        for name in FIELDS:
            if name != "accepted":
                value = wanted[name].value if name in wanted else read.values[name]
                setattr(frame, name, value)
        before = frame.night
        day = self._nights.date_of(frame.instrument, frame.observed_at)
        if before.date == day:
            return
        tally.partitions.add(before.partition_key)
        frame.night = self._nights.on(frame.instrument, day)

    def _vetoed(self, frames: Iterable[Frame]) -> set[int]:
        return {frame_id for frame_id, rows in self._standing(frames).items() if "accepted" in rows}

    def _contents(self, frames: Iterable[Frame]) -> dict[str, int]:
        """Path to frame, for all paths at which these frames were ever seen."""
        paths = {sighting.path for frame in frames for sighting in frame.sightings}
        query = select(Sighting.path, Sighting.frame_id)
        rows = self._session.execute(query.where(Sighting.current, among(Sighting.path, paths)))
        return {row.path: row.frame_id for row in rows}


def _place(frame: Frame, contents: Mapping[str, int]) -> None:
    """Say where the frame's content is, or what its file holds now."""
    current = [sighting.path for sighting in frame.sightings if sighting.current]
    if current:
        frame.path = min(current)
        frame.superseded_by_id = None
        return
    paths = sorted({sighting.path for sighting in frame.sightings} & contents.keys())
    frame.superseded_by_id = contents[paths[0]] if paths else None


def _pixels(frame: Frame) -> tuple[str, str]:
    # Without a digest of its pixels a frame is like no other.
    return frame.pixel_sha256 or "", "" if frame.pixel_sha256 else frame.sha256


def _set_aside(twins: Sequence[Frame], vetoed: Collection[int]) -> None:
    """Let one of the frames that hold the same pixels be used: the least hash, as good as any."""
    able = [f for f in twins if f.superseded_by_id is None and f.id not in vetoed]
    used = min(able, key=lambda frame: frame.sha256, default=None)
    for frame in twins:
        if frame is used:
            frame.set_aside = None
        elif frame.id in vetoed:
            frame.set_aside = "vetoed"
        else:
            frame.set_aside = "superseded" if frame.superseded_by_id else "same_pixels"
        frame.accepted = frame is used
        frame.same_pixels_as_id = None if used is None or frame is used else used.id


def _says(row: Correction, wanted: Believed | None) -> bool:
    return wanted is not None and (row.new, row.reason, row.author) == (
        to_json(wanted.value),
        wanted.entry.reason,
        wanted.entry.author,
    )


def to_json(value: Any) -> Any:
    """Give a value as a correction keeps it."""
    return value.isoformat() if isinstance(value, datetime) else value


def from_json(name: str, value: Any) -> Any:
    """Give a value as the column `name` of a frame keeps it."""
    return datetime.fromisoformat(value) if name == "observed_at" else value
