"""States are defined in prose, and found by their index."""

from __future__ import annotations

import ast
import inspect
from enum import StrEnum

import pytest
from sqlalchemy import select, text

from include.corral.corral import Corral
from include.corral.errors import FailureClass
from include.corral.report import FailurePolicy
from models import AttemptOutcome, DeliveryStatus, Outcome, StepRun, Unit, UnitStatus


@pytest.mark.parametrize(
    "enum", [UnitStatus, Outcome, DeliveryStatus, AttemptOutcome, FailureClass, FailurePolicy]
)
def test_every_state_says_what_holds_when_it_does(enum: type[StrEnum]) -> None:
    """A sentence follows each member in the source."""
    (definition,) = ast.parse(inspect.getsource(enum)).body
    said: dict[str, str] = {}
    for member, after in zip(definition.body, [*definition.body[1:], None], strict=True):
        if isinstance(member, ast.Assign):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            said[member.targets[0].id] = after.value.value if is_text else ""
    assert said.keys() == enum.__members__.keys()
    assert all(len(sentence) > 20 and sentence.endswith(".") for sentence in said.values())


@pytest.mark.parametrize("status", [UnitStatus.OPEN, UnitStatus.CLAIMED, UnitStatus.FAILED])
def test_units_of_a_status_are_found_by_its_index(corral: Corral, status) -> None:
    """The queue reads what is open, not all that was ever done."""
    query = select(Unit.id).where(Unit.step == "s", Unit.is_(status))
    assert f"ix_unit_{status}" in plan(corral, query)


def test_running_triggers_are_found_by_their_index(corral: Corral) -> None:
    """Those that died are looked for at every trigger."""
    query = select(StepRun.id).where(StepRun.step == "s", StepRun.is_running())
    assert "ix_step_run_running" in plan(corral, query)


def plan(corral: Corral, query) -> str:
    """The database's plan, made without knowledge of the parameters."""
    with corral.write() as session:
        connection = session.connection()
        if connection.dialect.name == "sqlite":
            compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
            rows = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {compiled}", tuple(compiled.params.values())
            )
            return " ".join(row[3] for row in rows)
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
        sql = str(compiled).replace("%(step_1)s::VARCHAR", "$1")
        connection.exec_driver_sql(f"PREPARE look(varchar) AS {sql}")
        rows = connection.exec_driver_sql("EXPLAIN EXECUTE look('s')").all()
        connection.exec_driver_sql("DEALLOCATE look")
        return " ".join(row[0] for row in rows)
