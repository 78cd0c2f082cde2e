"""TOML tables bound to frozen dataclasses, strictly: a misspelt key is an error that names it."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, TypeVar

from include.ccd.errors import ProfileError

T = TypeVar("T")


def bind(cls: type[T], table: object, *, where: str) -> T:
    """An instance of a dataclass from a TOML table.

    Parameters
    ----------
    cls : type
        A dataclass whose annotations are plain types, unions with None, Literals, tuples,
        `dict[str, …]` and other dataclasses. One with a `from_shorthand` class method also
        accepts a value that is not a table.
    table : dict
        What the TOML parser gave.
    where : str
        File and table, for messages.

    Raises
    ------
    ProfileError
        Unknown or missing key, or a value of the wrong type: names the key and what is allowed.
    """
    if not isinstance(table, Mapping):
        raise ProfileError(f"{where} must be a table, not {table!r}")
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise ProfileError(f"{where} has an unknown key {key!r}; allowed: {', '.join(fields)}")
    hints = typing.get_type_hints(cls)
    values = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _convert(hints[name], table[name], f"{where} {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ProfileError(f"{where} lacks the key {name!r}")
    try:
        return cls(**values)
    except ValueError as error:
        raise ProfileError(f"{where}: {error}") from error


def _convert(kind: Any, value: object, where: str) -> object:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return _union(arguments, value, where)
    if origin is Literal:
        return _one_of(arguments, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ProfileError(f"{where} must be a list, not {value!r}")
        return tuple(_convert(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ProfileError(f"{where} must be a table, not {value!r}")
        return {key: _convert(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _nested(kind, value, where)
    return _plain(kind, value, where)


def _union(kinds: tuple[Any, ...], value: object, where: str) -> object:
    """TOML has no null: a union is its first member that accepts the value."""
    refusals = []
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _convert(kind, value, where)
        except ProfileError as error:
            refusals.append(error)
    raise refusals[0]


def _one_of(allowed: tuple[object, ...], value: object, where: str) -> object:
    if value not in allowed:
        raise ProfileError(f"{where} is {value!r}; allowed: {', '.join(map(repr, allowed))}")
    return value


def _nested(kind: Any, value: object, where: str) -> object:
    shorthand = getattr(kind, "from_shorthand", None)
    if shorthand is None or isinstance(value, Mapping):
        return bind(kind, value, where=where)
    try:
        return shorthand(value)
    except (TypeError, ValueError) as error:
        raise ProfileError(f"{where}: {error}") from error


def _plain(kind: type, value: object, where: str) -> object:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _real(value, where)
    wanted = (date,) if kind is date else (kind,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise ProfileError(f"{where} must be of type {kind.__name__}, not {value!r}")
    return value


def _real(value: float, where: str) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise ProfileError(f"{where} is larger than any number a computer knows") from error
    if math.isnan(number):
        raise ProfileError(f"{where} must be a number, not nan")
    return number
