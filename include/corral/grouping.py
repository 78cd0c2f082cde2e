"""Groups: rows with equal values are one unit, wherever their members come from and go to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from include.corral.step import Step
from include.corral.wants import portions
from models.statements import among
from models.work import Unit, UnitRow

KEY_LENGTH = 400
# Groups asked for at once: SQLite takes expressions of a depth of 1,000.
GROUPS = 100


def groups_of(
    session: Session, step: Step, query: Select[Any], ids: Iterable[int]
) -> tuple[dict[str, list[Any]], set[str]]:
    """Find all groups that the rows `ids` are in, or were in when the ledger last looked.

    Parameters
    ----------
    session
        For reading.
    step
        With ``group_by``.
    query
        For all rows of the step.
    ids
        Rows that have changed, moved to another group, or gone.

    Returns
    -------
    groups
        Unit key to all members, in the step's ordering.
    touched
        Keys of all units concerned; those that are not among `groups` have no members.
    """
    ids = set(ids)
    touched = set()
    units = select(Unit.key, Unit.row_ids).where(
        Unit.step == step.name,
        Unit.id.in_(select(UnitRow.unit_id).where(among(UnitRow.row_id, ids))),
    )
    for row in session.execute(units).all():
        touched.add(row.key)
        ids |= set(row.row_ids)
    heads = _one_of_each(session, step, ids)
    groups: dict[str, list[Any]] = {}
    for few in portions(heads.values(), GROUPS):
        within = or_(*(_same_group(step, values) for values in few))
        for row in session.scalars(query.where(within)):
            groups.setdefault(group_key(step, row), []).append(row)
    return groups, touched | heads.keys()


def _one_of_each(session: Session, step: Step, ids: Iterable[int]) -> dict[str, list[Any]]:
    """Group keys and values of all rows that there are of `ids`, whatever their conditions."""
    model: Any = step.model
    columns = [model.id, *step.group_by]
    heads: dict[str, list[Any]] = {}
    for _id, *values in session.execute(select(*columns).where(among(model.id, ids))):
        heads.setdefault(_key(step, values), values)
    return heads


def group_key(step: Step, row: Any) -> str:
    """Name of the unit that `row` belongs to."""
    return _key(step, [getattr(row, column.key) for column in step.group_by])


def _key(step: Step, values: list[Any]) -> str:
    pairs = zip(step.group_by, values, strict=True)
    return short_key(", ".join(f"{column.key}={_plain(value)}" for column, value in pairs))


def _plain(value: Any) -> str:
    """Text of `value`; in quotes where without them it could be taken for something else."""
    ambiguous = isinstance(value, str) and re.search(r"""[,='"\\]|^None$|^$""", value)
    return repr(value) if ambiguous else str(value)


def short_key(text: str, limit: int = KEY_LENGTH) -> str:
    """Give `text` as every database keeps it: valid, not too long, and still one of its kind."""
    key = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    if key == text and len(key) <= limit:
        return key
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{key[: limit - 33]} {digest}"


def _same_group(step: Step, values: list[Any]) -> Any:
    pairs = zip(step.group_by, values, strict=True)
    # IS NOT DISTINCT FROM would be shorter, but PostgreSQL uses no index for it.
    return and_(
        *(column.is_(None) if value is None else column == value for column, value in pairs)
    )
