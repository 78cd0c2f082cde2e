"""The doorbell of the outbox."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from airflow.triggers.base import BaseEventTrigger

from corral_ops.outbox_trigger import OutboxTrigger
from include.corral.outbox import enqueue


async def rings(trigger: BaseEventTrigger, *, seconds: float) -> int:
    rung = 0

    async def listen() -> None:
        nonlocal rung
        async for _ in trigger.run():
            rung += 1

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(listen(), seconds)
    return rung


@pytest.fixture
def trigger(installation) -> OutboxTrigger:
    return OutboxTrigger(poll_s=0.05, pause_s=60)


def put(installation) -> None:
    with installation.write() as session:
        enqueue(session, dedup_key="k", rule="r", subject="s", body="b")


def test_it_rings_once_for_what_waits_and_leaves_time_to_send_it(trigger, installation):
    """Also for what came while it was away."""
    put(installation)
    assert asyncio.run(rings(trigger, seconds=1.0)) == 1


def test_it_is_silent_while_nothing_waits(trigger):
    """Looking is cheap, runs are not."""
    assert asyncio.run(rings(trigger, seconds=0.6)) == 0


def test_it_outlives_a_database_that_is_away(trigger, installation):
    """It looks again, and rings when there is something."""

    async def scene() -> int:
        listening = asyncio.create_task(rings(trigger, seconds=2.0))
        await asyncio.sleep(0.3)
        with installation.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE delivery RENAME TO elsewhere")
        await asyncio.sleep(0.4)
        with installation.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO delivery")
        await asyncio.to_thread(put, installation)
        return await listening

    assert asyncio.run(scene()) == 1


def test_it_can_be_made_again_from_what_it_says(trigger):
    """As the triggerer does after a restart."""
    path, arguments = trigger.serialize()
    assert path == "corral_ops.outbox_trigger.OutboxTrigger"
    assert OutboxTrigger(**arguments).serialize() == (path, arguments)
