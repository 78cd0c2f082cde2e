"""Doing one unit: from its input to a result that can be committed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import instance_state

from include.corral.errors import (
    FailureClass,
    StepContractError,
    is_database_trouble,
    is_refused_write,
)
from include.corral.ledger import Stopwatch
from include.corral.many import Many
from include.corral.processor import Processor
from include.corral.result import Result
from include.corral.work import Task
from models.base import Base


def execute(processor: Processor, task: Task) -> Result:
    """Run the processor on one unit; files are published, rows wait for the commit.

    Any exception becomes a failed result: a bad unit ends itself and nothing else. What asks the
    whole process to end (an interrupt, an exit) goes through.
    """
    watch = Stopwatch()
    run = task.run
    result = Result(task.claim, 0.0, task.claim.fingerprint)
    try:
        if task.error is not None:
            raise task.error
        rows = _rows(processor, processor.process(task.input, run))
        _refuse_changes(processor, run.session)
        run.publish(rows)
        result.rows, result.fingerprint = rows, run.fingerprint
        result.message = "; ".join(run.remarks) or None
    except Exception as error:  # noqa: BLE001 - the one place where a unit's errors end
        _fail(result, processor, error)
        _clean(run.session, error)
    finally:
        run.drop_staged()
    if run.session.in_transaction() and not run.session.dirty:
        run.session.commit()  # nothing is written; nothing stays open during the next unit
    result.associations = run.considered()
    result.seconds = watch.seconds
    return result


def _fail(result: Result, processor: Processor, error: Exception) -> None:
    if is_refused_write(error):
        error = StepContractError(
            f"{processor.name} wrote through run.session, which is for looking things up. Nothing "
            "was written; rows are yielded."
        )
    try:
        failure_class = processor.classify(error)
    except Exception:  # noqa: BLE001 - the error that counts is the first one
        failure_class = FailureClass.BUG
    result.fail(error, failure_class)


def _clean(session: Session, error: Exception) -> None:
    """Let go of what the step has changed; rows of the other units stay as they were read."""
    # It tried to write, or its connection broke: it can do nothing more until this.
    if not session.is_active or is_database_trouble(error):
        session.rollback()
    for row in list(session.new):
        session.expunge(row)
    for row in list(session.deleted):
        session.add(row)  # not to be deleted after all
    for row in list(session.dirty):
        session.expire(row)


def _rows(processor: Processor, made: Any) -> list[Any]:
    if made is None:
        return []
    others = (Many, *processor.findings)
    is_one = isinstance(made, (Base, *others)) or not isinstance(made, Iterable)
    rows = [made] if is_one else list(made)
    for row in rows:
        if isinstance(row, others):
            continue
        if not isinstance(row, Base):
            raise StepContractError(
                f"{processor.name}.process gave {type(row).__name__}; expected rows of models "
                "derived from models.Base. The unit was not committed."
            )
        if not instance_state(row).transient:
            raise StepContractError(
                f"{processor.name}.process gave back {row!r}, which is in the database already. "
                "A step makes new rows; the stream goes forward only."
            )
    return rows


def _refuse_changes(processor: Processor, session: Session) -> None:
    if not session.identity_map.check_modified() and not session.deleted and not session.new:
        return
    changed = [row for row in session.dirty if _has_other_values(row)]
    if foreign := [*changed, *session.deleted, *session.new]:
        raise StepContractError(
            f"{processor.name} changed {foreign[0]!r} or put it into run.session. Nothing was "
            "written; a step yields new rows and leaves others as they are."
        )


def _has_other_values(row: Base) -> bool:
    """Tell whether a column differs; to be referred to by a new row is no change."""
    state = inspect(row)
    return any(
        state.attrs[column.key].history.has_changes() for column in state.mapper.column_attrs
    )
