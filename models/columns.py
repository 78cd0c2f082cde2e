"""Column types that refuse what must not be stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.sqlite import DATETIME
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware going in, aware UTC coming out, on every database.

    SQLite keeps no time zone; what it gives back is UTC because only UTC went in.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time, convert any other to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time {value.isoformat()}: give it a time zone, UTC is kept")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Give the type of the column."""
        sqlite = _SqliteDateTime()  # type: ignore[no-untyped-call]
        impl = sqlite if dialect.name == "sqlite" else self.impl_instance
        return dialect.type_descriptor(impl)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _SqliteDateTime(DATETIME):
    """As any, written by a shorter way: there is one for every attempt at a unit."""

    def bind_processor(self, _dialect: Dialect) -> Callable[[datetime | None], str | None]:
        return lambda value: None if value is None else value.isoformat(" ", "microseconds")


class RelPath(TypeDecorator[str]):
    """A POSIX path below a storage root: never absolute, never upward, never with a NUL.

    Names of files are bytes: what is not UTF-8 is kept as `path_text` says. Paths stand in the
    order of their bytes on every database, so that a range of names is one everywhere.
    """

    impl = String(1024)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Give the type of the column."""
        bytewise = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(String(1024, collation=bytewise))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse a path that could leave its root."""
        if value is None:
            return None
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\0" in value or value in {"", "."}:
            raise ValueError(f"path {value!r} is not below a storage root")
        return path_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Give the path as the operating system takes it."""
        if value is None or "\\" not in value:
            return value
        return _ESCAPE.sub(_unescaped, value)


_ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2})")


def path_text(path: str) -> str:
    r"""Give a path as text that every database and every page takes.

    Bytes that are not UTF-8 become ``\xNN``, and a backslash two: no two paths have one text.

    Parameters
    ----------
    path
        As ``os.fsdecode`` gives it.
    """
    if path.isascii() and "\\" not in path:
        return path
    escaped = path.replace("\\", "\\\\")
    return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    return "\\" if code == "\\" else chr(0xDC00 + int(code[1:], 16))


SHA256 = String(64)
# None is NULL, not JSON's null, which no IS NULL finds.
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
