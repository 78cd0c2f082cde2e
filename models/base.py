"""The declarative base, its naming convention, and what every row can say of itself."""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import MetaData, inspect
from sqlalchemy.orm import DeclarativeBase

from models.columns import Json, UtcDateTime

# Constraints have names, so that a migration can alter or drop them on every database.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of a pipeline, TORITOS's and yours.

    A class that is to feed a Step needs one integer primary key called ``id``.
    """

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: Json,
        list[Any]: Json,
    }

    def content(self) -> str:
        """Text that changes exactly when this row, as input of a step, changes.

        A step's fingerprint is made from it: a row whose content changes makes what was derived
        from it stale. By default it is every column.

        Returns
        -------
        str
            Canonical JSON of the columns.
        """
        return canonical_json({key: getattr(self, key) for key in _column_keys(type(self))})

    def __repr__(self) -> str:
        identity = inspect(self).identity
        key = ", ".join(str(part) for part in identity) if identity else "transient"
        return f"<{type(self).__name__} {key}>"


@cache
def _column_keys(model: type[Base]) -> tuple[str, ...]:
    """Names of the attributes of `model` that are columns, deferred ones left out."""
    attributes = inspect(model).column_attrs
    return tuple(attribute.key for attribute in attributes if not attribute.deferred)


def canonical_json(value: Any) -> str:
    """Give the one JSON text of `value`: sorted keys, no spaces, times in ISO 8601.

    Parameters
    ----------
    value
        Anything of JSON's types, dates, times and bytes.

    Returns
    -------
    str
        The same text for equal values on every machine.

    Raises
    ------
    TypeError
        If `value` holds something that has no stable text.
    """
    return _CANONICAL.encode(value)


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{value!r} ({type(value).__name__}) has no canonical JSON")


# Made once: the encoder costs more than what it encodes.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain)
