"""What a step may not do ends its unit, and nothing of it is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy import update as sql_update

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import FailureClass
from include.corral.settings import Settings
from include.corral.step import Step
from models import Frame, Product, ProductInput, Unit
from tests.include.corral.lab import (
    Blob,
    Calibrate,
    Pebble,
    Weigh,
    Weight,
    add_frames,
    add_pebbles,
    files,
    make_tables,
)


def snapshot(corral: Corral) -> list[Any]:
    with corral.read() as session:
        return [tuple(row) for row in session.execute(select(Pebble.__table__))]


def mutates(pebble: Pebble, run: Any) -> Any:
    pebble.value = 99
    yield Weight(pebble_id=pebble.id, grams=1.0)


def mutates_a_neighbour(pebble: Pebble, run: Any) -> Any:
    other = run.session.scalars(select(Pebble).where(Pebble.id != pebble.id)).first()
    other.colour = "dyed"
    yield Weight(pebble_id=pebble.id, grams=1.0)


def yields_no_row(pebble: Pebble, run: Any) -> Any:
    yield Weight(pebble_id=pebble.id, grams=1.0)
    yield "a string"


def returns_a_number(pebble: Pebble, run: Any) -> Any:
    return 42


def yields_its_input(pebble: Pebble, run: Any) -> Any:
    yield pebble


def adds_to_the_session(pebble: Pebble, run: Any) -> Any:
    run.session.add(Weight(pebble_id=pebble.id, grams=1.0, unit_id=1, unit_run_id=1))
    return []


def deletes(pebble: Pebble, run: Any) -> Any:
    run.session.delete(pebble)
    return []


def updates_by_statement(pebble: Pebble, run: Any) -> Any:
    run.session.execute(sql_update(Pebble).values(value=99))
    run.session.commit()
    return []


def updates_by_text(pebble: Pebble, run: Any) -> Any:
    run.session.execute(text("UPDATE lab_pebble SET value = 99"))
    run.session.commit()
    return []


def commits_a_change(pebble: Pebble, run: Any) -> Any:
    pebble.value = 99
    run.session.commit()
    return []


@pytest.mark.parametrize(
    "wrong",
    [
        mutates,
        mutates_a_neighbour,
        yields_no_row,
        returns_a_number,
        yields_its_input,
        adds_to_the_session,
        deletes,
        updates_by_statement,
        updates_by_text,
        commits_a_change,
    ],
)
def test_breach_of_the_contract_is_a_bug_of_its_unit(lab: Corral, wrong: Callable) -> None:
    """One of twenty pebbles meets code that does what none may; the others are weighed."""

    class Wrong(Weigh):
        name = "Weigh"

        def process(self, work: Pebble, run: Any) -> Any:
            return wrong(work, run) if work.value == 13 else super().process(work, run)

    ids = add_pebbles(lab, range(20))
    before = snapshot(lab)
    report = drain(lab, Wrong())
    assert (report.done, report.failed) == (19, 1)
    (failure,) = report.failures
    assert failure.unit_key == str(ids[13])
    assert failure.failure_class is FailureClass.BUG
    assert failure.message.startswith("StepContractError: Weigh"), failure.message
    assert snapshot(lab) == before
    with lab.read() as session:
        assert set(session.scalars(select(Weight.pebble_id))) == set(ids) - {ids[13]}
    assert drain(lab, Weigh(), retry_failed=True).done == 1


def test_new_row_may_refer_to_the_input(lab: Corral) -> None:
    """A relationship set on the new row is no change of the old one, though it shows there."""

    class Related(Step):
        model = Pebble

        def process(self, work: Pebble, run: Any) -> Any:
            yield Weight(pebble=work, grams=float(work.value))

    ids = add_pebbles(lab, range(20))
    assert drain(lab, Related()).done == 20
    with lab.read() as session:
        assert sorted(session.scalars(select(Weight.pebble_id))) == ids


def test_failed_unit_costs_the_others_of_its_batch_no_query(lab: Corral) -> None:
    """The rows that were read for a batch stay read, whatever one unit does."""
    add_pebbles(lab, range(200))
    bad = {str(number): "bug" for number in range(0, 200, 2)}
    statements = []
    event.listen(lab.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    report = drain(lab, Weigh(poison=bad))
    assert (report.done, report.failed) == (100, 100)
    assert sum("FROM lab_pebble" in statement for statement in statements) < 20


@pytest.mark.postgres
def test_connection_that_breaks_in_a_unit_fails_that_unit_alone(
    postgres_url: str, tmp_path: Path
) -> None:
    """It may pass by itself; the units after it have a connection again."""
    lab = Corral(Settings.below(tmp_path, database_url=postgres_url))
    make_tables(lab)
    add_pebbles(lab, range(3))

    class Unlucky(Step):
        """Every pebble is weighed, and at one of them the connection breaks."""

        model = Pebble

        def process(self, work: Pebble, run: Any) -> Any:
            mine = run.session.scalar(select(func.pg_backend_pid()))
            if work.value == 1:
                with lab.read() as session:
                    session.execute(select(func.pg_terminate_backend(mine)))
                run.session.scalar(select(func.count()).select_from(Pebble))
            yield Weight(pebble_id=work.id, grams=1.0)

    report = drain(lab, Unlucky())
    lab.close()
    (failure,) = report.failures
    assert (report.done, failure.failure_class) == (2, FailureClass.RETRY)


def test_no_transaction_is_open_while_the_next_unit_is_computed(lab: Corral) -> None:
    """A look at the database in one unit does not keep a snapshot for all that follow."""
    open_: list[bool] = []

    class Looking(Weigh):
        def process(self, work: Pebble, run: Any) -> Any:
            open_.append(run.session.in_transaction())
            run.session.scalar(select(func.count()).select_from(Pebble))
            yield from super().process(work, run)

    add_pebbles(lab, range(20))
    drain(lab, Looking(poison={"3": "bug", "11": "bad_data"}))
    assert open_ == [False] * 20


def test_nothing_is_one_of_the_things_a_step_may_make(lab: Corral) -> None:
    """A filter lets nothing through, and its unit is done."""

    class Filter(Step):
        model = Pebble

        def process(self, work: Pebble, run: Any) -> None:
            return None

    add_pebbles(lab, range(3))
    assert drain(lab, Filter()).done == 3


def test_product_that_is_not_yielded_is_not_published(lab: Corral) -> None:
    """A file that a step has made and does not give is not kept."""

    class Careless(Step):
        model = Frame

        def process(self, work: Frame, run: Any) -> Any:
            run.product("lost", Blob("lost"), inputs={"f": work}, like=work)
            yield run.product("kept", Blob("kept"), inputs={"f": work}, like=work)

    add_frames(lab, ["x"])
    assert drain(lab, Careless()).done == 1
    with lab.read() as session:
        assert list(files(lab)) == session.scalars(select(Product.path)).all()
        assert session.scalar(select(func.count()).select_from(ProductInput)) == 1


def test_failure_and_interrupt_leave_nothing_in_staging(lab: Corral) -> None:
    """What was staged for a result that will not be is removed at once."""

    class Failing(Calibrate):
        def process(self, work: Frame, run: Any) -> Any:
            yield from super().process(work, run)
            raise KeyboardInterrupt if work.path.endswith("z.txt") else ValueError("late")

    add_frames(lab, ["x"])
    assert drain(lab, Failing()).failed == 1
    add_frames(lab, ["z"])
    with pytest.raises(KeyboardInterrupt):
        drain(lab, Failing())
    assert files(lab) == {}


def test_number_that_is_none_is_kept_as_none(lab: Corral) -> None:
    """A metric that could not be measured is the same on both databases."""

    class Blind(Step):
        model = Frame

        def process(self, work: Frame, run: Any) -> Any:
            metrics = {"fwhm_px": float("nan"), "peak": float("inf"), "count": 3}
            yield run.product("blind", Blob(""), inputs={"f": work}, like=work, metrics=metrics)

    add_frames(lab, ["x"])
    assert drain(lab, Blind()).done == 1
    with lab.read() as session:
        metrics = session.scalars(select(Product.metrics)).one()
    assert metrics == {"fwhm_px": None, "peak": None, "count": 3.0}


def test_products_are_asked_for_with_the_first_row_only(lab: Corral) -> None:
    """What is used for another row would not be in the fingerprint."""

    class Astray(Calibrate):
        group_by = (Frame.night_id,)

        def process(self, work: Any, run: Any) -> Any:
            run.associate(work[1])

    add_frames(lab, ["x", "y"])
    report = drain(lab, Astray())
    assert report.failures[0].message.startswith("StepContractError: Astray asked for products")


def test_step_of_a_condition_on_another_table_is_refused_when_it_is_written() -> None:
    """Changes there would never be heard of."""
    from include.corral.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"names lab_weight.grams"):

        class Deaf(Step):
            model = Pebble
            conditions = (Weight.grams > 3,)

            def process(self, work: Any, run: Any) -> None:
                return None


def test_parameters_that_are_no_json_are_refused() -> None:
    """They could not be recorded, nor compared."""
    from include.corral.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="parameters of Weigh"):
        Weigh(poison={"1": object()})
    with pytest.raises(ConfigurationError, match="no parameter colour; it has: factor"):
        Weigh(colour="red")


def test_unit_is_recorded_when_its_text_cannot_be_stored_as_it_is(lab: Corral) -> None:
    """NUL bytes and half characters of an error are replaced: the failure itself is kept."""

    class Odd(Weigh):
        def process(self, work: Pebble, run: Any) -> Any:
            raise ValueError("header says \0 and \udcff\nsecond line")

    add_pebbles(lab, [1])
    report = drain(lab, Odd())
    assert report.failures[0].message == "ValueError: header says ? and ?"
    with lab.read() as session:
        assert session.scalars(select(Unit.status)).one() == "failed"


def test_others_can_write_while_a_unit_is_computed(lab: Corral) -> None:
    """No lock is held during the work, whatever the step has looked up before."""

    class Working(Weigh):
        def process(self, work: Pebble, run: Any) -> Any:
            run.session.scalar(select(func.count()).select_from(Pebble))
            other = Corral(lab.settings)
            with other.engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
                else:
                    connection.exec_driver_sql("SET lock_timeout = '10ms'")
                connection.commit()
                connection.execute(text("UPDATE lab_pebble SET colour = 'red'"))
                connection.commit()
            other.close()
            yield from super().process(work, run)

    add_pebbles(lab, [1])
    assert drain(lab, Working()).failed == 0
