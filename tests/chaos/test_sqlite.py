"""F8: SQLite is locked, full, read-only, damaged or broken off; the night is reduced anyway."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Self

import pytest
from sqlalchemy import Engine, event

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import ConfigurationError, Retryable
from include.corral.processor import Processor
from include.corral.settings import Settings
from models import session as databases
from tests.chaos.database_lab import PROCESSORS, differing, made, reduce, violations

LOCKS = 8
INTERRUPTS = 36

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]


class Local:
    """An installation on SQLite."""

    def __init__(self, folder: Path, inbox: Path) -> None:
        settings = Settings.below(folder, inbox=inbox, pipeline={"still_s": "0"})
        self.corral = Corral(settings)
        self.file = folder / "corral.db"

    def drain_some(self, number: int) -> None:
        """Do the first part of the work."""
        for processor in PROCESSORS[:number]:
            assert not drain(self.corral, processor()).failures


@pytest.fixture
def local(tiny_night, tmp_path) -> Iterator[Local]:
    place = Local(tmp_path / "local", tiny_night)
    yield place
    place.corral.close()


@pytest.fixture
def settle(ledger, calm_night):
    """Completes the work, and compares it with that of a calm installation."""

    def settle(name: str, place: Local) -> None:
        began = time.monotonic()
        reduce(place.corral)
        seconds = time.monotonic() - began
        broken = violations(place.corral) + differing(calm_night[0], made(place.corral))
        ledger.add(f"F8 SQLite: {name}", 1, len(broken), seconds)
        assert broken == []

    return settle


class Statements:
    """Counts the statements of all engines, and has SQLite break one of them off."""

    def __init__(self, *, at: int = 0) -> None:
        self.number = 0
        self._at = at

    def __enter__(self) -> Self:
        event.listen(Engine, "before_cursor_execute", self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self._begin)

    def _begin(self, _connection: object, cursor: sqlite3.Cursor, *_rest: object) -> None:
        self.number += 1
        # Once: the transaction is then to be rolled back, which is a statement as well.
        once = iter([1] if self.number == self._at else [])
        cursor.connection.set_progress_handler(lambda: next(once, 0), 1)


@pytest.fixture(scope="module")
def calm_night(tiny_night, tmp_path_factory) -> tuple[set[tuple[str, str]], int]:
    """What an undisturbed reduction makes, and in how many statements."""
    place = Local(tmp_path_factory.mktemp("calm"), tiny_night)
    place.corral.now()
    with Statements() as statements:
        assert reduce(place.corral) == 0
    result = made(place.corral)
    place.corral.close()
    return result, statements.number


@pytest.mark.parametrize("part", range(INTERRUPTS))
def test_statement_that_is_broken_off_is_done_again(local, settle, calm_night, dice, part) -> None:
    """SQLITE_INTERRUPT, in each part of the reduction."""
    local.corral.now()
    # A slow machine makes smaller batches, a fast one fewer: the last statements may not come.
    number = calm_night[1] * 4 // 5
    with Statements(
        at=1 + dice.randrange(number * part, number * (part + 1)) // INTERRUPTS
    ) as statements:
        settle("statement broken off", local)
    assert statements.number >= number


@pytest.mark.parametrize("part", range(LOCKS))
def test_database_locked_by_another_for_longer_than_one_waits(
    local, settle, dice, monkeypatch, part
) -> None:
    """Whoever waits for the lock gives up as retryable, and does it later."""
    monkeypatch.setattr(databases, "SQLITE_BUSY_TIMEOUT_S", 0.1)
    local.drain_some(0)
    local.corral.now()  # the schema is there
    stop = threading.Event()
    seed = dice.random()
    locker = threading.Thread(target=_lock_now_and_then, args=(local.file, stop, seed))
    locker.start()
    try:
        settle("locked", local)
    finally:
        stop.set()
        locker.join()


def _lock_now_and_then(file: Path, stop: threading.Event, seed: float) -> None:
    chance = Random(seed)
    connection = sqlite3.connect(file, isolation_level=None, timeout=30)
    for _ in range(4):
        if stop.wait(chance.uniform(0, 0.5)):
            break
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(0.4)
        connection.execute("ROLLBACK")
    connection.close()


@pytest.mark.parametrize("part", range(len(PROCESSORS)))
def test_database_that_only_reads_is_tried_again(local, settle, part) -> None:
    """A disk that was mounted read-only: nothing is done, and nothing is left half."""
    local.drain_some(part)
    local.corral.now()
    local.corral.close()
    url = f"sqlite:///file:{local.file}?mode=ro&uri=true"
    only_reading = Corral(replace(local.corral.settings, database_url=url))
    with pytest.raises(Retryable, match="readonly"):
        drain(only_reading, PROCESSORS[part]())
    only_reading.close()
    settle("read-only", local)


@pytest.mark.parametrize("part", range(len(PROCESSORS)))
def test_database_that_has_no_room_is_tried_again(local, settle, part) -> None:
    """SQLITE_FULL at the next page that is asked for."""
    local.drain_some(part)
    engine = local.corral.engine

    def no_more_pages(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    engine.dispose()
    event.listen(engine, "connect", no_more_pages)
    with pytest.raises(Retryable, match="full"):
        _drain_again_and_again(local.corral, PROCESSORS[part]())
    event.remove(engine, "connect", no_more_pages)
    engine.dispose()
    settle("full", local)


def _drain_again_and_again(corral: Corral, processor: Processor) -> None:
    for _ in range(200):  # pages that are free already are filled first
        drain(corral, processor)


@pytest.mark.parametrize("part", range(len(PROCESSORS)))
def test_database_whose_file_is_unreadable_is_a_fault_of_the_installation(
    local, settle, part
) -> None:
    """A person must bring the file back; then the work goes on where it was."""
    local.drain_some(part)
    local.corral.now()
    local.corral.close()
    whole = shutil.copy(local.file, local.file.with_suffix(".whole"))
    local.file.write_bytes(os.urandom(8192))
    with pytest.raises(ConfigurationError, match="damaged"):
        drain(local.corral, PROCESSORS[part]())
    local.corral.close()
    for left in ("-wal", "-shm"):
        local.file.with_name(local.file.name + left).unlink(missing_ok=True)
    shutil.move(whole, local.file)
    settle("file unreadable", local)
