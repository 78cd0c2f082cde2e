"""The doorbell: something new lies in the inbox."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeAlias

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from corral_ops.hook import DEFAULT_CONN_ID, CorralHook

# path, size in bytes, time of modification in ns
Seen: TypeAlias = frozenset[tuple[str, int, int]]


class InboxTrigger(BaseEventTrigger):
    """Rings once whenever files are new, or other than before, and stand still for two looks.

    It remembers nothing beyond its life and says not which files: the loader looks for itself.
    What is there when it starts rings too, so a file that came while it was away is not missed.

    :param conn_id: of the installation whose inbox is watched.
    :param poll_s: seconds between two looks.
    """

    def __init__(self, *, conn_id: str = DEFAULT_CONN_ID, poll_s: float = 2.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.poll_s = poll_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give class and arguments; equal ones are run once for all watchers."""
        return (
            "corral_ops.triggers.InboxTrigger",
            {"conn_id": self.conn_id, "poll_s": self.poll_s},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for ever."""
        inbox = (await CorralHook(self.conn_id).asettings()).inbox
        self.log.info("watching %s every %g s", inbox, self.poll_s)
        before: Seen = frozenset()
        known: Seen = frozenset()
        while True:
            now = await asyncio.to_thread(scan, inbox)
            still = now & before
            if new := still - known:
                yield TriggerEvent({"files": len(new)})  # type: ignore[no-untyped-call]
            before, known = now, still
            await asyncio.sleep(self.poll_s)


def scan(inbox: Path) -> Seen:
    """Give every visible file below `inbox`; what cannot be looked at now is left for later.

    :param inbox: folder; it may be missing, as when a disk is not mounted.
    """
    found = []
    stack = [os.fspath(inbox)]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        state = entry.stat(follow_symlinks=False)
                        found.append((entry.path, state.st_size, state.st_mtime_ns))
        except OSError:
            continue
    return frozenset(found)
