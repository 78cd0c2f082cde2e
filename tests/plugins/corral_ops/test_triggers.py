from __future__ import annotations

import asyncio
import contextlib

import pytest

from corral_ops.triggers import InboxTrigger, scan
from models import session

POLL_S = 0.05


async def _rings(trigger: InboxTrigger, *, seconds: float) -> list[int]:
    """Give the number of files of every ring within some time."""
    rung: list[int] = []

    async def listen() -> None:
        async for event in trigger.run():
            rung.append(event.payload["files"])

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(listen(), seconds)
    return rung


@pytest.fixture
def inbox(installation):
    return installation.settings.inbox


@pytest.fixture
def trigger(installation) -> InboxTrigger:
    return InboxTrigger(poll_s=POLL_S)


def test_it_rings_once_for_what_is_there(trigger, inbox):
    """Also for what came while it was away; then it is silent."""
    for name in ("a.fit", "night/b.fit"):
        (inbox / name).parent.mkdir(exist_ok=True)
        (inbox / name).write_bytes(b"x")
    assert asyncio.run(_rings(trigger, seconds=0.6)) == [2]


def test_it_rings_again_for_a_new_file_and_for_a_changed_one(trigger, inbox):
    """A frame that is written anew is looked at anew."""
    (inbox / "a.fit").write_bytes(b"x")

    async def scene() -> list[int]:
        rings = asyncio.create_task(_rings(trigger, seconds=1.5))
        await asyncio.sleep(0.5)
        (inbox / "b.fit").write_bytes(b"y")
        await asyncio.sleep(0.5)
        (inbox / "a.fit").write_bytes(b"xx")
        return await rings

    assert asyncio.run(scene()) == [1, 1, 1]


def test_a_file_that_grows_is_waited_for(trigger, inbox):
    """It rings when the file has stood still, not while the camera writes it."""

    async def scene() -> list[int]:
        rings = asyncio.create_task(_rings(trigger, seconds=1.2))
        with (inbox / "a.fit").open("wb", buffering=0) as frame:
            for _ in range(30):
                frame.write(b"x" * 100)
                await asyncio.sleep(0.01)
                # Two looks are further apart than two writes.
        return await rings

    assert asyncio.run(scene()) == [1]


def test_a_missing_inbox_is_waited_for(trigger, inbox):
    """A disk that is mounted late: no error that Airflow would log every second."""

    async def scene() -> list[int]:
        rings = asyncio.create_task(_rings(trigger, seconds=1.0))
        await asyncio.sleep(0.3)
        inbox.mkdir()
        (inbox / "a.fit").write_bytes(b"x")
        return await rings

    inbox.rmdir()
    assert asyncio.run(scene()) == [1]


def test_every_inbox_is_watched(installation, inbox, tmp_path, monkeypatch):
    """One that comes later too."""
    monkeypatch.setenv("CORRAL_INBOX", f"{inbox}:{tmp_path / 'nas'}")

    async def scene() -> list[int]:
        rings = asyncio.create_task(_rings(InboxTrigger(poll_s=POLL_S), seconds=1.0))
        (inbox / "a.fit").write_bytes(b"x")
        await asyncio.sleep(0.4)
        (tmp_path / "nas").mkdir()
        (tmp_path / "nas" / "a.fit").write_bytes(b"x")
        return await rings

    assert asyncio.run(scene()) == [1, 1]


def test_a_hint_brings_the_next_look_forward(inbox):
    """Idle it would look in a minute; it rings at once all the same."""

    async def scene() -> list[int]:
        trigger = InboxTrigger(poll_s=POLL_S, idle_s=60.0)
        rings = asyncio.create_task(_rings(trigger, seconds=4.0))
        await asyncio.sleep(2.0)
        (inbox / "a.fit").write_bytes(b"x")
        return await rings

    assert asyncio.run(scene()) == [1]


def test_nothing_is_lost_where_no_hint_comes(inbox, monkeypatch):
    """As of what another machine writes to a network disk."""
    monkeypatch.setattr(session, "filesystem_of", lambda _path: "nfs4")

    async def scene() -> list[int]:
        trigger = InboxTrigger(poll_s=POLL_S, idle_s=60.0)
        rings = asyncio.create_task(_rings(trigger, seconds=2.5))
        await asyncio.sleep(1.5)
        (inbox / "a.fit").write_bytes(b"x")
        return await rings

    assert asyncio.run(scene()) == [1]


def test_hidden_files_and_links_are_not_looked_at(inbox):
    """A name with a dot is a file in transit; a link may lead anywhere, or round in a circle."""
    (inbox / ".a.fit.part").write_bytes(b"x")
    (inbox / "loop").symlink_to(inbox)
    (inbox / "b.fit").symlink_to("/etc/hostname")
    assert scan(inbox) == frozenset()


def test_equal_triggers_are_one(trigger):
    """Airflow runs one for all watchers that name the same class and arguments."""
    path, arguments = trigger.serialize()
    assert path == "corral_ops.triggers.InboxTrigger"
    assert InboxTrigger(**arguments).serialize() == (path, arguments)
