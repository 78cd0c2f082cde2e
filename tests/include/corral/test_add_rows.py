"""Rows that stand alone go in bulk; what would make a difference goes by the unit of work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import ForeignKey, event, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from include.corral.add_rows import add_rows
from include.corral.corral import Corral
from models import Base

MOMENT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


class Box(Base):
    """A row with a key of its own, which others name."""

    __tablename__ = "lab_z_box"
    label: Mapped[str] = mapped_column(primary_key=True)
    packed_at: Mapped[datetime | None]
    notes: Mapped[list[Any]] = mapped_column(default=list)


class Apple(Base):
    """A row that names a box by its key, or holds it as an object."""

    __tablename__ = "lab_apple"
    id: Mapped[int] = mapped_column(primary_key=True)
    box_label: Mapped[str] = mapped_column(ForeignKey("lab_z_box.label"))
    grams: Mapped[float | None]
    box: Mapped[Box] = relationship()


@pytest.fixture
def orchard(lab: Corral) -> Corral:
    """With the two tables."""
    tables = [Box.__table__, Apple.__table__]
    Base.metadata.create_all(lab.engine, tables)
    yield lab
    Base.metadata.drop_all(lab.engine, tables)


def apples(corral: Corral) -> list[tuple[str, float | None, datetime | None, list[str]]]:
    """What is in the boxes."""
    query = select(Box.label, Apple.grams, Box.packed_at, Box.notes).join(Apple.box)
    with corral.read() as session:
        return [tuple(row) for row in session.execute(query.order_by(Apple.id))]


def test_rows_that_stand_alone_are_written_whole_and_parents_first(orchard) -> None:
    """Types, defaults and nulls are as ever; rows are named before they are yielded."""
    rows = [Apple(box_label="b", grams=1.5), Apple(box_label="b"), Box(label="b", packed_at=MOMENT)]
    with orchard.write() as session:
        add_rows(session, rows)
        assert not session.new
    assert apples(orchard) == [("b", 1.5, MOMENT, []), ("b", None, MOMENT, [])]
    assert rows[0].id is None


def test_rows_that_hold_others_get_their_ids(orchard) -> None:
    """One such row is enough: all go by the unit of work."""
    box = Box(label="c")
    apple = Apple(box=box, grams=2.0)
    with orchard.write() as session:
        add_rows(session, [apple, Apple(box_label="c", grams=3.0)])
        session.flush()
        assert apple.id is not None
        assert apple.box_label == "c"
    assert [row[:2] for row in apples(orchard)] == [("c", 2.0), ("c", 3.0)]


def test_rows_beside_those_the_session_has_go_with_them(orchard) -> None:
    """What belongs to a row needs its id."""
    box = Box(label="d")
    apple = Apple(box_label="d")
    with orchard.write() as session:
        session.add(apple)
        add_rows(session, [box, apple])
        assert set(session.new) == {box, apple}
    assert apple.id is not None


def test_who_listens_to_a_model_is_told(orchard) -> None:
    """Bulk statements would pass by whoever listens to single rows."""
    heard: list[str] = []

    def hear(_mapper: object, _connection: object, box: Box) -> None:
        heard.append(box.label)

    event.listen(Box, "before_insert", hear)
    try:
        with orchard.write() as session:
            add_rows(session, [Box(label="e")])
    finally:
        event.remove(Box, "before_insert", hear)
    assert heard == ["e"]


def test_after_a_transaction_that_failed_they_can_be_added_again(orchard) -> None:
    """Nothing of the first try clings to them."""
    rows = [Box(label="f"), Apple(box_label="f", grams=4.0)]
    with orchard.write() as session:
        add_rows(session, rows)
        session.rollback()
    assert apples(orchard) == []
    with orchard.write() as session:
        add_rows(session, rows)
    assert len(apples(orchard)) == 1
