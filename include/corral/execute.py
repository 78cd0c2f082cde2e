"""Doing one unit: from its input to a result that can be committed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import inspect

from include.corral.commit import Result
from include.corral.errors import StepContractError
from include.corral.ledger import Stopwatch
from include.corral.processor import Processor
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
        result.rows = _rows(processor, processor.process(task.input, run))
        _refuse_changed_input(processor, task)
        for staged in run.staged:
            run.corral.store.publish(staged)
        result.fingerprint = run.fingerprint
    except Exception as error:  # noqa: BLE001 - the one place where a unit's errors end
        result.fail(error, processor.classify(error))
        run.drop_staged()
        run.session.rollback()
    result.associations = [found.as_json() for found in run.found] or None
    result.seconds = watch.seconds
    return result


def _rows(processor: Processor, made: Any) -> list[Base]:
    if made is None:
        return []
    rows = (
        [made] if isinstance(made, Base) else list(made) if isinstance(made, Iterable) else [made]
    )
    for row in rows:
        if not isinstance(row, Base):
            raise StepContractError(
                f"{processor.name}.process gave {type(row).__name__}; expected rows of models "
                "derived from models.Base. The unit was not committed."
            )
        if not inspect(row).transient:
            raise StepContractError(
                f"{processor.name}.process gave back {row!r}, which is in the database already. "
                "A step makes new rows; the stream goes forward only."
            )
    return rows


def _refuse_changed_input(processor: Processor, task: Task) -> None:
    session = task.run.session
    changed = [row for row in session.dirty if session.is_modified(row)]
    if changed or session.deleted:
        raise StepContractError(
            f"{processor.name} changed {(changed or list(session.deleted))[0]!r}, which is not its "
            "own. Nothing was written; a step makes new rows instead."
        )
