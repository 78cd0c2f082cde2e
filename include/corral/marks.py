"""Marks: with which signature a step has looked at a partition, and which products matter there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from include.corral.step import Step, expression_of
from models.base import canonical_json
from models.statements import upsert
from models.work import Planned


def mark_signature(step: Step) -> str:
    """Hash of all that decides which rows are looked at and what is wanted of them.

    Conditions, grouping and the rules of association are no part of a result's fingerprint, as
    they show in its inputs; but when they change, every row must be looked at anew.
    """
    queue = [_text(clause) for clause in (*step.queue(), *step.ordering, *step.group_by)]
    uses = [repr(use) for use in step.uses]
    text = canonical_json([step.plan_signature, step.model.__tablename__, queue, uses])
    return hashlib.sha256(text.encode()).hexdigest()


def _text(clause: Any) -> list[Any]:
    compiled = expression_of(clause).compile()
    return [str(compiled), sorted((name, repr(v)) for name, v in compiled.params.items())]


def mark(session: Session, step: str, key: str, signature: str) -> None:
    """Say that every row of partition `key` has been noted for a look with this signature."""
    values = {"signature": signature, "uses_from": None, "uses_until": None}
    session.execute(
        upsert(session, Planned)
        .values(step=step, partition=key, **values)
        .on_conflict_do_update(index_elements=["step", "partition"], set_=values)
    )


def widen_marks(session: Session, step: Step, heads: Sequence[Any], reach_days: float) -> None:
    """Let marks say in which time a new product matters to the rows `heads`.

    Parameters
    ----------
    session
        The transaction in which the rows are looked at.
    step
        That has looked.
    heads
        First rows of units, with ``observed_at``.
    reach_days
        How far products were looked for.
    """
    times: dict[str, list[Any]] = {}
    for head in heads:
        if head.observed_at is not None:
            key = head.partition_key if step.is_partitioned() else ""
            times.setdefault(key, []).append(head.observed_at)
    reach = timedelta(days=reach_days)
    for key, moments in times.items():
        first, last = min(moments) - reach, max(moments) + reach
        for column, moment, is_wider in (
            (Planned.uses_from, first, Planned.uses_from > first),
            (Planned.uses_until, last, Planned.uses_until < last),
        ):
            session.execute(
                update(Planned)
                .where(Planned.step == step.name, Planned.partition == key)
                .where(or_(column.is_(None), is_wider))
                .values({column.key: moment})
                .execution_options(synchronize_session=False)
            )
