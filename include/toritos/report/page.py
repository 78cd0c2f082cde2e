"""The report as one HTML page that needs nothing else, small enough for a thin link."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.corral.errors import Permanent
from include.toritos.report.drawing import Plot
from include.toritos.report.facts import NightFacts
from include.toritos.report.needs import headline, needs
from include.toritos.report.plots import plots
from include.toritos.report.sky_pictures import curve_plots, stamps_png
from include.toritos.report.words import counted, duration_text, number_text

if TYPE_CHECKING:
    from jinja2 import Template

LIMIT_BYTES = 200_000
TEMPLATE = Path(__file__).with_name("night.html.j2")


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is shown: resolution of plots (0: none), rows of each table, candidates' stamps."""

    dpi: int
    rows: int
    stamps: int = 0


# The first that is small enough is taken; the last one always is.
DETAILS = (
    Detail(200, 60, 12),
    Detail(120, 60, 12),
    Detail(70, 40, 6),
    Detail(0, 40, 3),
    Detail(0, 40),
    Detail(0, 10),
)


class TooLarge(Permanent):
    """No page of these facts is small enough."""


def report_html(facts: NightFacts, *, limit_bytes: int = LIMIT_BYTES) -> str:
    """Give the report as a page.

    Parameters
    ----------
    facts
        Of a night or a range of nights. All text in them is data, and shown as such.
    limit_bytes
        Of the page in UTF-8. Above it the plots become coarser, then fewer rows are shown; nothing
        is cut in the middle.

    Returns
    -------
    str
        HTML that loads nothing and runs nothing.

    Raises
    ------
    TooLarge
        If the limit is below what the shortest page needs.
    """
    for detail in DETAILS:
        page = _page(facts, detail)
        if len(page.encode()) <= limit_bytes:
            return page
    raise TooLarge(f"the shortest report of {facts.name} is over {limit_bytes} bytes")


def _page(facts: NightFacts, detail: Detail) -> str:
    pictures: list[Plot] = plots(facts, detail.dpi) if detail.dpi else []
    curves: list[Plot] = curve_plots(facts.curves, detail.dpi) if detail.dpi else []
    stamps = {
        found.name: picture
        for found in facts.candidates[: detail.stamps]
        if found.stamps and (picture := stamps_png(found.stamps))
    }
    return _template().render(
        facts=facts,
        headline=headline(facts),
        needs=list(needs(facts)),
        plots=pictures,
        curves=curves,
        stamps=stamps,
        rows=detail.rows,
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {
        "number": number_text,
        "duration": duration_text,
        "counted": counted,
        "base64": lambda content: b64encode(content).decode(),
    }
    environment.filters |= filters
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
