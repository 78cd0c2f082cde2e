"""A file that grows by one line of JSON for each message."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any, ClassVar

from include.corral.channel import Channel, NotNow
from include.corral.message import Message


class FileChannel(Channel):
    """Appends messages to a file, for other programs to read.

    Parameters
    ----------
    path
        Of the file; its folder is made.
    **options
        Of any channel.
    """

    kind: ClassVar[str] = "file"

    def __init__(self, *, path: str, **options: Any) -> None:
        super().__init__(**options)
        self.path = Path(path).expanduser()

    def send(self, message: Message) -> None:
        """Append one line; when this returns it is on the disk."""
        line = json.dumps(message.as_json(), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self._append(file.fileno(), line)
        except OSError as error:
            raise NotNow(f"{self.path}: {error.strerror}") from error

    def _append(self, descriptor: int, line: bytes) -> None:
        end = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(28, "no space for the whole line")
            os.fsync(descriptor)
        except OSError:
            # Half a line would spoil the next one.
            os.ftruncate(descriptor, end)
            raise
