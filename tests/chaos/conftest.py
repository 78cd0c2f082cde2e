"""What every chaos test shares: its line in the table of faults, its dice, its installations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from include.corral.processor import Processor
from include.toritos.loader import FitsInbox
from include.toritos.steps import MasterBias, MasterDark, MasterFlat
from tests.chaos.database_lab import observe
from tests.chaos.homes import Home
from tests.chaos.night import PLAN, before_each, fill_inbox, new_home, trigger
from tests.chaos.table import PROPERTY
from tests.chaos.tally import SEED
from tests.databases import empty_database

Homes = dict[type[Processor], Home]


class Ledger:
    """Where a test writes down which faults it injected, and what came of them."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def add(
        self,
        fault: str,
        injected: int,
        violations: int,
        recovery_s: float,
        *,
        orphans: int = 0,
    ) -> None:
        """Add to the line of `fault`; call it before the assertion, so that failures count."""
        line = [fault, injected, violations, recovery_s, orphans]
        self._item.user_properties.append((PROPERTY, line))


@pytest.fixture
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """The table that is printed when the session ends."""
    return Ledger(request.node)


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Chances of this test: the same for the same ``SEED``, whichever tests run before it."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture(scope="session")
def prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """For each processor an installation in which it is the next to be triggered."""
    place = tmp_path_factory.mktemp("chaos")
    fill_inbox(place / "inbox")
    return before_each(new_home(place / "homes", place / "inbox"))


@pytest.fixture(scope="session")
def prepared_postgres(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Homes]:
    """The same on PostgreSQL."""
    place = tmp_path_factory.mktemp("chaos")
    fill_inbox(place / "inbox")
    with empty_database(postgres_server) as url:
        homes = before_each(new_home(place / "homes", place / "inbox", url))
        yield homes
        for home in homes.values():
            home.remove()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def prepared(request: pytest.FixtureRequest) -> Homes:
    """For each processor an installation in which it is the next to be triggered, on both."""
    homes: Homes = request.getfixturevalue(f"prepared_{request.param}")
    return homes


@pytest.fixture(scope="session")
def tiny_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inbox with the frames of a tiny night, all of them good; nobody writes to it."""
    inbox = tmp_path_factory.mktemp("camera") / "inbox"
    observe(inbox)
    return inbox


@pytest.fixture(scope="session")
def large_inbox(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An installation that has seen nothing yet of a night of 200 frames."""
    place = tmp_path_factory.mktemp("large")
    plan = replace(PLAN, biases=40, darks={60.0: 40}, flats={"V": 40}, science={"V": 80})
    fill_inbox(place / "inbox", plan)
    return new_home(place / "homes", place / "inbox")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def many_units(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Home]:
    """An installation in which 500 science frames are loaded, and their masters made."""
    place = tmp_path_factory.mktemp("many")
    plan = replace(PLAN, science={"V": 500}, exptime_s=10.0, cadence_s=30.0)
    fill_inbox(place / "inbox", plan)
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    home = new_home(place / "homes", place / "inbox", url)
    with home.corral() as corral:
        for kind in (FitsInbox, MasterBias, MasterDark, MasterFlat):
            trigger(corral, kind)
    yield home
    home.remove()
