"""The loader: files of the inbox become frames, or rejections that say why not."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from include.corral.corral import Corral
from include.corral.errors import FailureClass
from include.corral.loader import Item, Loader
from include.toritos.campaign import ensure_night
from include.toritos.instrument import profile_name, profile_of
from models.base import Base
from models.frame import Frame, Rejection, Sighting
from models.site import Night

if TYPE_CHECKING:
    from include.ccd.fits_reader import Inspection
    from include.corral.run import Run

SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz")


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as the scan saw it; its path is relative to the inbox."""

    path: str
    size_bytes: int
    mtime_ns: int
    inode: int

    @property
    def stamp(self) -> str:
        """Changes when the file does."""
        return f"{self.size_bytes} {self.mtime_ns} {self.inode}"


class FitsInbox(Loader):
    """Every FITS file of the inbox is a frame, known by its content, or a rejection.

    Files are read only. A content that is known already gains a sighting; a file that changes is
    looked at again. The scan is the truth: events only say when to look.
    """

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._nights: dict[date, Night] = {}
        self._frames: dict[str, Frame] = {}

    def generate(self, corral: Corral) -> Iterator[Item]:
        """Give every file of the inbox, known or not, in order of path."""
        for seen in scan(corral.settings.inbox):
            yield Item(seen.path, seen.stamp, seen)

    def process(self, work: Seen, run: Run) -> Iterator[Base]:
        """Register one file."""
        from include.ccd.errors import BadFits
        from include.ccd.fits_reader import inspect

        settings = run.corral.settings
        name = profile_name(settings)
        try:
            found = inspect(settings.inbox / work.path, profile=profile_of(name, settings))
        except BadFits as error:
            yield _rejection(work, error)
            return
        frame = self._known(found.sha256, run)
        if frame is None:
            frame = self._frame(work, found, name, run)
            yield frame
        yield Sighting(
            frame=frame,
            path=work.path,
            size_bytes=work.size_bytes,
            mtime_ns=work.mtime_ns,
            inode=work.inode,
            seen_at=datetime.now(UTC),
        )

    def classify(self, error: BaseException) -> FailureClass:
        """As any, and: another loader that registered the same content first is no fault."""
        return FailureClass.RETRY if isinstance(error, IntegrityError) else super().classify(error)

    def _known(self, sha256: str, run: Run) -> Frame | None:
        """The frame with that content, of this trigger (perhaps not committed yet) or before."""
        if sha256 not in self._frames:
            query = select(Frame).where(Frame.sha256 == sha256)
            if (frame := run.session.scalar(query)) is not None:
                self._frames[sha256] = frame
        return self._frames.get(sha256)

    def _frame(self, seen: Seen, found: Inspection, instrument: str, run: Run) -> Frame:
        header = found.header
        self._frames[found.sha256] = frame = Frame(
            sha256=found.sha256,
            pixel_sha256=found.pixel_sha256,
            path=seen.path,
            size_bytes=found.size_bytes,
            hdu=found.hdu,
            kind=header.kind,
            instrument=instrument,
            night=self._night(header.observed_at, instrument, run.corral),
            camera=header.camera,
            binning=header.binning,
            readout=header.readout,
            filter=header.filter,
            exptime_s=header.exptime_s,
            temperature_c=header.temperature_c,
            observed_at=header.observed_at,
            object=header.object,
            width_px=header.width_px,
            height_px=header.height_px,
            ra_deg=header.ra_deg,
            dec_deg=header.dec_deg,
            airmass=header.airmass,
            flags=list(found.flags),
            loaded_at=datetime.now(UTC),
            header=gzip.compress(found.raw_header, mtime=0),
        )
        return frame

    def _night(self, observed_at: datetime, instrument: str, corral: Corral) -> Night:
        from include.ccd.night import night_of

        profile = profile_of(instrument, corral.settings)
        day = night_of(observed_at, profile.site.longitude_deg)
        if day not in self._nights:
            self._nights[day] = ensure_night(corral, profile, day)
        return self._nights[day]


def scan(inbox: Path) -> Iterator[Seen]:
    """Give every FITS file below `inbox`, in order of path.

    Links and special files are among them: the reader refuses them, and says why.
    """
    stack = [inbox]
    while stack:
        folder = stack.pop()
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        stack += [Path(e.path) for e in reversed(found) if e.is_dir(follow_symlinks=False)]
        for entry in found:
            name = entry.name.lower()
            if name.startswith(".") or not name.endswith(SUFFIXES):
                continue
            if not entry.is_dir(follow_symlinks=False):
                state = entry.stat(follow_symlinks=False)
                path = Path(entry.path).relative_to(inbox).as_posix()
                yield Seen(path, state.st_size, state.st_mtime_ns, state.st_ino)


def _rejection(seen: Seen, error: Any) -> Rejection:
    return Rejection(
        path=seen.path,
        verdict=error.verdict,
        reason=error.code,
        evidence=error.message,
        size_bytes=seen.size_bytes,
        mtime_ns=seen.mtime_ns,
        rejected_at=datetime.now(UTC),
    )
