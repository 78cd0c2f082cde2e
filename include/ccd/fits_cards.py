"""The cards of a FITS header, indexed at once and understood only when asked for.

A raw header is untrusted text: nothing here evaluates it, and a card that makes no sense
is an error of that card alone. Reading 150 cards costs a tenth of a millisecond.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator

from include.ccd.errors import BadHeader

Value = str | int | float | bool | None

CARD = 80
BLOCK = 2880
TEXT_LIMIT = 200
MAX_CONTINUED = 100

PRINTABLE = bytes(range(32, 127))
_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}")
_STRING = re.compile(r" *'((?:[^']|'')*)' *(?:/(.*))?", re.DOTALL)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"([+-]?\d+),(\d+)", re.ASCII)
_COMPLEX = r"\([^()/']*\)"
# what a card may hold: text, T or F, a number, a complex number, nothing; then a comment
_WELL_FORMED = re.compile(
    rf" *(?:'(?:[^']|'')*'|[TF]|{_REAL.pattern}|{_COMPLEX}|) *(?:/.*)?", re.ASCII | re.DOTALL
)
_COMMENTARY = frozenset({"COMMENT", "HISTORY", ""})
_WITHOUT_VALUE = _COMMENTARY | {"CONTINUE", "END"}


def clean_text(text: str, *, limit: int = TEXT_LIMIT) -> str:
    """Printable text, stripped and bounded: safe in a row, a log line or a page.

    Parameters
    ----------
    text : str
        As it came from the header, one character per byte.
    limit : int
        Longest result in characters.

    Returns
    -------
    str
        UTF-8 is recognised; control characters become '?'.
    """
    if not text.isascii():
        with contextlib.suppress(UnicodeError):
            text = text.encode("latin-1").decode("utf-8")
    text = text.strip()[:limit]
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


def is_end(card: str) -> bool:
    """Whether a card ends its header: END and nothing else, in one place for all who ask."""
    return card.rstrip(" \0") == "END"


class Cards:
    """Keyword lookup in one header.

    Parameters
    ----------
    raw : bytes
        Header blocks; what stands after END is not read.
    """

    __slots__ = ("_continued", "_fallback", "_first", "_odd", "_raw", "_repeated", "comma")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._fallback: Cards | None = None
        self._first: dict[str, str] = {}
        self._repeated: dict[str, list[str]] = {}
        self._continued: dict[str, list[str]] = {}
        self._odd = False
        self.comma = False
        self._index(raw.decode("latin-1"))

    @classmethod
    def of(cls, header: object) -> Cards:
        """Cards of header blocks, or of anything whose `tostring()` gives them (astropy).

        Blocks of a primary header may be followed by those of an extension: the extension's
        cards count, the primary's are what it falls back on.
        """
        if isinstance(header, Cards):
            return header
        if not isinstance(header, bytes):
            header = header.tostring().encode("latin-1")  # type: ignore[attr-defined]
            assert isinstance(header, bytes)
        first = cls(header)
        rest = header[-(-(len(first._raw) + CARD) // BLOCK) * BLOCK :]
        return cls(rest).backed_by(first) if rest else first

    def backed_by(self, fallback: Cards | None) -> Cards:
        """The same cards, and another header for what they lack: an extension's primary one."""
        other = copy.copy(self)
        other._fallback = fallback
        return other

    def with_decimal_comma(self) -> Cards:
        """The same cards, read as by a camera that writes 60,5 and means 60.5."""
        other = copy.copy(self)
        other.comma = True
        if self._fallback is not None:
            other._fallback = self._fallback.with_decimal_comma()
        return other

    def _index(self, text: str) -> None:
        last: str | None = None
        for start in range(0, len(text), CARD):
            card = text[start : start + CARD]
            keyword = card[:8].rstrip(" ")
            if card[8:10] == "= " and keyword not in _WITHOUT_VALUE:
                last = self._remember(keyword, card[10:])
            elif is_end(card):
                self._raw = self._raw[:start]
                break
            elif keyword == "CONTINUE" and card[8:10] != "= " and last is not None:
                self._continued.setdefault(last, []).append(card[8:])
            elif keyword == "HIERARCH" and "=" in card:
                name, _, value = card[8:].partition("=")
                last = self._remember(name.strip(" "), value, hierarch=True)
            elif keyword not in _COMMENTARY:
                self._odd = True

    def _remember(self, keyword: str, value: str, *, hierarch: bool = False) -> str | None:
        if not hierarch and _KEYWORD.fullmatch(keyword) is None:
            self._odd = True
            keyword = keyword.upper()
        if keyword in self._first:
            if value != self._first[keyword]:
                self._repeated.setdefault(keyword, []).append(value)
            return None
        self._first[keyword] = value
        return keyword

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._first or (self._fallback is not None and keyword in self._fallback)

    def states(self, keyword: str) -> bool:
        """Whether the keyword stands in this very header, not only in its fallback."""
        return keyword in self._first

    def get(self, keyword: str) -> Value:
        """Value of a keyword; None when it is absent or has no value.

        Raises
        ------
        BadHeader
            The card is unreadable, or is repeated with another value.
        """
        if keyword not in self._first:
            return None if self._fallback is None else self._fallback.get(keyword)
        value = self._parse(keyword)[0]
        if self._conflicts(keyword):
            raise BadHeader("duplicate_keyword", f"{keyword} stands twice with different values")
        return value

    def items(self) -> Iterator[tuple[str, Value, str]]:
        """Each keyword with its value and comment, in the order of the header.

        Raises
        ------
        BadHeader
            A card is unreadable.
        """
        for keyword in self._first:
            value, comment = self._parse(keyword)
            yield keyword, value, comment

    def flags(self) -> set[str]:
        """What is unusual about the header as a whole."""
        found = set()
        if self._odd:
            found.add("odd_card")
        if any(self._conflicts(keyword) for keyword in self._repeated):
            found.add("duplicate_keyword")
        if not all(map(self._is_well_formed, self._first.values())):
            found.add("unreadable_card")
        strange = self._raw.translate(None, PRINTABLE)
        if any(byte >= 128 for byte in strange):
            found.add("non_ascii_header")
        if any(byte < 128 for byte in strange):
            found.add("control_characters")
        return found if self._fallback is None else found | self._fallback.flags()

    def _is_well_formed(self, text: str) -> bool:
        if _WELL_FORMED.fullmatch(text) is not None:
            return True
        return self.comma and _COMMA.fullmatch(text.partition("/")[0].strip(" ")) is not None

    def _conflicts(self, keyword: str) -> bool:
        others = self._repeated.get(keyword)
        if not others:
            return False
        try:
            first = self._value(keyword, self._first[keyword])[0]
            return any(self._value(keyword, other)[0] != first for other in others)
        except BadHeader:
            return True

    def _parse(self, keyword: str) -> tuple[Value, str]:
        value, comment = self._value(keyword, self._first[keyword])
        if keyword not in self._continued:
            return value, comment
        parts = []
        for card in self._continued[keyword][:MAX_CONTINUED]:
            if not (isinstance(value, str) and value.endswith("&")):
                break
            parts.append(value[:-1])
            value, comment = self._value(keyword, card)
        return "".join([*parts, str(value)]), comment

    def _value(self, keyword: str, text: str) -> tuple[Value, str]:
        match = _STRING.fullmatch(text)
        if match is not None:
            return match[1].replace("''", "'").rstrip(" "), (match[2] or "").strip()
        literal, _, comment = text.partition("/")
        if "'" in literal:
            raise BadHeader("unreadable_card", f"{keyword} has an unfinished string: {text[:40]!r}")
        if self.comma:
            literal = _COMMA.sub(r"\1.\2", literal)
        return _literal(keyword, literal.strip(" ")), comment.strip()


def _literal(keyword: str, literal: str) -> Value:
    if literal in {"T", "F"}:
        return literal == "T"
    if _INTEGER.fullmatch(literal):
        return int(literal)
    if _REAL.fullmatch(literal):
        return float(literal.upper().replace("D", "E"))
    if not literal:
        return None
    raise BadHeader("unreadable_card", f"{keyword} is {literal[:40]!r}: not text, a number, T or F")
