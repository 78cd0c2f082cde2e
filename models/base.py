"""The declarative base, its naming convention, and what every row can say of itself."""

from __future__ import annotations

import gc
import json
from datetime import datetime
from functools import cache
from typing import Any, ClassVar

import msgspec
from sqlalchemy import MetaData, inspect
from sqlalchemy.orm import DeclarativeBase

from models.columns import Json, UtcDateTime

# What SQLAlchemy has made by now stays. To search it for garbage again and again while the models
# are made would take a tenth of the start of a process.
gc.freeze()

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
        known = self.__dict__  # not by way of the attributes: it is done for every unit
        keys = _column_keys(type(self))
        return canonical_json(
            {key: known[key] if key in known else getattr(self, key) for key in keys}
        )

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
        Anything of JSON's types, dates, times, bytes, and sets of one type.

    Returns
    -------
    str
        The same text for equal values on every machine.

    Raises
    ------
    TypeError
        If `value` holds something that has no stable text.
    """
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError:  # the name of a file, of bytes that are no text
        return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, float):  # NumPy's
        return float(value)
    raise TypeError(f"{value!r} ({type(value).__name__}) has no canonical JSON")


# Not the standard library's: a step encodes several texts for each unit.
_ENCODER = msgspec.json.Encoder(enc_hook=_plain, order="deterministic")
