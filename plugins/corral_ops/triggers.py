"""The doorbell: something new lies in an inbox."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeAlias

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from corral_ops.hints import Hints
from corral_ops.hook import DEFAULT_CONN_ID, CorralHook

# A number for each file's path, size and time: a million of them are held for a year.
Seen: TypeAlias = frozenset[int]

# Of the time, at most: a scan that takes long is made less often.
SHARE = 0.1


class InboxTrigger(BaseEventTrigger):
    """Rings once whenever files are new, or other than before, and stand still for two looks.

    It remembers nothing beyond its life and says not which files: the loader looks for itself.
    What is there when it starts rings too, so a file that came while it was away is not missed.
    The look is what counts, on local disks and on NFS. Where the system tells of changes, a look
    at what is at rest is put off until it does, or `idle_s` are over.

    :param conn_id: of the installation whose inboxes are watched.
    :param poll_s: seconds between two looks.
    :param idle_s: the same, while nothing changes and hints are to be expected.
    """

    def __init__(
        self, *, conn_id: str = DEFAULT_CONN_ID, poll_s: float = 2.0, idle_s: float = 30.0
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.poll_s = poll_s
        self.idle_s = idle_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give class and arguments; equal ones are run once for all watchers."""
        return (
            "corral_ops.triggers.InboxTrigger",
            {"conn_id": self.conn_id, "poll_s": self.poll_s, "idle_s": self.idle_s},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for ever."""
        settings = await CorralHook(self.conn_id).asettings()
        inboxes = list(settings.inboxes.values())
        self.log.info("watching %s every %g s", ", ".join(map(str, inboxes)), self.poll_s)
        before: Seen = frozenset()
        known: Seen = frozenset()
        async with Hints(inboxes) as hints:
            while True:
                began = time.monotonic()
                now = await asyncio.to_thread(scan, *inboxes)
                took = time.monotonic() - began
                still = now & before
                if new := still - known:
                    yield TriggerEvent({"files": len(new)})  # type: ignore[no-untyped-call]
                at_rest = now == before
                before, known = now, still
                await asyncio.sleep(max(self.poll_s, took / SHARE))
                if at_rest and hints.stand:
                    await hints.wait(self.idle_s)


def scan(*inboxes: Path) -> Seen:
    """Give every visible file below folders; what cannot be looked at now is left for later.

    :param inboxes: the folders; one may be missing, as when a disk is not mounted.
    """
    found = []
    stack = [os.fspath(inbox) for inbox in inboxes]
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
                        found.append(hash((entry.path, state.st_size, state.st_mtime_ns)))
        except OSError:
            continue
    return frozenset(found)
