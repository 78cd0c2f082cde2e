"""Very many plain rows that belong to one: written in bulk, without an object for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from include.corral.errors import StepContractError
from models.base import Base
from models.statements import insert_rows

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Many:
    """Rows of one table, each of which names the same new row; a step yields it after that row.

    They become visible in the transaction of the unit, as any row does. They are no input of
    steps, have no ``id``, and are neither superseded nor withdrawn: the row they belong to is.

    Attributes
    ----------
    of
        The row they belong to, yielded by the same unit.
    model
        Their table.
    refers
        Its column that holds the ``id`` of `of`.
    values
        The other columns of each row, by name.

    Raises
    ------
    StepContractError
        If `model` could be the input of a step, which would not hear of these rows.
    """

    of: Base
    model: type[Base]
    refers: str
    values: Sequence[Mapping[str, Any]]

    def __post_init__(self) -> None:
        if "id" in inspect(self.model).columns:
            raise StepContractError(
                f"{self.model.__name__} has an id, so that steps may work on its rows: yield them "
                "one by one"
            )


def write_many(session: Session, groups: Iterable[Many]) -> dict[str, int]:
    """Insert rows of which the ones they belong to are written; give their number by table."""
    rows: dict[tuple[type[Base], tuple[str, ...]], list[dict[str, Any]]] = {}
    for group in groups:
        owner: Any = group.of
        named = {group.refers: owner.id}
        for values in group.values:
            rows.setdefault((group.model, tuple(values)), []).append({**values, **named})
    counts: dict[str, int] = {}
    for (model, _), some in rows.items():
        insert_rows(session, model, some)
        counts[model.__tablename__] = counts.get(model.__tablename__, 0) + len(some)
    return counts
