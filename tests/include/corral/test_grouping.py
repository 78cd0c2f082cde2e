"""Rows of equal values are one unit, wherever rows come from and go to."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.orm import Mapped, mapped_column

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.grouping import group_key, short_key
from include.corral.settings import Settings
from include.corral.step import Step
from models import Base, Frame, Product, Unit, UnitRow
from tests.include.corral.lab import (
    NIGHT,
    Heap,
    Master,
    Pebble,
    Pile,
    add_frames,
    add_pebbles,
    make_tables,
)

NEXT = "2026-11-21"


def heaps(corral: Corral) -> dict[str | None, list[int]]:
    """Current heaps by colour."""
    with corral.read() as session:
        rows = session.scalars(select(Heap).where(Heap.current)).all()
    assert len({heap.colour for heap in rows}) == len(rows)
    return {heap.colour: heap.values for heap in rows}


def change(corral: Corral, statement: str, **values: Any) -> None:
    with corral.write() as session:
        session.execute(text(statement), values)


@pytest.fixture
def piled(lab: Corral) -> Corral:
    """Two colours of three and two pebbles, one without colour, all in heaps."""
    add_pebbles(lab, [3, 1, 2], colour="red")
    add_pebbles(lab, [5, 4], colour="blue")
    add_pebbles(lab, [9])
    assert drain(lab, Pile()).done == 3
    assert heaps(lab) == {"red": [1, 2, 3], "blue": [4, 5], None: [9]}
    return lab


def test_new_member_redoes_its_group_only(piled: Corral) -> None:
    """One more red pebble: a new red heap."""
    add_pebbles(piled, [0], colour="red")
    assert drain(piled, Pile()).done == 1
    assert heaps(piled) == {"red": [0, 1, 2, 3], "blue": [4, 5], None: [9]}


def test_vetoed_member_redoes_its_group(piled: Corral) -> None:
    """A bad pebble leaves the heap."""
    change(piled, "UPDATE lab_pebble SET good = :no WHERE value = 2", no=False)
    assert drain(piled, Pile()).done == 1
    assert heaps(piled)["red"] == [1, 3]


def test_member_that_moves_redoes_both_groups(piled: Corral) -> None:
    """The heap that it has left does not keep it."""
    change(piled, "UPDATE lab_pebble SET colour = 'blue' WHERE value = 2")
    assert drain(piled, Pile()).done == 2
    assert heaps(piled) == {"red": [1, 3], "blue": [2, 4, 5], None: [9]}


def test_member_that_is_deleted_redoes_its_group(piled: Corral) -> None:
    """What is gone is missed, though nobody can say any more which group it was of."""
    change(piled, "DELETE FROM lab_pebble WHERE value = 5")
    assert drain(piled, Pile()).done == 1
    assert heaps(piled)["blue"] == [4]


class Lightest(Step):
    """The two lightest pebbles of a colour are one heap."""

    model = Pebble
    ordering = (Pebble.value,)
    group_by = (Pebble.colour,)

    def needed(self, rows):
        return sorted(rows, key=lambda pebble: pebble.value)[:2]

    def process(self, work, run):
        yield Heap(colour=work[0].colour, values=[each.value for each in self.needed(work)])


def test_members_that_are_not_needed_redo_nothing(lab: Corral) -> None:
    """A heap of the two lightest stays as it is until a lighter one comes, or one of them goes."""
    add_pebbles(lab, [3, 5, 7], colour="red")
    assert drain(lab, Lightest()).done == 1
    add_pebbles(lab, [9], colour="red")
    change(lab, "DELETE FROM lab_pebble WHERE value = 7")
    assert drain(lab, Lightest()).done == 0
    add_pebbles(lab, [1], colour="red")
    assert drain(lab, Lightest()).done == 1
    assert heaps(lab)["red"] == [1, 3]
    change(lab, "DELETE FROM lab_pebble WHERE value = 3")
    assert drain(lab, Lightest()).done == 1
    assert heaps(lab)["red"] == [1, 5]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM lab_pebble WHERE colour = 'blue'",
        "UPDATE lab_pebble SET colour = 'red' WHERE colour = 'blue'",
        "UPDATE lab_pebble SET good = (1 = 0) WHERE colour = 'blue'",
        "UPDATE lab_pebble SET colour = NULL WHERE colour = 'blue'",
    ],
)
def test_group_whose_last_member_leaves_is_withdrawn(piled: Corral, statement) -> None:
    """Its heap is not current; when members come again, it is made anew."""
    change(piled, statement)
    assert drain(piled, Pile()).void == 1
    assert "blue" not in heaps(piled)
    add_pebbles(piled, [7], colour="blue")
    drain(piled, Pile())
    assert heaps(piled)["blue"] == [7]
    with piled.read() as session:
        ids = set(session.scalars(select(Pebble.id).where(Pebble.good)))
        assert set(session.scalars(select(UnitRow.row_id))) == ids


def test_members_wait_for_nothing_but_their_group(lab: Corral) -> None:
    """A trigger plans whole groups, however its rows were noted."""
    add_pebbles(lab, range(1500), colour="many")
    for number in range(250):
        add_pebbles(lab, [number], colour=f"colour {number}")
    assert drain(lab, Pile()).done == 251
    assert len(heaps(lab)["many"]) == 1500
    assert drain(lab, Pile()).done == 0


def test_statements_stay_within_the_limits_of_the_database(tmp_path) -> None:
    """More members than a statement has room for: no statement has a parameter for each."""
    lab = Corral(Settings.below(tmp_path))
    make_tables(lab)

    def limit(connection: Any, _record: Any) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 2500)

    event.listen(lab.engine, "connect", limit)
    lab.engine.dispose()
    with lab.write() as session:
        rows = [{"value": n, "colour": str(n % 40), "good": True} for n in range(4000)]
        session.connection().execute(Pebble.__table__.insert(), rows)

    class Count(Step):
        model = Pebble
        group_by = (Pebble.colour,)

        def process(self, work, run):
            assert len(work) == 100

    assert drain(lab, Count()).done == 40
    change(lab, "DELETE FROM lab_pebble WHERE colour <> '7'")
    assert drain(lab, Count()).void == 39
    lab.close()


def test_group_across_nights_is_one_unit_for_every_trigger(lab: Corral) -> None:
    """Without the night among its columns, a group has all its members in any night's trigger."""

    class Field(Step):
        model = Frame
        group_by = (Frame.camera,)

        def process(self, work, run):
            seen.append(sorted(frame.partition_key for frame in work))

    seen: list[list[str]] = []
    add_frames(lab, ["a"], night=NIGHT)
    drain(lab, Field(), partition=NIGHT)
    add_frames(lab, ["a"], night=NEXT)
    drain(lab, Field(), partition=NEXT)
    drain(lab, Field(), partition=NIGHT)
    assert seen == [[NIGHT], [NIGHT, NEXT]]


def test_group_with_the_night_lies_in_its_partition(lab: Corral) -> None:
    """Masters of two nights are two units, each of its trigger."""
    for night in (NIGHT, NEXT):
        add_frames(lab, ["a", "b"], kind="bias", night=night)
    assert drain(lab, Master(), partition=NEXT).done == 1
    with lab.read() as session:
        assert [product.partition_key for product in session.scalars(select(Product))] == [NEXT]
        units = session.execute(select(Unit.partition, Unit.status)).all()
    assert units == [(NEXT, "done")]
    assert drain(lab, Master(), partition=NIGHT).done == 1


class Pair(Base):
    __tablename__ = "lab_pair"
    id: Mapped[int] = mapped_column(primary_key=True)
    left: Mapped[str | None]
    right: Mapped[str | None]


class Both(Step):
    model = Pair
    group_by = (Pair.left, Pair.right)

    def process(self, work, run):
        return None


def test_keys_of_different_values_differ() -> None:
    """Whatever the text says: no value can pass for another group's."""
    pairs = [
        ("a, right=b", "c"),
        ("a", "b, right=c"),
        ("a", None),
        ("a", "None"),
        ("a", ""),
        ("a", "'None'"),
        ("a\0", "b"),
        ("a\\0", "b"),
        ("\udcff", "b"),
        ("\\udcff", "b"),
        ("x" * 500, "a"),
        ("x" * 500, "b"),
    ]
    keys = [group_key(Both(), Pair(left=left, right=right)) for left, right in pairs]
    assert len(set(keys)) == len(pairs)
    assert all(len(key) <= 400 and key.encode() for key in keys)
    assert group_key(Both(), Pair(left="V", right="2x2")) == "left=V, right=2x2"


def test_short_key_keeps_what_is_short() -> None:
    """A person can read the key of an ordinary thing."""
    assert short_key("2026-11-20/bias 01.fits") == "2026-11-20/bias 01.fits"


def test_groups_are_found_by_index(lab: Corral) -> None:
    """No scan of all frames for the groups of one night."""
    add_frames(lab, ["a", "b"], kind="bias")
    from include.corral.grouping import _same_group

    condition = _same_group(Master(), [1, "cam"])
    query = str(
        select(Frame.id)
        .where(condition)
        .compile(lab.engine, compile_kwargs={"literal_binds": True})
    )
    with lab.write() as session:
        if lab.engine.dialect.name == "postgresql":
            session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = session.scalars(text(f"EXPLAIN {query}")).all()
        else:
            plan = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    assert "ix_frame_night_id_kind" in " ".join(plan)
    with lab.read() as session:
        assert session.scalar(select(func.count()).select_from(Frame)) == 2
