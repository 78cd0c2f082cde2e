"""Hints that something happens in a folder: early, cheap, and never relied upon."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

# To be told that nothing happened is how one knows that the watch stands.
TIMEOUT_MS = 1000
AGAIN_S = 60.0


class Hints:
    """Wakes who waits when a file comes or changes, where the system tells of such things.

    The kernel tells of local folders only; of a network filesystem it tells what this machine does
    there, and not what the others do. Where it does not tell, or the package `watchfiles` is not
    there, waiting simply lasts its time.

    :param folders: whose content, at any depth, is watched.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._rung = asyncio.Event()
        self._standing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def stand(self) -> bool:
        """Tell whether hints are to be expected at the moment."""
        return self._standing

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self, seconds: float) -> None:
        """Wait for a hint, or so long; a hint that came before counts.

        :param seconds: at most.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()

    async def _watch(self) -> None:
        try:
            from watchfiles import awatch
        except ImportError:
            return
        if not await asyncio.to_thread(_all_local, self._folders):
            return
        while True:
            # No folder yet, or more of them than the system watches: tried again later.
            with suppress(OSError, RuntimeError):
                async for changes in awatch(
                    *self._folders,
                    watch_filter=None,
                    rust_timeout=TIMEOUT_MS,
                    yield_on_timeout=True,
                ):
                    self._standing = True
                    if changes:
                        self._rung.set()
            self._standing = False
            await asyncio.sleep(AGAIN_S)


def _all_local(folders: Sequence[Path]) -> bool:
    from models.session import NETWORK_FILESYSTEMS, filesystem_of

    return not any(filesystem_of(folder.resolve()) in NETWORK_FILESYSTEMS for folder in folders)
