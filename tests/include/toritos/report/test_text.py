"""The plain text fits a phone, and says what matters first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.toritos.report.facts import NightLine
from include.toritos.report.text import WIDTH, report_text


@pytest.mark.parametrize("text", ["V", "x" * 200, "a\r\nBcc: all@example.org", "{{ 7*7 }}"])
def test_lines_are_as_wide_as_a_phone(full_facts, text) -> None:
    """Whatever somebody wrote."""
    lines = report_text(full_facts(text)).splitlines()
    assert max(len(line) for line in lines) <= WIDTH
    assert not any(line.startswith("Bcc") for line in lines)


def test_what_needs_a_person_comes_first(full_facts) -> None:
    """After the night, and how it stands."""
    facts = replace(full_facts(), missing=("1 of 40 science frames V not calibrated",))
    lines = report_text(facts).splitlines()
    assert lines[0] == "Night 2026-11-20, Cordón Macón"
    assert lines[1] == "incomplete: 1 of 40 science frames V not calibrated"
    assert lines[3] == "NEEDS A PERSON"
    assert "- V: 40, FWHM 3.2 px, sky 620 e" in lines


def test_long_lists_are_counted_not_told(full_facts) -> None:
    """A thousand refused files are some kilobytes."""
    text = report_text(full_facts("x" * 100, 1000))
    assert "  and 988 more" in text.splitlines()
    assert len(text) < 20_000


def test_empty_night_is_two_lines(bare_facts) -> None:
    """And no empty section."""
    assert report_text(bare_facts()).splitlines() == [
        "Night 2026-11-20, Cordón Macón",
        "nothing was observed",
    ]


def test_range_lists_its_nights(bare_facts) -> None:
    """One line each."""
    nights = (NightLine("2026-11-20", 9, 5, 1, 3.25), NightLine("2026-11-21", 0, 0, 0, None))
    lines = report_text(bare_facts(nights=nights)).splitlines()
    assert "- 2026-11-20: 9 frames, 5 images, 1 bad, FWHM 3.25 px" in lines
    assert "- 2026-11-21: 0 frames, 0 images, 0 bad, FWHM – px" in lines
