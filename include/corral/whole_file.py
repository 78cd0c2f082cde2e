"""A file that others read: it is there whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from include.corral.store import sync_folder


def write_whole(path: Path, content: bytes) -> None:
    """Put a file at `path`, in place of the one that is there; when this returns it is on the disk.

    If the process dies inside, the old file or the new one is there, whole.

    Parameters
    ----------
    path
        Its folder is made.
    content
        All of it.

    Raises
    ------
    OSError
        If it cannot be written; the old file is there then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        staged = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # It is for others to see; a temporary file is for its owner alone.
            staged.chmod(0o644)
            staged.replace(path)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)
