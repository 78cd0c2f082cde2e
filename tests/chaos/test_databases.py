"""F8: PostgreSQL, and the way to it, fail at any request; the night is reduced all the same."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url

from include.corral.corral import Corral
from include.corral.settings import Settings
from tests.chaos.database_lab import Server, differing, made, reduce, violations
from tests.chaos.faults_of_databases import FAULTS
from tests.chaos.wire import Fault, Wire
from tests.databases import CleanDatabase, empty_database
from tools import postgres

# What the request must hold for the fault to make sense.
ONLY_AT = {"reset after COMMIT was sent": b"COMMIT", "read-only": b"INSERT INTO"}
POINTS = int(os.environ.get("CORRAL_CHAOS_POINTS", "8"))

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]


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
def distant(server, database, tiny_night, tmp_path_factory):
    """Gives such an installation, empty, as often as one is asked for."""

    @contextmanager
    def give() -> Iterator[Distant]:
        with Wire(server.port) as wire:
            place = Distant(database.clean(), tiny_night, tmp_path_factory.mktemp("distant"), wire)
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
        number = sum(word in request for request in requests)
        # A slow machine makes smaller batches, a fast one fewer: the last requests may not come.
        early = itertools.repeat((1, max(1, number // 2)), times)
        for first, last in itertools.chain(_parts(number * 4 // 5, times), early):
            with distant() as place:
                place.wire.strike_at(dice.randint(first, last), fault, word=word)
                began = time.monotonic()
                reduce(place.corral)
                longest = max(longest, time.monotonic() - began)
                struck += place.wire.struck
                broken += violations(place.direct)
                broken += differing(expected, made(place.direct))
            if struck == times:
                break
        ledger.add(f"F8 {name}", struck, len(broken), longest)
        assert broken == []
        assert struck == times

    return strike


def _parts(whole: int, number: int) -> list[tuple[int, int]]:
    """First and last of each of so many equal parts."""
    ends = [1 + whole * part // number for part in range(number + 1)]
    return [(first, max(first, last - 1)) for first, last in itertools.pairwise(ends)]


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
