"""How a logical value is found in a header: keywords, constants, maps, rules. Data, not code."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from include.ccd.converters import CONVERTERS, instant, number
from include.ccd.errors import BadHeader
from include.ccd.fits_cards import Cards, Value

Converter = Literal["text", "number", "integer", "kelvin", "degrees", "hours", "west_degrees"]
Kind = Literal["bias", "dark", "flat", "science", "unknown"]


@dataclass(frozen=True, slots=True)
class Field:
    """Where one logical value comes from.

    Attributes
    ----------
    keywords : tuple of str
        Synonyms: the first that is present and not blank is taken.
    constant : str, float or None
        The value, when the camera does not write it. Used when no keyword is present.
    convert : str
        One of `converters.CONVERTERS`: what the header's text means.
    map : dict
        Header text to logical text, such as '6 0' to 'V'; text that is not listed stays.
    pattern : str or None
        Regular expression with one group: the part of the text that is the value.
    missing : tuple
        Values that mean "no data", such as -1.
    """

    keywords: tuple[str, ...] = ()
    constant: float | str | None = None
    convert: Converter = "text"
    map: dict[str, str] | None = None
    pattern: str | None = None
    missing: tuple[float | str, ...] = ()

    def __post_init__(self) -> None:
        if not self.keywords and self.constant is None:
            raise ValueError("needs keywords or a constant")
        if self.pattern is not None and _compiled(self.pattern).groups != 1:
            raise ValueError(f"pattern must have exactly one group: {self.pattern!r}")

    def find(self, cards: Cards) -> str | float | None:
        """The logical value, or None when the header does not tell.

        Raises
        ------
        BadHeader
            A keyword is there and its value makes no sense.
        """
        for keyword in self.keywords:
            value = cards.get(keyword)
            if value is None or value in self.missing or not str(value).strip():
                continue
            return self._understand(keyword, value)
        return self.constant

    def _understand(self, keyword: str, value: Value) -> str | float:
        if self.pattern is not None:
            match = _compiled(self.pattern).search(str(value))
            if match is None:
                raise BadHeader("unreadable_value", f"{keyword} is {value!r:.40}: no such pattern")
            value = match[1]
        try:
            found = CONVERTERS[self.convert](value)
        except ValueError as error:
            raise BadHeader("unreadable_value", f"{keyword}: {error}") from error
        return self.map.get(found, found) if self.map and isinstance(found, str) else found


@dataclass(frozen=True, slots=True)
class TimeSource:
    """One way in which a camera tells when the exposure began.

    Attributes
    ----------
    keywords : tuple of str
        All must be present; their texts are joined by a space.
    format : str
        'iso', 'jd', 'mjd' or a `strptime` pattern.
    utc_offset_hours : float
        Offset of a clock that does not state its own.
    """

    keywords: tuple[str, ...]
    format: str = "iso"
    utc_offset_hours: float = 0.0

    def __post_init__(self) -> None:
        if not self.keywords:
            raise ValueError("needs keywords")
        if "DATE" in self.keywords:
            raise ValueError("DATE is when the file was written, never when the sky was seen")

    def find(self, cards: Cards) -> datetime | None:
        """Aware UTC instant, or None when a keyword is absent.

        Raises
        ------
        BadHeader
            The keywords are there and their text is not an instant.
        """
        parts = [cards.get(keyword) for keyword in self.keywords]
        if any(part is None or not str(part).strip() for part in parts):
            return None
        try:
            return instant(parts, self.format, utc_offset_hours=self.utc_offset_hours)
        except ValueError as error:
            raise BadHeader("unreadable_time", f"{' + '.join(self.keywords)}: {error}") from error


@dataclass(frozen=True, slots=True)
class Condition:
    """What the value of a keyword must be; several wishes must all hold.

    Attributes
    ----------
    matches : str or None
        Regular expression for the whole text; case does not matter.
    equals, above, below : float or None
        Numeric comparisons; a value that is not a number fulfils none.
    """

    matches: str | None = None
    equals: float | None = None
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        if self.matches is not None:
            _compiled(self.matches)

    @classmethod
    def from_shorthand(cls, value: object) -> Self:
        """A text is a pattern, a number is a number."""
        if isinstance(value, str):
            return cls(matches=value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return cls(equals=float(value))
        raise ValueError(f"expected a pattern or a number, found {value!r}")

    def holds(self, value: Value) -> bool:
        """Whether a header value fulfils every wish; an absent value fulfils none."""
        if value is None:
            return False
        if self.matches is not None:
            text = str(value).strip()
            if _compiled(self.matches).fullmatch(text) is None:
                return False
        if self.equals is self.above is self.below is None:
            return True
        try:
            size = number(value)
        except ValueError:
            return False
        return (
            (self.equals is None or size == self.equals)
            and (self.above is None or size > self.above)
            and (self.below is None or size < self.below)
        )


@dataclass(frozen=True, slots=True)
class KindRule:
    """A kind of frame and what the header says of it; without conditions it always holds."""

    kind: Kind
    when: dict[str, Condition] | None = None

    def holds(self, cards: Cards) -> bool:
        """Whether every condition holds.

        Raises
        ------
        BadHeader
            A keyword that decides the kind is unreadable or contradicts itself.
        """
        return all(want.holds(cards.get(word)) for word, want in (self.when or {}).items())


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
