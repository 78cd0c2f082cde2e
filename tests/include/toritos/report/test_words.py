"""Text from outside is made fit to be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.toritos.report.words import counted, duration_text, number_text, short


@given(st.text(max_size=300), st.integers(2, 100))
def test_whatever_was_written_becomes_one_short_printable_line(text, limit) -> None:
    """No control character, no line break, no more than asked for."""
    line = short(text, limit)
    assert len(line) <= limit
    assert line.isprintable()


def test_cut_text_ends_in_an_ellipsis() -> None:
    """A megabyte costs no more than a line."""
    assert short("a b\r\nc") == "a b c"
    assert short("x" * 1_000_000, 10) == "xxxxxxxxx…"
    assert short(None) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.03666, "0.0367"), (3.675, "3.67"), (27427.6, "27428"), (0.0, "0")],
)
def test_numbers_have_as_many_digits_as_people_read(value, text) -> None:
    """Three, or all before the point."""
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(25.0, "25 s"), (400.0, "7 min"), (8520.0, "2 h 22 min")]
)
def test_durations_are_hours_and_minutes(seconds, text) -> None:
    """Or seconds, when short."""
    assert duration_text(seconds) == text


def test_one_thing_has_no_plural() -> None:
    """Irregular ones are given."""
    assert [counted(1, "file"), counted(2, "file")] == ["1 file", "2 files"]
    assert counted(2, "frame has", "frames have") == "2 frames have"
