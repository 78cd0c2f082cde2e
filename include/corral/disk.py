"""Room on the disks: told of before they are full, and asked for before something is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from include.corral.corral import Corral
from include.corral.errors import StorageTrouble
from include.corral.settings import Settings

GB = 1_000_000_000
# What is written takes its own size in staging and, until the sweep, that of a dead process.
MARGIN = 2
LEVELS = ("critical", "warning")


@dataclass(frozen=True, slots=True)
class Room:
    """What a filesystem has left for us; the part reserved for root does not count."""

    device: int
    free_bytes: int
    total_bytes: int
    free_inodes_fraction: float

    @property
    def free_fraction(self) -> float:
        """Of the whole."""
        return self.free_bytes / self.total_bytes if self.total_bytes else 1.0

    def level(self, limits: Mapping[str, Any]) -> str | None:
        """Name the graver of the levels that is reached, or None.

        Parameters
        ----------
        limits
            For each level ``{level}_free_gb`` and ``{level}_free_fraction``. A large disk is
            judged by the first, a small one by the second; inodes by the fraction alone.
        """
        for level in LEVELS:
            fraction = limits[f"{level}_free_fraction"]
            enough = min(limits[f"{level}_free_gb"] * GB, fraction * self.total_bytes)
            if self.free_bytes < enough or self.free_inodes_fraction < fraction:
                return level
        return None

    def __str__(self) -> str:
        text = f"{self.free_bytes / GB:.1f} GB free ({self.free_fraction:.1%})"
        if self.free_inodes_fraction < self.free_fraction:
            text += f", room for files {self.free_inodes_fraction:.1%}"
        return text


def room(path: Path) -> Room:
    """Look at the filesystem that holds `path`, or will when it is made."""
    place = path
    while not place.exists() and place != place.parent:
        place = place.parent
    state = os.statvfs(place)
    inodes = state.f_favail / state.f_files if state.f_files else 1.0
    return Room(
        device=place.stat().st_dev,
        free_bytes=state.f_bavail * state.f_frsize,
        total_bytes=state.f_blocks * state.f_frsize,
        free_inodes_fraction=inodes,
    )


def places(settings: Settings) -> dict[str, Path]:
    """Name the folders whose filesystems must not be full, where they are on this machine."""
    found = {"products": settings.products}
    found |= {f"inbox {prefix}".rstrip(" /"): path for prefix, path in settings.inboxes.items()}
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        found["database"] = Path(url.database).parent
    return found


def rooms(settings: Settings) -> dict[str, Room]:
    """Give the room of each filesystem, by the names of what it holds: ``products, database``."""
    by_device: dict[int, tuple[list[str], Room]] = {}
    for name, path in places(settings).items():
        found = room(path)
        by_device.setdefault(found.device, ([], found))[0].append(name)
    return {", ".join(names): found for names, found in by_device.values()}


def ensure_space(corral: Corral, expected_bytes: int) -> None:
    """Refuse to begin what may not fit: twice as much as is expected must be free.

    A step calls it before it computes, the store before it writes; it costs microseconds.

    Parameters
    ----------
    corral
        The installation whose products' disk is meant.
    expected_bytes
        Of all files that are to be written.

    Raises
    ------
    StorageTrouble
        If there is not enough room.
    """
    left = room(corral.settings.products)
    if left.free_bytes < MARGIN * expected_bytes:
        raise StorageTrouble(
            f"{corral.settings.products}: {left}; nothing of {expected_bytes / GB:.3f} GB is begun "
            f"with less than {MARGIN} times that. Free some room; it is tried again by itself."
        )
