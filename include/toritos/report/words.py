"""Text from outside, made fit to be shown."""

from __future__ import annotations


def short(text: str | None, limit: int = 60) -> str:
    """Give one printable line of at most `limit` characters.

    Parameters
    ----------
    text
        Of headers, paths, errors: whatever somebody wrote; None is nothing.
    limit
        In characters; what is cut off leaves an ellipsis.
    """
    # A megabyte need not be looked at to show sixty characters.
    head = (text or "")[: 4 * limit]
    line = " ".join("".join(char if char.isprintable() else " " for char in head).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def counted(number: int, one: str, many: str = "") -> str:
    """Give a number with its noun: ``1 file``, ``2 files``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def number_text(value: float | None, digits: int = 3) -> str:
    """Give a number as people read it; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:.0f}"


def duration_text(seconds: float) -> str:
    """Give a time in hours and minutes, or in seconds when it is short."""
    if seconds < 60:
        return f"{seconds:g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
