"""Conditions on many values and rows in bulk, the same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import delete, insert, select, text

from models import Observatory, StepRun, Unit, UnitRun
from models.base import Base
from models.session import make_engine
from models.statements import among, free_ids, insert_rows, upsert

NAMES = ["Macón", "a\\b", 'it\'s "quoted"', "10,20", "{x}"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def connection(request, tmp_path):
    """To a database with five observatories."""
    url = f"sqlite:///{tmp_path / 'corral.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    engine = make_engine(url)
    with engine.begin() as connection:
        Base.metadata.create_all(connection, [Observatory.__table__])
        rows = [
            {"id": number, "name": name, "latitude": 0.0, "longitude": 0.0}
            for number, name in enumerate(NAMES, start=1)
        ]
        connection.execute(insert(Observatory), rows)
        yield connection
    engine.dispose()


def found(connection, condition) -> list[int]:
    """Ids of the observatories that satisfy it."""
    query = select(Observatory.id).where(condition).order_by(Observatory.id)
    return list(connection.scalars(query))


def test_any_number_of_values_is_one_parameter(connection) -> None:
    """More than either database takes parameters; none at all finds nothing."""
    assert found(connection, among(Observatory.id, range(3, 200_000))) == [3, 4, 5]
    assert found(connection, among(Observatory.id, [])) == []


def test_text_is_found_whatever_is_in_it(connection) -> None:
    """Quotes, backslashes and braces are no syntax."""
    for number, name in enumerate(NAMES, start=1):
        assert found(connection, among(Observatory.name, {name})) == [number]


def test_condition_can_be_negated_and_combined(connection) -> None:
    """As any other."""
    some = among(Observatory.id, [1, 2, 3])
    assert found(connection, ~some) == [4, 5]
    assert found(connection, some & among(Observatory.name, NAMES[2:])) == [3]
    assert found(connection, some | (Observatory.id == 5)) == [1, 2, 3, 5]


def test_statement_is_compiled_once_for_all_values(connection) -> None:
    """Other values are other parameters of the same statement."""
    keys = {select(Observatory.id).where(among(Observatory.id, ids))._generate_cache_key().key
            for ids in ([1], [2, 3])}  # fmt: skip
    assert len(keys) == 1
    connection.execute(delete(Observatory).where(among(Observatory.id, [1])))
    connection.execute(delete(Observatory).where(among(Observatory.id, [2, 3])))
    assert found(connection, among(Observatory.id, range(10))) == [4, 5]


@pytest.mark.parametrize("connection", ["sqlite"], indirect=True)
def test_rows_are_found_by_the_index(connection) -> None:
    """SQLite would read the whole table if the condition were compared with a number."""
    query = select(Observatory.id).where(among(Observatory.id, [1, 2]))
    plan = connection.exec_driver_sql(
        "EXPLAIN QUERY PLAN " + str(query.compile(connection)), ("[1, 2]",)
    )
    assert "SEARCH observatory USING INTEGER PRIMARY KEY" in str(plan.all())


def test_upsert_does_nothing_on_a_conflict_when_told_so(connection) -> None:
    """The row that is there stays."""
    new = upsert(connection, Observatory).values(id=1, name="new", latitude=1.0, longitude=1.0)
    connection.execute(new.on_conflict_do_nothing())
    assert connection.scalar(text("SELECT name FROM observatory WHERE id = 1")) == NAMES[0]


def attempt(number: int, **others) -> dict[str, object]:
    """Give an attempt at a unit, as the commit writes it."""
    return {
        "id": number,
        "unit_id": 1,
        "step_run_id": 1,
        "fence": number,
        "fingerprint": "f" * 64,
        "outcome": "done",
        "failure_class": None,
        "message": 'it\'s %(message)s, "100 %" {x} \\ Macón',
        "seconds": 0.25,
        "associations": None,
        "ended_at": datetime(2024, 11, 20, 23, tzinfo=timezone(timedelta(hours=-3))),
    } | others


def test_bulk_rows_are_as_sqlalchemy_writes_them(connection) -> None:
    """Times, JSON, NULL and characters that drivers take for their own, column by column."""
    tables = [Base.metadata.tables[name] for name in ("unit", "unit_run", "step_run")]
    Base.metadata.create_all(connection, tables)
    trigger = {"step": "A", "version": "1", "parameters": {}, "host": "h", "pid": 1}
    trigger |= {"process_key": "k", "software": {}, "outcome": "done"}
    times = {name: datetime.now(UTC) for name in ("started_at", "lease_until")}
    connection.execute(insert(StepRun), {"id": 1, **trigger, **times})
    units = [{"step": "A", "key": key, "row_ids": [1, 2], "fingerprint": "f" * 64} for key in "ab"]
    insert_rows(connection, Unit, [{"id": 1, **units[0]}])
    connection.execute(insert(Unit), [{"id": 2, **units[1]}])
    attempts = [attempt(1), attempt(2, associations=[{"role": "bias"}], message=None)]
    insert_rows(connection, UnitRun, attempts)
    connection.execute(insert(UnitRun), [{**row, "id": 2 + row["id"]} for row in attempts])
    for table, key in ((Unit, "key"), (UnitRun, "id")):
        names = [column.name for column in table.__table__.c if column.name not in ("id", key)]
        rows = connection.execute(select(*(table.__table__.c[name] for name in names))).all()
        half = len(rows) // 2
        assert rows[:half] == rows[half:]
        assert rows
    query = select(UnitRun.ended_at, UnitRun.associations).where(UnitRun.id == 2)
    moment = datetime(2024, 11, 21, 2, tzinfo=UTC)
    assert connection.execute(query).one() == (moment, [{"role": "bias"}])


def test_free_ids_are_those_that_rows_would_have(connection) -> None:
    """Rows inserted afterwards without one do not meet them."""
    names = [{"name": f"site {n}", "latitude": 0.0, "longitude": 0.0} for n in range(4)]
    connection.execute(delete(Observatory))
    mine = free_ids(connection, Observatory, 3)
    assert len(set(mine)) == 3
    rows = [{"id": number, **row} for number, row in zip(mine, names, strict=False)]
    insert_rows(connection, Observatory, rows)
    connection.execute(insert(Observatory), names[3:])
    assert len(set(connection.scalars(select(Observatory.id)))) == 4
    assert len(free_ids(connection, Observatory, 0)) == 0
