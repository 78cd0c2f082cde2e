"""The moments at which a process may die or meet an error: seen from outside the code under test.

Python itself tells of every file that is opened, renamed or removed, SQLAlchemy of every statement
and commit; fsync is wrapped. Nothing in the code under test knows of it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

FILE_EVENTS = frozenset("open os.rename os.remove os.mkdir os.scandir os.link os.truncate".split())

Action = Callable[[str], None]


def kill_this_process(_what: str) -> None:
    """End as a machine ends that is switched off: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def stop_this_process(_what: str) -> None:
    """Stand still until somebody sends SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


class Moments:
    """Counts moments, and acts at one of them.

    Parameters
    ----------
    below
        Folder whose files matter.
    at
        The moment at which to act, from 1; 0 never does.
    action
        What is done then.
    kinds
        First words of the moments that count; empty means all.
    """

    def __init__(
        self, below: Path, *, at: int = 0, action: Action = kill_this_process, kinds: str = ""
    ) -> None:
        self._below = str(below)
        self._at = at
        self._action = action
        self._kinds = frozenset(kinds.split())
        self.seen: list[str] = []

    def watch(self) -> None:
        """Begin; it does not end before the process does."""
        sys.addaudithook(self._on_audit)
        fsync = os.fsync

        def watched(fd: Any) -> None:
            self._pass("fsync", "")
            fsync(fd)

        os.fsync = watched
        event.listen(Engine, "before_cursor_execute", self._on_statement)
        event.listen(Engine, "commit", lambda _connection: self._pass("commit", ""))

    def _on_audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name in FILE_EVENTS:
            path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
            if path.startswith(self._below):
                self._pass(name, path.removeprefix(self._below))

    def _on_statement(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self._pass("sql", " ".join(statement.split())[:60])

    def _pass(self, kind: str, what: str) -> None:
        if self._kinds and kind not in self._kinds:
            return
        self.seen.append(f"{kind} {what}")
        if len(self.seen) == self._at:
            self._action(self.seen[-1])
