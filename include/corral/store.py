"""The products' files: content-named, immutable, and published whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from include.corral.errors import ConfigurationError, StorageTrouble, classify
from include.corral.errors import FailureClass as Class

STAGING = ".staging"


class Payload(Protocol):
    """Something that can write itself; the same content must give the same bytes."""

    @property
    def suffix(self) -> str:
        """Of the file name, with its dot."""

    def write(self, stream: BinaryIO, provenance: Mapping[str, Any]) -> None:
        """Write all bytes to `stream`, with `provenance` inside where the format has a place."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file that is written and synced but that nobody can find yet."""

    temporary: Path
    path: PurePosixPath
    sha256: str
    size_bytes: int


class ProductStore:
    """Files below one root, on one filesystem.

    A file reaches its final name only when it is whole and on disk, and its name holds its hash:
    no reader sees half a file, and no writer can overwrite another's. A file that no row names is
    an orphan, harmless, removed by the sweep.

    Parameters
    ----------
    root
        Made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def locate(self, path: str | PurePosixPath) -> Path:
        """Absolute place of the file that a row names.

        Raises
        ------
        ConfigurationError
            If the path would leave the root.
        """
        return contained(self.root, path)

    def stage(
        self, payload: Payload, provenance: Mapping[str, Any], *, folder: str, name: str
    ) -> StagedFile:
        """Write `payload` to the staging area, synced and read back.

        If the process dies inside, what it leaves is a file below ``.staging``.

        Parameters
        ----------
        payload, provenance
            What to write.
        folder, name
            Parts of the final path, made safe here; the hash is added.

        Raises
        ------
        StorageTrouble
            If the disk fails or is full; nothing is left behind.
        ConfigurationError
            If the store may not be written to.
        """
        staging = self.root / STAGING
        temporary = staging / f"{uuid.uuid4().hex}{payload.suffix}"
        try:
            make_folder(staging, mode=0o700)
            with temporary.open("xb") as stream:
                payload.write(stream, provenance)
                stream.flush()
                os.fsync(stream.fileno())
                size_bytes = os.fstat(stream.fileno()).st_size
            sha256 = hash_file(temporary)
        except BaseException as error:
            _remove(temporary)
            if isinstance(error, OSError):
                raise _trouble(error, temporary) from error
            raise
        below = PurePosixPath(*map(safe, folder.split("/")))
        final = below / f"{safe(name)}-{sha256[:12]}{payload.suffix}"
        return StagedFile(temporary, final, sha256, size_bytes)

    def publish(self, staged: StagedFile) -> None:
        """Give the file its final name, durably. Doing it twice is doing it once.

        Raises
        ------
        StorageTrouble, ConfigurationError
            If the filesystem refuses; the final name is then absent or whole.
        """
        final = self.locate(staged.path)
        try:
            make_folder(final.parent)
            staged.temporary.replace(final)
            sync_folder(final.parent)
        except OSError as error:
            raise _trouble(error, final) from error

    def discard(self, staged: StagedFile) -> None:
        """Remove a staged file that will not be published."""
        _remove(staged.temporary)

    def require(self, path: str, size_bytes: int) -> None:
        """See to it that a file which is to be named by a row is there.

        It is opened, as on a network filesystem only opening asks the server.

        Raises
        ------
        StorageTrouble
            If it is not, or has another size.
        """
        try:
            with self.locate(path).open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
        except FileNotFoundError:
            size = None
        except OSError as error:
            raise _trouble(error, self.root / path) from error
        if size != size_bytes:
            found = "it is gone" if size is None else f"it has {size} bytes, not {size_bytes}"
            raise StorageTrouble(f"{path}: {found}. No row names it; it is made again.")

    def verify(self, path: str, sha256: str) -> bool:
        """Tell whether the file is there with that content."""
        place = self.locate(path)
        return place.is_file() and hash_file(place) == sha256


def contained(root: Path, path: str | PurePosixPath) -> Path:
    """Join `path` to `root`, and make sure that it stays below it, links followed."""
    try:
        place = (root / path).resolve()
        is_below = place.is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL
        raise ConfigurationError(f"path {str(path)!r} leads nowhere: {error}") from error
    if not is_below:
        raise ConfigurationError(f"path {str(path)!r} leaves its root {root}; it was not opened")
    return place


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make `folder` and those above it; each new one is a name in the one above, made durable."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=mode, exist_ok=True)
    sync_folder(folder.parent)


def safe(text: str, limit: int = 100) -> str:
    """Give `text` as one harmless path component."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", text).strip("._-")[:limit] or "_"


def hash_file(path: Path) -> str:
    """Give the sha256 of a file as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(temporary: Path) -> None:
    """Remove it if that can be done: the error that led here is the one that counts."""
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def _trouble(error: OSError, path: Path) -> StorageTrouble | ConfigurationError:
    kind = ConfigurationError if classify(error) is Class.CONFIGURATION else StorageTrouble
    remedy = "mend the permissions" if kind is ConfigurationError else "free or mend the disk"
    return kind(f"{path}: {error.strerror}. Nothing was published; {remedy} and try again.")
