"""A newer result of a unit takes the place of the older one, which stays on record."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from include.corral.result import Result
from include.corral.wants import derived_models
from models.product import Product
from models.statements import among


def supersede(session: Session, results: Sequence[Result], run_ids: Collection[int]) -> None:
    """Take currency from what earlier attempts at these units had made.

    Parameters
    ----------
    session
        The transaction in which the new results are committed.
    results
        Of units that are ours.
    run_ids
        Ids of the attempts that made them.
    """
    # The first claim of a unit has nothing to supersede.
    again = [r.claim.unit_id for r in results if r.claim.fence > 1 and not r.failure_class]
    if not again:
        return
    for model in derived_models(session):
        old = model.__table__.c
        stale = (among(old.unit_id, again), old.current, ~among(old.unit_run_id, run_ids))
        if model is Product:
            _name_successors(session, stale, run_ids)
        session.execute(
            update(model)
            .where(*stale)
            .values(current=False)
            .execution_options(synchronize_session=False)
        )


def _name_successors(session: Session, stale: Sequence[Any], run_ids: Collection[int]) -> None:
    table: Any = Product.__table__
    columns = select(table.c.id, table.c.unit_id, table.c.kind, table.c.path)
    by_name: dict[Any, list[int]] = {}
    by_kind: dict[Any, list[int]] = {}
    for row in session.execute(columns.where(among(table.c.unit_run_id, run_ids))):
        by_name.setdefault((row.unit_id, _name(row.path)), []).append(row.id)
        by_kind.setdefault((row.unit_id, row.kind), []).append(row.id)
    for row in session.execute(columns.where(*stale)).all():
        named = by_name.get((row.unit_id, _name(row.path)), [])
        successors = named or by_kind.get((row.unit_id, row.kind), [])
        if len(successors) == 1:  # else it has none, or it cannot be told which
            session.execute(
                update(table).where(table.c.id == row.id).values(superseded_by_id=successors[0])
            )


def _name(path: str) -> str:
    """Path without the hash that the store has added."""
    return path.rpartition("-")[0]
