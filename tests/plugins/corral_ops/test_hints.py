from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from corral_ops.hints import Hints
from models import session


async def _stands(hints: Hints, *, within_s: float) -> bool:
    end = time.monotonic() + within_s
    while not hints.stand and time.monotonic() < end:
        await asyncio.sleep(0.02)
    return hints.stand


def test_a_change_at_any_depth_ends_the_wait(tmp_path):
    """Folders that are made later are watched too."""

    async def scene() -> float:
        async with Hints([tmp_path]) as hints:
            assert await _stands(hints, within_s=5)
            (tmp_path / "night").mkdir()
            await asyncio.sleep(0.3)
            await hints.wait(0)
            (tmp_path / "night" / "a.fit").write_bytes(b"x")
            began = time.monotonic()
            await hints.wait(30)
            return time.monotonic() - began

    assert asyncio.run(scene()) < 15


def _stands_at_all(folder: Path) -> bool:
    async def scene() -> bool:
        async with Hints([folder]) as hints:
            return await _stands(hints, within_s=1.5)

    return asyncio.run(scene())


def test_no_hint_is_promised_of_a_network_disk(tmp_path, monkeypatch):
    """The kernel would tell of this machine's files alone."""
    monkeypatch.setattr(session, "filesystem_of", lambda _path: "nfs4")
    assert not _stands_at_all(tmp_path)


def test_no_hint_is_promised_of_a_missing_folder(tmp_path):
    """It may be mounted later."""
    assert not _stands_at_all(tmp_path / "nowhere")


def test_no_hint_is_promised_without_the_package(tmp_path, monkeypatch):
    """It is a convenience."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert not _stands_at_all(tmp_path)
