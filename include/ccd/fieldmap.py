"""How a logical value is found in a header: keywords, constants, maps, rules. Data, not code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from include.ccd.converters import CONVERTERS, number
from include.ccd.errors import BadHeader
from include.ccd.fits_cards import Cards, Value
from include.ccd.patterns import LONGEST_MATCHED, compiled

Converter = Literal[
    "text",
    "number",
    "integer",
    "kelvin",
    "degrees",
    "hours",
    "west_degrees",
    "duration_s",
    "reciprocal",
]
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
    scale, offset : float
        A number becomes scale × number + offset: milliseconds are 0.001 s.
    """

    keywords: tuple[str, ...] = ()
    constant: float | str | None = None
    convert: Converter = "text"
    map: dict[str, str] | None = None
    pattern: str | None = None
    missing: tuple[float | str, ...] = ()
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not self.keywords and self.constant is None:
            raise ValueError("needs keywords or a constant")
        if self.pattern is not None and compiled(self.pattern).groups != 1:
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
            if not self._is_missing(value):
                return self._understand(keyword, value, cards)
        return self.constant

    def agrees(self, cards: Cards) -> bool:
        """Whether all synonyms that are present say the same."""
        if sum(keyword in cards for keyword in self.keywords) < 2:
            return True
        try:
            stated = {word: cards.get(word) for word in self.keywords}
            found = {
                self._understand(word, value, cards)
                for word, value in stated.items()
                if not self._is_missing(value)
            }
        except BadHeader:
            return False
        return len(found) < 2

    def _is_missing(self, value: Value) -> bool:
        return value is None or value in self.missing or not str(value).strip()

    def _understand(self, keyword: str, value: Value, cards: Cards) -> str | float:
        if self.pattern is not None:
            match = compiled(self.pattern).search(str(value)[:LONGEST_MATCHED])
            if match is None:
                raise BadHeader("unreadable_value", f"{keyword} is {value!r:.40}: no such pattern")
            value = match[1]
        if cards.comma and isinstance(value, str) and self.convert != "text":
            value = value.replace(",", ".")
        try:
            found = CONVERTERS[self.convert](value)
        except ValueError as error:
            raise BadHeader("unreadable_value", f"{keyword}: {error}") from error
        if isinstance(found, str):
            return self.map.get(found, found) if self.map else found
        return self.scale * found + self.offset if self._is_scaled else found

    @property
    def _is_scaled(self) -> bool:
        return self.scale != 1 or self.offset != 0


@dataclass(frozen=True, slots=True)
class Condition:
    """What the value of a keyword must be; several wishes must all hold.

    Attributes
    ----------
    matches : str or None
        Regular expression for the whole text; case does not matter.
    equals, above, below : float or None
        Numeric comparisons; a value that is not a number fulfils none.
    present : bool or None
        Whether the keyword must be there; False holds when it is absent or has no value.
    """

    matches: str | None = None
    equals: float | None = None
    above: float | None = None
    below: float | None = None
    present: bool | None = None

    def __post_init__(self) -> None:
        if self.matches is not None:
            compiled(self.matches)

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
        if value is None or self.present is False:
            return value is None and self.present is False
        if self.matches is not None:
            text = str(value).strip()[:LONGEST_MATCHED]
            if compiled(self.matches).fullmatch(text) is None:
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
