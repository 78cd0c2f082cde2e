"""The door: each piece comes in once, a bad one stays outside alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import BadData, FailureClass, StorageTrouble
from include.corral.loader import Item, Loader
from models import StepRun, Unit, UnitRun
from tests.include.corral.lab import Pebble, Quarry


class Bag(Loader):
    """Pebbles from a dictionary of name to (stamp, value)."""

    things: dict[str, tuple[str, Any]] = {}
    looked_at: list[str] = []

    def generate(self, corral: Corral) -> Iterator[Item]:
        for name, (stamp, value) in self.things.items():
            yield Item(name, stamp, (name, value))

    def process(self, work: Any, run: Any) -> Iterator[Pebble]:
        name, value = work
        self.looked_at.append(name)
        if value is None:
            raise BadData("empty")
        yield Pebble(value=value)


@pytest.fixture
def bag() -> type[Bag]:
    """A loader of its own."""

    class Fresh(Bag):
        name = "Bag"
        things = {"a": ("1", 1), "b": ("1", 2), "c": ("1", None), "d": ("1", 4)}
        looked_at: list[str] = []

    return Fresh


def values(corral: Corral) -> list[int]:
    with corral.read() as session:
        return sorted(session.scalars(select(Pebble.value)))


def test_generated_rows_come_in_once(lab: Corral) -> None:
    """A row whose content was loaded before is passed over, also when more come."""
    assert drain(lab, Quarry(count=10)).done == 10
    assert drain(lab, Quarry(count=12)).done == 2
    assert drain(lab, Quarry(count=12)).done == 0
    assert values(lab) == list(range(12))


def test_equal_stamp_is_not_looked_at_twice(lab: Corral, bag) -> None:
    """Nor is what failed, until it changes or somebody asks."""
    report = drain(lab, bag())
    assert (report.done, report.failed) == (3, 1)
    assert report.failures[0].failure_class is FailureClass.BAD_DATA
    assert values(lab) == [1, 2, 4]
    again = drain(lab, bag())
    assert (again.done, again.failed, len(again.standing)) == (0, 0, 1)
    assert bag.looked_at == ["a", "b", "c", "d"]
    assert drain(lab, bag(), retry_failed=True).failed == 1
    assert bag.looked_at[4:] == ["c"]


def test_changed_stamp_is_looked_at_again(lab: Corral, bag) -> None:
    """The failed one is mended, and one that was good has changed."""
    drain(lab, bag())
    bag.things |= {"b": ("2", 20), "c": ("2", 3)}
    assert drain(lab, bag()).done == 2
    assert bag.looked_at[4:] == ["b", "c"]
    assert values(lab) == [1, 2, 3, 4, 20]
    with lab.read() as session:
        attempts = session.execute(
            select(Unit.key, UnitRun.outcome).join(UnitRun).order_by(UnitRun.id)
        ).all()
    assert Counter(attempts)[("b", "done")] == 2
    assert [outcome for key, outcome in attempts if key == "c"] == ["failed", "done"]


def test_two_loaders_at_once_load_each_row_once(lab: Corral, start) -> None:
    """Four processes generate the same three hundred rows."""
    loaders = [start("Quarry", count=300) for _ in range(4)]
    assert sum(loader.result()[0] for loader in loaders) == 300
    assert values(lab) == list(range(300))
    with lab.read() as session:
        assert set(session.scalars(select(StepRun.outcome))) == {"done"}


def test_item_given_twice_is_loaded_once(lab: Corral) -> None:
    """In one chunk, or a thousand items later."""

    class Twice(Loader):
        def generate(self, corral: Corral) -> Iterator[Pebble]:
            for value in [*range(1500), *range(1500), 3, 3]:
                yield Pebble(value=value)

    assert drain(lab, Twice()).done == 1500
    assert values(lab) == list(range(1500))


@pytest.mark.parametrize(
    "key",
    ["x" * 5000, "not \udcff text", "nul \0 byte", "new\nline", "", "ünïcode 星.fits"],
)
def test_any_name_is_taken(lab: Corral, bag, key) -> None:
    """A file's name is no reason to stop loading, whatever bytes it is made of."""
    bag.things = {"a": ("1", 1), key: ("1", 2), "z": ("1", 3)}
    assert drain(lab, bag()).done == 3
    assert drain(lab, bag()).done == 0


def test_long_names_that_begin_alike_are_two(lab: Corral, bag) -> None:
    """They are cut for the database, with a hash of the whole."""
    bag.things = {"x" * 500 + end: ("1", number) for number, end in enumerate("abc")}
    assert drain(lab, bag()).done == 3


def test_items_may_lie_in_partitions(lab: Corral, bag) -> None:
    """The ledger says of which night an item is; a loader itself works on all."""

    class Nights(bag):
        name = "Bag"

        def generate(self, corral: Corral) -> Iterator[Item]:
            for item in super().generate(corral):
                yield replace(item, partition=f"2026-11-2{item.value[1] or 0}")

    assert drain(lab, Nights(), partition="2026-11-21").done == 3
    with lab.read() as session:
        assert len(set(session.scalars(select(Unit.partition)))) == 4


def test_items_that_are_given_back_are_loaded_later_in_the_same_trigger(
    lab: Corral, monkeypatch
) -> None:
    """A loader whose items become slow commits often, and forgets none."""
    monkeypatch.setattr("include.corral.drain.BATCH_S", 0.02)

    class Slow(Quarry):
        def process(self, work: Any, run: Any) -> Any:
            import time

            time.sleep(0.004)
            return work

    assert drain(lab, Slow(count=40)).done == 40
    assert values(lab) == list(range(40))


def test_error_of_the_generator_keeps_what_was_loaded(lab: Corral) -> None:
    """The inbox goes away in the middle: the trigger fails, and says why."""

    class Breaking(Loader):
        def generate(self, corral: Corral) -> Iterator[Pebble]:
            for value in range(1000):
                yield Pebble(value=value)
            yield Pebble(value=1000)
            raise OSError("inbox is gone")

    with pytest.raises(StorageTrouble, match="inbox is gone"):
        drain(lab, Breaking())
    assert values(lab) == list(range(1000))
    with lab.read() as session:
        row = session.scalars(select(StepRun)).one()
    assert (row.outcome, row.message, row.done) == ("failed", "inbox is gone", 1000)


def test_loading_again_asks_little_of_the_database(lab: Corral, bag) -> None:
    """A thousand known items are one query, and no write."""
    from sqlalchemy import event

    drain(lab, Quarry(count=1000))
    statements: list[str] = []
    event.listen(lab.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert drain(lab, Quarry(count=1000)).done == 0
    assert sum("FROM unit" in statement for statement in statements) <= 6
    assert not any(
        statement.startswith(("INSERT INTO unit", "UPDATE unit SET fence"))
        for statement in statements
    )
