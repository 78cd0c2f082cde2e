from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Self

import pytest

from include.ccd.errors import ProfileError
from include.ccd.toml_tables import bind


@dataclass(frozen=True)
class Inner:
    size: int

    @classmethod
    def from_shorthand(cls, value: object) -> Self:
        if not isinstance(value, int):
            raise TypeError("a size is a whole number")
        return cls(value)


@dataclass(frozen=True)
class Outer:
    name: str
    ratio: float = 1.0
    mode: Literal["fast", "slow"] = "fast"
    maybe: int | None = None
    either: float | str = ""
    day: date = date(2000, 1, 1)
    inner: Inner | None = None
    several: tuple[Inner, ...] = ()
    by_name: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ratio < 0:
            raise ValueError("ratio must not be negative")


def test_a_table_becomes_a_dataclass_with_all_that_it_nests() -> None:
    """Types follow the annotations, shorthands are understood, what is absent is the default."""
    found = bind(
        Outer,
        {
            "name": "x",
            "ratio": 2,
            "mode": "slow",
            "either": "text",
            "day": date(2024, 3, 5),
            "inner": 7,
            "several": [{"size": 1}, 2],
            "by_name": {"a": 1},
        },
        where="here",
    )

    assert found == Outer(
        "x", 2.0, "slow", None, "text", date(2024, 3, 5), Inner(7), (Inner(1), Inner(2)), {"a": 1.0}
    )
    assert type(found.ratio) is float


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "here lacks the key 'name'"),
        ({"name": "x", "rato": 1}, "here has an unknown key 'rato'; allowed: name, ratio, mode"),
        ({"name": 1}, "here name must be of type str, not 1"),
        ({"name": "x", "ratio": "2"}, "here ratio must be of type float"),
        ({"name": "x", "ratio": True}, "here ratio must be of type float, not True"),
        ({"name": "x", "maybe": True}, "here maybe must be of type int, not True"),
        ({"name": "x", "mode": "faster"}, "here mode is 'faster'; allowed: 'fast', 'slow'"),
        ({"name": "x", "ratio": -1.0}, "here: ratio must not be negative"),
        ({"name": "x", "inner": "big"}, "here inner: a size is a whole number"),
        ({"name": "x", "several": {"size": 1}}, "here several must be a list"),
        ({"name": "x", "several": [{"size": "1"}]}, r"here several\[0\] size must be of type int"),
        ({"name": "x", "by_name": [1]}, "here by_name must be a table"),
        ({"name": "x", "by_name": {"a": "b"}}, "here by_name.a must be of type float"),
        ([], "here must be a table"),
    ],
)
def test_an_error_names_the_place_the_key_and_what_is_allowed(table: Any, message: str) -> None:
    """A profile is mended from the message alone."""
    with pytest.raises(ProfileError, match=message):
        bind(Outer, table, where="here")
