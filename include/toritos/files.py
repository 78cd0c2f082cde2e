"""Where a frame's content is now: its file must hold what was registered, or it is not read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from include.corral.errors import BadData, UpstreamMissing
from include.corral.settings import Settings
from include.corral.store import contained
from models.frame import Frame, Sighting


def place_of(frame: Frame, settings: Settings) -> Path:
    """Find a file that holds the content of `frame`.

    A file that is as it was when it was seen is taken at its word; any other is read to the end
    and compared.

    Parameters
    ----------
    frame
        In a session, for its sightings.
    settings
        Where the inboxes are.

    Raises
    ------
    BadData
        If its files hold something else now.
    UpstreamMissing
        If none of them is there.
    """
    there = list(_places(frame, settings))
    for place, sighting in there:
        if _is_untouched(place, sighting):
            return place
    for place in dict.fromkeys(place for place, _ in there):
        if _holds(place, frame):
            return place
    if there:
        raise BadData(
            f"{frame!r}: {frame.path} holds something else than when it was registered. The next "
            "load looks at it; restore the file, or let what it holds now take its place."
        )
    raise UpstreamMissing(f"{frame!r}: {frame.path} is not in the inbox any more; put it back")


def _places(frame: Frame, settings: Settings) -> Iterator[tuple[Path, Sighting]]:
    """Files that are there, those where it was seen last first."""
    for sighting in sorted(frame.sightings, key=lambda each: (not each.current, each.path)):
        place = contained(*settings.inbox_of(sighting.path))
        if os.path.lexists(place):
            yield place, sighting


def _is_untouched(place: Path, sighting: Sighting) -> bool:
    found = place.lstat()
    return (found.st_size, found.st_mtime_ns, found.st_ino) == (
        sighting.size_bytes,
        sighting.mtime_ns,
        sighting.inode,
    )


def _holds(place: Path, frame: Frame) -> bool:
    from include.ccd.errors import BadFits
    from include.ccd.fits_file import open_regular

    digest = hashlib.sha256()
    try:
        with open_regular(place) as plain:
            if plain.size != frame.size_bytes:
                return False
            for _, chunk in plain.chunks():
                digest.update(chunk)
    except BadFits:
        return False
    return digest.hexdigest() == frame.sha256
