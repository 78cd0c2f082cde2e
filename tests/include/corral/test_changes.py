"""The database notes what changes, for everyone who has asked, and for nobody else."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from include.corral.changes import gone, of_kind, subscribe, unsubscribe
from include.corral.corral import Corral
from include.corral.drain import drain
from models import Due, Frame, Planned, Product, Subscription
from tests.include.corral.lab import (
    TABLES,
    Calibrate,
    Master,
    Pebble,
    Weigh,
    add_frames,
    add_pebbles,
)


def listen(corral: Corral, step: str, *wanted: tuple[str, str]) -> None:
    tables = {table.name: table for table in (*TABLES, Frame.__table__, Product.__table__)}
    with corral.write() as session:
        subscribe(session.connection(), step, tables, set(wanted))


def noted(corral: Corral, step: str) -> list[tuple[str, int]]:
    with corral.read() as session:
        rows = session.execute(select(Due.source, Due.row_id).where(Due.step == step))
        return sorted((row.source, row.row_id) for row in rows)


def run(corral: Corral, *statements: str) -> None:
    with corral.write() as session:
        for statement in statements:
            session.execute(text(statement))


def test_every_kind_of_change_is_noted_for_each_listener(lab: Corral) -> None:
    """Inserted, updated, deleted, by one statement or many; a listener hears once per row."""
    for step in ("a", "b"):
        listen(lab, step, ("lab_pebble", ""))
    ids = add_pebbles(lab, range(3))
    run(lab, "UPDATE lab_pebble SET value = 9 WHERE value >= 1")
    run(lab, f"DELETE FROM lab_pebble WHERE id = {ids[0]}")
    expected = [(gone("lab_pebble"), ids[0])] + [
        ("lab_pebble", i) for i in sorted([*ids, ids[1], ids[2]])
    ]
    assert noted(lab, "a") == expected
    assert noted(lab, "b") == expected
    assert noted(lab, "c") == []


def test_change_that_is_rolled_back_is_not_noted(lab: Corral) -> None:
    """The note stands or falls with the change."""
    listen(lab, "a", ("lab_pebble", ""))
    with lab.write() as session:
        session.add(Pebble(value=1))
        session.flush()
        session.rollback()
    assert noted(lab, "a") == []


def test_listener_to_one_kind_hears_of_that_kind_only(lab: Corral) -> None:
    """Whoever uses master products is not told of calibrated ones."""
    add_frames(lab, ["a"], kind="bias")
    add_frames(lab, ["x"])
    listen(lab, "a", ("product", "master"))
    drain(lab, Master())
    drain(lab, Calibrate())
    with lab.read() as session:
        master = session.scalar(select(Product.id).where(Product.kind == "master"))
    assert noted(lab, "a") == [(of_kind("product", "master"), master)]


def test_step_over_products_that_uses_products_keeps_both_apart(lab: Corral) -> None:
    """A row to be worked on and a row to be made use of are noted under different sources."""
    listen(lab, "a", ("product", ""), ("product", "master"))
    add_frames(lab, ["a"], kind="bias")
    drain(lab, Master())
    assert noted(lab, "a") == [("product", 1), (of_kind("product", "master"), 1)]


def test_table_that_is_made_anew_is_listened_to_again(lab: Corral) -> None:
    """A migration copies the table and loses its triggers: the next plan looks at everything."""
    add_pebbles(lab, range(3))
    assert drain(lab, Weigh()).done == 3
    if lab.engine.dialect.name == "sqlite":
        statements = [
            "CREATE TABLE copy AS SELECT * FROM lab_pebble",
            "PRAGMA defer_foreign_keys = ON",
            "DROP TABLE lab_pebble",
            "CREATE TABLE lab_pebble (id INTEGER PRIMARY KEY, value INTEGER NOT NULL,"
            " colour VARCHAR(40), good BOOLEAN NOT NULL)",
            "INSERT INTO lab_pebble SELECT * FROM copy",
            "DROP TABLE copy",
        ]
    else:
        statements = [
            f"DROP TRIGGER corral_lab_pebble_{event} ON lab_pebble"
            for event in ("insert", "update", "delete")
        ]
    run(lab, *statements)
    add_pebbles(lab, [7])  # nobody hears of it
    assert noted(lab, "Weigh") == []
    assert drain(lab, Weigh()).done == 1
    add_pebbles(lab, [8])
    assert drain(lab, Weigh()).done == 1


def test_missing_trigger_is_missed_by_all_who_listened(lab: Corral) -> None:
    """The first step that notices lets all steps of the table look at everything again."""

    class Other(Weigh):
        pass

    add_pebbles(lab, range(3))
    drain(lab, Weigh())
    drain(lab, Other())
    name = "corral_lab_pebble_insert"
    on = "" if lab.engine.dialect.name == "sqlite" else " ON lab_pebble"
    run(lab, f"DROP TRIGGER {name}{on}")
    add_pebbles(lab, [7])
    assert drain(lab, Weigh()).done == 1
    assert drain(lab, Other()).done == 1


def test_subscribing_again_does_nothing(lab: Corral) -> None:
    """Marks stay, nothing is written twice."""
    add_pebbles(lab, range(3))
    drain(lab, Weigh())
    drain(lab, Weigh())
    with lab.read() as session:
        assert session.scalar(select(func.count()).select_from(Subscription)) == 1
        assert session.scalar(select(func.count()).select_from(Planned)) == 1
        assert session.scalar(select(func.count()).select_from(Due)) == 0


def test_step_that_wants_less_is_told_less(lab: Corral) -> None:
    """A kind that is no longer used is not noted any more."""
    listen(lab, "a", ("lab_pebble", ""), ("product", "master"))
    listen(lab, "a", ("lab_pebble", ""))
    with lab.read() as session:
        assert session.scalars(select(Subscription.source)).all() == ["lab_pebble"]


def test_step_that_is_gone_can_be_forgotten(lab: Corral) -> None:
    """Nothing is noted any more for a step that nobody will drain."""
    listen(lab, "gone", ("lab_pebble", ""))
    add_pebbles(lab, range(3))
    assert len(noted(lab, "gone")) == 3
    with lab.write() as session:
        unsubscribe(session.connection(), "gone")
    add_pebbles(lab, range(3))
    assert noted(lab, "gone") == []


def test_table_of_the_model_is_made_where_it_is_missing(corral: Corral) -> None:
    """A step's own input table needs no migration to begin with."""
    assert drain(corral, Weigh()).done == 0
    add_pebbles(corral, [1])
    with corral.read() as session:
        assert session.scalar(select(func.count()).select_from(Due)) == 1


@pytest.mark.parametrize("model", ["Order", "order line"])
def test_any_table_name_is_listened_to(lab: Corral, model) -> None:
    """Names that must be quoted, and reserved words."""
    from sqlalchemy import Column, Integer, MetaData, Table

    table = Table(model, MetaData(), Column("id", Integer, primary_key=True))
    with lab.write() as session:
        subscribe(session.connection(), "a", {model: table}, {(model, "")})
        session.execute(table.insert().values(id=5))
        session.execute(table.delete())
    with lab.write() as session:
        marks = session.scalar(select(func.count()).select_from(Planned))
        subscribe(session.connection(), "a", {model: table}, {(model, "")})
        assert session.scalar(select(func.count()).select_from(Planned)) == marks
    assert noted(lab, "a") == [(gone(model), 5), (model, 5)]
