"""The page is whole, small, and shows what is written as text."""

from __future__ import annotations

import struct
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from include.toritos.report.facts import NightFacts, NightLine, TurnedDown
from include.toritos.report.page import LIMIT_BYTES, TooLarge, report_html

VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Notes what a page holds, and whether every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.texts += [data.strip()] if data.strip() else []


def read(facts: NightFacts, limit_bytes: int = LIMIT_BYTES) -> Reader:
    page = report_html(facts, limit_bytes=limit_bytes)
    assert len(page.encode()) <= limit_bytes
    reader = Reader(page)
    assert reader.open == []
    return reader


def widths(reader: Reader) -> list[int]:
    """Of the pictures, in pixels."""
    sources = [value for name, value in reader.attributes if name == "src"]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    contents = [b64decode(source.partition(",")[2]) for source in sources]
    return [struct.unpack(">I", content[16:20])[0] for content in contents]


def test_full_night_is_shown_with_all_its_plots(full_facts) -> None:
    """Exposures, seeing, sky, stars; every section."""
    reader = read(full_facts())
    assert len(widths(reader)) == 4
    sections = ["Needs a person", "Observed", "Files", "Through the night", "Checks", "Masters"]
    sections += ["To be known", "Not done", "Refused files", "Alerts"]
    assert [text for text in reader.texts if text in sections] == sections


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "{{ 7*7 }}{% raw %}",
        '" onload="alert(1)',
        "$\\frac{1}",
        "_hidden",
        "星\u202e",
    ],
)
def test_what_somebody_wrote_is_text(full_facts, text) -> None:
    """Neither markup, nor a template, nor a formula, wherever it stands."""
    reader = read(full_facts(text))
    assert text in reader.texts
    assert "script" not in reader.tags
    assert not any(name.startswith("on") for name, _ in reader.attributes)


def test_page_loads_nothing_and_runs_nothing(full_facts) -> None:
    """It says so itself, to the browser."""
    reader = read(full_facts())
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert ("content", policy) in reader.attributes
    assert not {"script", "link", "iframe"} & set(reader.tags)


def test_empty_night_is_a_page_too(bare_facts) -> None:
    """It says that nothing was observed."""
    reader = read(bare_facts())
    assert "nothing was observed" in reader.texts
    assert widths(reader) == []
    assert "table" not in reader.tags


def test_plots_become_coarser_before_rows_go(full_facts) -> None:
    """Under a smaller and smaller limit."""
    facts = full_facts("&" * 60, 100)
    sizes = [
        (widths(reader)[:1], sum(tag == "tr" for tag in reader.tags))
        for reader in (read(facts, limit) for limit in (160_000, 130_000, 72_000, 30_000))
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0][0] > sizes[1][0] > sizes[2][0] == []
    assert sizes[2][1] > sizes[3][1] > 0


def test_worst_of_nights_stays_below_the_limit(full_facts) -> None:
    """Everything as long as it may be, in signs that take the most room."""
    facts = full_facts("<" * 200, 100)
    line = NightLine("2026-11-20", 1, 1, 0, None)
    turned_down = (TurnedDown("flat", "'" * 120, "'" * 120, 1),) * 100
    grown = {name: getattr(facts, name) * 100 for name in ("exposures", "masters", "notes")}
    grown |= {name: getattr(facts, name) * 100 for name in ("checks", "standing")}
    facts = replace(facts, **grown, nights=(line,) * 100, turned_down=turned_down)
    reader = read(facts)
    assert "and 90 more" in reader.texts


def test_limit_that_no_page_meets_is_said(full_facts) -> None:
    """Rather than to cut it."""
    with pytest.raises(TooLarge, match="over 1000 bytes"):
        report_html(full_facts(), limit_bytes=1000)


def test_equal_facts_give_equal_pages(full_facts) -> None:
    """To the byte, with the plots."""
    assert report_html(full_facts()) == report_html(full_facts())
