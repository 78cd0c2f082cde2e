"""Putting new rows into a transaction, as cheaply as what they hold allows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, Session

from models.base import Base


def add_rows(session: Session, rows: Iterable[Base]) -> None:
    """Add `rows`; in bulk where each stands for itself: a fifth of the time on SQLite.

    Rows that hold others as objects (``Product.inputs``) need the session's unit of work, which
    gives them each other's ids. All others are inserted at once, and are not told their ``id``;
    where that is needed, the session has some of them before.

    Parameters
    ----------
    session
        Writing.
    rows
        New ones, of any models.
    """
    by_model: dict[type[Base], list[Base]] = {}
    for row in rows:
        by_model.setdefault(type(row), []).append(row)
    if not session.new and all(
        _stand_alone(inspect(model), some) for model, some in by_model.items()
    ):
        for model in _parents_first(by_model):
            session.bulk_save_objects(by_model[model])
    else:
        for some in by_model.values():
            session.add_all(some)


def _stand_alone(mapper: Mapper[Any], rows: Sequence[Base]) -> bool:
    """Tell whether the session's unit of work would do nothing for `rows` but insert them."""
    if mapper.inherits is not None or mapper.dispatch.before_insert or mapper.dispatch.after_insert:
        return False
    ties = frozenset(mapper.relationships.keys())
    return all(ties.isdisjoint(vars(row)) for row in rows)


def _parents_first(models: Iterable[type[Base]]) -> list[type[Base]]:
    """Order models so that rows named by foreign keys are there before those that name them."""
    models = list(models)
    if len(models) < 2:  # one needs no order, and it takes a while
        return models
    order = {table: place for place, table in enumerate(Base.metadata.sorted_tables)}
    return sorted(models, key=lambda model: order[model.__table__])  # type: ignore[index]
