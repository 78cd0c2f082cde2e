"""F8: the database, and the way to it, fail at any request; the night is reduced all the same."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import event, make_url

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import ConfigurationError, Retryable
from include.corral.processor import Processor
from include.corral.settings import Settings
from models import session as databases
from tests.chaos.database_lab import PROCESSORS, Server, made, observe, reduce, violations
from tests.chaos.faults_of_databases import FAULTS
from tests.chaos.wire import Fault, Wire
from tests.databases import CleanDatabase, empty_database
from tools import postgres

# What the request must hold for the fault to make sense.
ONLY_AT = {"reset after COMMIT was sent": b"COMMIT", "read-only": b"INSERT INTO"}
POINTS = int(os.environ.get("CORRAL_CHAOS_POINTS", "8"))

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def inbox(tmp_path_factory) -> Path:
    """The frames of a tiny night; nobody writes to it."""
    folder = tmp_path_factory.mktemp("camera") / "inbox"
    observe(folder)
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if postgres.server_binaries() is None:
        pytest.skip("PostgreSQL's server binaries are not installed")
    with (
        TemporaryDirectory(prefix="corral-postgres-") as home,
        postgres.server(Path(home), durable=True) as url,
    ):
        yield Server(Path(home), url)


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[CleanDatabase]:
    with empty_database(server.url) as url:
        clean = CleanDatabase(url)
        yield clean
        clean.close()


class Distant:
    """An installation whose database is at the end of a wire; it can be looked at directly."""

    def __init__(self, url: str, inbox: Path, folder: Path, wire: Wire) -> None:
        plain = {"sslmode": "disable", "gssencmode": "disable"}
        wired = make_url(url).set(port=wire.port).update_query_dict(plain)
        still = {"still_s": "0"}
        settings = Settings.below(folder, database_url=url, inbox=inbox, pipeline=still)
        self.wire = wire
        self.direct = Corral(settings)
        self.corral = Corral(replace(settings, database_url=wired.render_as_string()))

    def close(self) -> None:
        self.corral.close()
        self.direct.close()


@pytest.fixture(scope="module")
def distant(server, database, inbox, tmp_path_factory):
    """Gives such an installation, empty, as often as one is asked for."""

    @contextmanager
    def give() -> Iterator[Distant]:
        with Wire(server.port) as wire:
            place = Distant(database.clean(), inbox, tmp_path_factory.mktemp("distant"), wire)
            try:
                yield place
            finally:
                place.close()

    return give


@pytest.fixture(scope="module")
def calm(distant) -> tuple[list[bytes], set[tuple[str, str]]]:
    """Requests of an undisturbed reduction, and what it makes."""
    with distant() as place:
        assert reduce(place.corral) == 0
        assert violations(place.direct) == []
        return place.wire.requests, made(place.direct)


@pytest.fixture
def strike(distant, calm, ledger, dice):
    """Reduces the night again and again, with a fault somewhere in each part of the requests."""
    requests, expected = calm

    def strike(name: str, fault: Fault, *, times: int, word: bytes = b"") -> None:
        struck, broken, longest = 0, [], 0.0
        # A slow machine makes smaller batches, a fast one fewer: the last requests may not come.
        number = sum(word in request for request in requests) * 4 // 5
        for first, last in _parts(number, times):
            with distant() as place:
                place.wire.strike_at(dice.randint(first, last), fault, word=word)
                began = time.monotonic()
                reduce(place.corral)
                longest = max(longest, time.monotonic() - began)
                struck += place.wire.struck
                broken += violations(place.direct)
                assert made(place.direct) == expected
        ledger.add(f"F8 {name}", struck, len(broken), longest)
        assert broken == []
        assert struck == times

    return strike


def _parts(whole: int, number: int) -> list[tuple[int, int]]:
    """First and last of each of so many equal parts."""
    ends = [1 + whole * part // number for part in range(number + 1)]
    return [(first, max(first, last - 1)) for first, last in pairwise(ends)]


@pytest.mark.postgres
@pytest.mark.parametrize("name", FAULTS)
def test_night_is_reduced_once_whatever_the_database_does(strike, name) -> None:
    """Each fault at requests all over the reduction: nothing lost, nothing twice, all retryable."""
    strike(name, FAULTS[name], times=POINTS, word=ONLY_AT.get(name, b""))


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("name", "end", "times"),
    [
        ("pg_terminate_backend", Server.end_connections, 3 * POINTS),
        ("pg_ctl stop -m immediate", Server.stop_at_once, 2 * POINTS),
        ("kill -9 of the postmaster", Server.kill, POINTS),
    ],
)
def test_night_is_reduced_once_whatever_happens_to_the_server(
    strike, server, name: str, end: Callable[[Server], None], times: int
) -> None:
    """A real server ends in the middle of a request, and comes back."""

    def fault(_wire: Wire, _link: object, _request: bytes) -> bool:
        end(server)
        return True

    strike(name, fault, times=times)


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
def local(inbox, tmp_path) -> Iterator[Local]:
    place = Local(tmp_path / "local", inbox)
    yield place
    place.corral.close()


@pytest.fixture
def settle(ledger, calm_local):
    """Completes the work, and compares it with that of a calm installation."""

    def settle(name: str, place: Local) -> None:
        began = time.monotonic()
        reduce(place.corral)
        broken = violations(place.corral)
        ledger.add(f"F8 SQLite: {name}", 1, len(broken), time.monotonic() - began)
        assert broken == []
        assert made(place.corral) == calm_local

    return settle


@pytest.fixture(scope="module")
def calm_local(inbox, tmp_path_factory) -> set[tuple[str, str]]:
    place = Local(tmp_path_factory.mktemp("calm"), inbox)
    assert reduce(place.corral) == 0
    result = made(place.corral)
    place.corral.close()
    return result


@pytest.mark.parametrize("part", range(POINTS))
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
def test_database_that_only_reads_is_tried_again(local, settle, inbox, part) -> None:
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
