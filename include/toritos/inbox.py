"""The inbox as a scan finds it: every file, and of those the ones that must be looked at.

The scan is the truth; events only say when to scan. It holds the names of one folder at a time, and
compares them with what is known in ranges of names, so that it costs microseconds per known file
and no more memory in the tenth year than in the first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from include.corral.errors import ConfigurationError
from include.corral.grouping import KEY_LENGTH, short_key
from models.columns import path_text

SUFFIXES = tuple(
    f".{name}{packed}" for name in ("fits", "fit", "fts") for packed in ("", ".gz", ".fz")
)
CHUNK = 5000


def path_key(path: str) -> str:
    """Give the text under which a path is known everywhere: its own, where that is not too long."""
    text = path_text(path)
    return text if len(text) <= KEY_LENGTH else short_key(text)


def is_too_long(path: str) -> bool:
    """Tell whether a path has no text of its own in the ledger."""
    return len(path_text(path)) > KEY_LENGTH


class FileState(NamedTuple):
    """What tells, without opening it, that a file is still the same."""

    size_bytes: int
    mtime_ns: int
    inode: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> FileState:
        """Take it from what ``lstat`` says."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as a scan saw it.

    Attributes
    ----------
    path
        Relative to the inbox, as ``os.fsdecode`` gives names.
    is_marked
        The camera has said that it is complete, or says no such thing of any file.
    is_still
        It was the same a moment later.
    is_overdue
        It has been waited for long enough.
    is_again
        It is as it was, by a clock so coarse that it may have been written to nevertheless.
    refusal_id
        Of the refusal that holds no longer, though the file is as it was: its time is over.
    """

    path: str
    state: FileState
    is_marked: bool = True
    is_still: bool = True
    is_overdue: bool = False
    is_again: bool = False
    refusal_id: int | None = None

    @property
    def occasion(self) -> str:
        """Changes when there is reason to look, though the file is as it was."""
        over = "" if self.refusal_id is None else f" after {self.refusal_id}"
        return f"{' overdue' if self.is_overdue else ''}{' again' if self.is_again else ''}{over}"

    @property
    def stamp(self) -> str:
        """Changes when there may be another answer to the question what this file is."""
        return f"{' '.join(map(str, self.state))} {'marked' if self.is_marked else 'unmarked'}"


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A folder whose names cannot be read."""

    path: str
    error: OSError

    @property
    def stamp(self) -> str:
        """Changes when the error does."""
        return f"errno {self.error.errno}"


@dataclass(frozen=True, slots=True)
class Absent:
    """One of several inboxes that cannot be looked into, as when a disk is not mounted."""

    place: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one folder, in the order of their names as bytes.

    Attributes
    ----------
    place
        Where it is.
    prefix
        What the paths of its files begin with.
    names
        Of its FITS files.
    others
        What else is in it, folders excepted.
    is_leaf
        There is no folder in it, so that no others' paths lie between those of its files.
    """

    place: Path
    prefix: str
    names: Sequence[str]
    others: frozenset[str]
    is_leaf: bool = True


def walk(inbox: Path, root: str = "") -> Iterator[Folder | Unlisted]:
    """Give every folder below `inbox` with its FITS files, links and special files among them.

    Names that begin with a dot belong to whoever is still writing them. A folder that goes while
    it is walked is left out.

    Parameters
    ----------
    inbox
        Where to begin.
    root
        What the paths of its files begin with.

    Raises
    ------
    ConfigurationError
        If there is no inbox.
    """
    if not inbox.is_dir():
        raise ConfigurationError(
            f"inbox {inbox} is not a folder (or not mounted); nothing was looked at there"
        )
    stack = [""]
    while stack:
        below = stack.pop()
        try:
            folders, names, others = _list(inbox / below)
        except FileNotFoundError:
            continue
        except OSError as error:
            if not below:
                raise ConfigurationError(f"inbox {inbox} cannot be read: {error}") from error
            yield Unlisted((root + below).rstrip("/"), error)
            continue
        stack += [f"{below}{name}/" for name in reversed(folders)]
        yield Folder(inbox / below, root + below, names, others, is_leaf=not folders)


def _list(folder: Path) -> tuple[list[str], list[str], frozenset[str]]:
    folders: list[str] = []
    names: list[str] = []
    others: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            if name.lower().endswith(SUFFIXES):
                names.append(name)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(name)
            else:
                others.append(name)
    return sorted(folders), sorted(names), frozenset(others)


def states(listed: Folder, names: Iterable[str]) -> dict[str, os.stat_result]:
    """Give path and state of those files of a folder that are still there.

    Raises
    ------
    OSError
        If it cannot be known which are: the names of a folder can be read, and nothing more.
    """
    found: dict[str, os.stat_result] = {}
    try:
        folder = os.open(listed.place, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return found
    try:
        for name in names:
            try:
                found[listed.prefix + name] = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:  # gone, too
                continue
    finally:
        os.close(folder)
    return found


def with_stillness(
    folder: Folder, seen: Sequence[Seen], *, since: float, still_s: float
) -> list[Seen]:
    """Look a second time, `still_s` after the first: a file that has changed is being written.

    Parameters
    ----------
    folder
        In which they are.
    seen
        The first look.
    since
        Its moment on the monotonic clock.
    still_s
        Seconds that lie at least between the two.
    """
    if still_s > 0 and seen:
        time.sleep(max(0.0, since + still_s - time.monotonic()))
    return [replace(each, is_still=_is_still(folder, each)) for each in seen]


def _is_still(folder: Folder, seen: Seen) -> bool:
    try:
        place = folder.place / seen.path.removeprefix(folder.prefix)
        return FileState.of(os.lstat(place)) == seen.state
    except OSError:  # gone: found out when it is opened
        return True


def unmarked(folder: Folder, marker: str | None) -> set[str]:
    """Give the paths of the files of which the camera has not yet said that they are complete.

    Parameters
    ----------
    folder
        The files, and what else is beside them.
    marker
        What the name of a file that says so ends in, after the frame's whole name or in place of
        its last suffix; None where the camera says nothing.
    """
    if marker is None:
        return set()
    return {
        folder.prefix + name
        for name in folder.names
        if not folder.others & {name + marker, name.rpartition(".")[0] + marker}
    }
