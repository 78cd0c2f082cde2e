"""The loader: files of the inbox become frames, or rejections that say why not."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session, undefer

from include.corral.corral import Corral
from include.corral.errors import ConfigurationError, FailureClass
from include.corral.loader import Item, Loader
from include.corral.result import Tally
from include.corral.settings import Settings
from include.toritos.campaign import Nights
from include.toritos.corrections import CorrectionsText, parse
from include.toritos.inbox import (
    Absent,
    Folder,
    Seen,
    Unlisted,
    path_key,
    states,
    unmarked,
    walk,
    with_stillness,
)
from include.toritos.instrument import digest_of_reading, profile_name, profile_of
from include.toritos.known import Gone, Header, Known
from include.toritos.look import Found, Look, ReadAnew, Refused
from include.toritos.register import Reading, Register
from models.frame import Frame

if TYPE_CHECKING:
    from include.ccd.profile import Profile
    from include.corral.run import Run

# Names that are compared with what is known at once.
CHUNK = 5000


@dataclass(frozen=True, slots=True)
class CorrectionsFile:
    """The site's list of corrections: its text, or why it could not be read."""

    path: Path
    text: str
    error: Exception | None = None

    @classmethod
    def at(cls, path: Path) -> CorrectionsFile:
        """Read it."""
        try:
            return cls(path, path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeError) as error:
            return cls(path, "", error)

    @property
    def stamp(self) -> str:
        """Changes when the file does."""
        return hashlib.sha256(f"{self.error!r} {self.text}".encode()).hexdigest()


class FitsInbox(Loader):
    """Every FITS file of the inbox is a frame, known by its content, or a rejection.

    Files are read only. A content that is known already gains a sighting; a file that changes is
    looked at again, and so is a refused one when the profile changes. The scan is the truth:
    events only say when to look.
    """

    findings = (Found, Refused, ReadAnew, CorrectionsText)

    def generate(self, corral: Corral) -> Iterator[Item]:
        """Give what is new or other than before; corrections first, as they hold for the rest."""
        settings = corral.settings
        self._profile = profile = profile_of(profile_name(settings), settings)
        now, digest = corral.now(), digest_of_reading(profile)
        self._reading = Reading(profile.name, digest, now)
        self._look = Look(settings, profile, now=now)
        wait = timedelta(hours=profile.arrival.wait_hours)
        known = Known(corral, read_by=digest, now=now, wait=wait)
        if (named := settings.pipeline.get("corrections")) is not None:
            corrections = CorrectionsFile.at(Path(named))
            yield Item("/corrections", corrections.stamp, corrections)
        for header in known.read_otherwise(profile.name):
            yield Item(f"/header {header.sha256}", digest, header)
        for seen in self._scan(settings, known, _still_s(corral, profile)):
            if isinstance(seen, Absent):
                yield Item(f"/inbox {seen.place}", seen.reason, seen)
                continue
            occasion = seen.occasion if isinstance(seen, Seen) else ""
            yield Item(path_key(seen.path), f"{seen.stamp} {digest}{occasion}", seen)

    def process(self, work: Any, run: Run) -> Any:
        """Look at one of them."""
        match work:
            case Seen():
                return self._look.at_file(work)
            case Gone():
                return self._look.at_nothing(work)
            case Unlisted():
                return self._look.at_folder(work)
            case Absent():
                return self._look.at_absent(work)
            case Header():
                options = [undefer(Frame.header)]
                frame = run.session.get_one(Frame, work.frame_id, options=options)
                return self._look.at_header(frame)
            case _:
                return self._read(work)

    def write(self, session: Session, rows: Sequence[Any]) -> Tally:
        """Put what was found on record, and settle what is believed of the frames it bears on."""
        return Register(session, Nights(session, self.settings), self._reading).write(rows)

    def classify(self, error: BaseException) -> FailureClass:
        """As any, and: a header that cannot be read any more is bad data."""
        from include.ccd.errors import BadFits

        return FailureClass.BAD_DATA if isinstance(error, BadFits) else super().classify(error)

    def _read(self, file: CorrectionsFile) -> CorrectionsText:
        if file.error is not None:
            raise ConfigurationError(
                f"corrections {file.path} cannot be read ({file.error}). Those read before stay "
                "in force; an empty file withdraws them."
            )
        parse(file.text, where=file.path.name)
        return CorrectionsText(file.text)

    def _scan(
        self, settings: Settings, known: Known, still_s: float
    ) -> Iterator[Seen | Unlisted | Absent | Gone]:
        """Give every file that is not known as it is, and what else is to be looked at.

        Raises
        ------
        ConfigurationError
            If there is no inbox at all.
        """
        absent: dict[Path, ConfigurationError] = {}
        for prefix, inbox in settings.inboxes.items():
            try:
                yield from self._scan_one(inbox, prefix, known, still_s)
            except ConfigurationError as error:
                absent[inbox] = error
        if len(absent) == len(settings.inboxes):
            raise next(iter(absent.values()))
        yield from (Absent(inbox, str(error)) for inbox, error in absent.items())
        yield from known.gone(lambda path: settings.inbox_of(path)[0] not in absent)

    def _scan_one(
        self, inbox: Path, prefix: str, known: Known, still_s: float
    ) -> Iterator[Seen | Unlisted]:
        for found in walk(inbox, prefix):
            closed: Unlisted | None
            if isinstance(found, Folder):
                closed = yield from self._scan_folder(found, known, still_s)
            else:
                closed = found
            if closed is None:
                continue
            if closed.path == prefix.rstrip("/"):
                raise ConfigurationError(f"inbox {inbox} cannot be read: {closed.error}")
            known.meet(closed.path)
            yield closed

    def _scan_folder(
        self, folder: Folder, known: Known, still_s: float
    ) -> Generator[Seen, None, Unlisted | None]:
        """Give the files to be looked at; in the end the folder, where it does not let us."""
        incomplete = unmarked(folder, self._profile.arrival.marker)
        names = iter(folder.names)
        while some := list(islice(names, CHUNK)):
            since = time.monotonic()
            try:
                there = states(folder, some)
            except OSError as error:
                return Unlisted(folder.prefix.rstrip("/"), error)
            chosen = known.choose(there, incomplete, is_range=folder.is_leaf)
            yield from with_stillness(folder, chosen, since=since, still_s=still_s)
        return None


def _still_s(corral: Corral, profile: Profile) -> float:
    """Seconds between two looks at a new file (``CORRAL_STILL_S``, else the profile's)."""
    given = corral.settings.pipeline.get("still_s")
    return profile.arrival.still_s if given is None else float(given)
