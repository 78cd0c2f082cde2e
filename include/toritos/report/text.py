"""The report as plain text, with lines that a phone shows whole."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from statistics import median

from include.toritos.report.facts import Exposures, Master, Measured, NightFacts, NightLine
from include.toritos.report.needs import headline, needs
from include.toritos.report.sky_facts import Found
from include.toritos.report.words import duration_text, number_text

WIDTH = 60
LISTED = 12


def report_text(facts: NightFacts) -> str:
    """Give the report as text.

    Parameters
    ----------
    facts
        Of a night or a range of nights.

    Returns
    -------
    str
        Lines of at most 60 characters, a few kilobytes whatever happened.
    """
    return "\n".join([*_lines(facts), ""])


def _lines(facts: NightFacts) -> Iterator[str]:
    yield from _wrapped(f"Night {facts.name}, {facts.site}")
    yield from _wrapped(headline(facts))
    yield from _section("NEEDS A PERSON", needs(facts))
    yield from _section("NIGHTS", (_night(row) for row in facts.nights))
    yield from _section("OBSERVED (UTC)", (_exposure(row) for row in facts.exposures))
    yield from _section("FILES", _files(facts))
    yield from _section("MADE", _made(facts))
    yield from _section("CANDIDATES", (_candidate(row) for row in facts.candidates))
    yield from _section("MASTERS", (_master(row) for row in facts.masters))
    yield from _section("TO BE KNOWN", facts.notes)
    yield from _section(
        "REFUSED", (f"{row.path}: {row.reason}: {row.evidence}" for row in facts.refusals)
    )
    yield from _section(
        "ALERTS",
        (f"{row.severity}: {row.subject} ({', '.join(row.deliveries)})" for row in facts.alerts),
    )


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    rows = list(items)
    if not rows:
        return
    yield ""
    yield title
    for row in rows[:LISTED]:
        yield from _wrapped(row, indent="- ")
    if len(rows) > LISTED:
        yield f"  and {len(rows) - LISTED} more"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))


def _night(row: NightLine) -> str:
    return (
        f"{row.night}: {row.frames} frames, {row.images} images, {row.bad} bad, "
        f"FWHM {number_text(row.median_fwhm_px)} px"
    )


def _exposure(row: Exposures) -> str:
    what = " ".join(part for part in (row.kind, row.filter, row.object) if part)
    when = f"{row.first_at:%H:%M}–{row.last_at:%H:%M}"
    return f"{what}: {row.number}, {duration_text(row.total_s)}, {when}"


def _files(facts: NightFacts) -> Iterator[str]:
    files = facts.files
    if not files.seen and not facts.set_aside:
        return
    yield f"{files.seen} seen, {files.registered} registered"
    for word, tallies in (("refused", files.rejected), ("waiting", files.waiting)):
        yield from (f"{tally.number} {word}: {tally.what}" for tally in tallies)
    yield from (f"{tally.number} set aside: {tally.what}" for tally in facts.set_aside)
    if facts.corrected:
        yield f"{facts.corrected} with corrected headers"


def _made(facts: NightFacts) -> Iterator[str]:
    if not facts.images:
        return
    yield f"{len(facts.images)} calibrated images, {facts.bad} bad"
    for band in sorted({image.filter for image in facts.images}):
        yield _quality(band, [image for image in facts.images if image.filter == band])


def _quality(band: str, images: list[Measured]) -> str:
    fwhm = [image.fwhm_px for image in images if image.fwhm_px is not None]
    sky = [image.background for image in images if image.background is not None]
    parts = [f"{band or 'no filter'}: {len(images)}"]
    parts += [f"FWHM {number_text(median(fwhm))} px"] if fwhm else []
    parts += [f"sky {number_text(median(sky))} {images[0].background_unit}"] if sky else []
    return ", ".join(parts)


def _candidate(row: Found) -> str:
    error = "" if row.mag_err is None else f" ± {number_text(row.mag_err, 2)}"
    known = f", known as {row.known_as}" if row.known_as else ""
    bright = f"mag {number_text(row.mag, 4)}{error} {row.filter}".rstrip()
    what = "of unknown magnitude" if row.mag is None else bright
    return f"{row.name}: {what}, on {row.seen} of {row.searched}{known}"


def _master(row: Master) -> str:
    exposure = f"{row.exptime_s:g} s" if row.exptime_s else ""
    what = " ".join(part for part in (row.kind, row.filter, exposure) if part)
    flags = f", {', '.join(row.flags)}" if row.flags else ""
    return f"{what} of {row.night}: {row.frames} frames, used by {row.used_by}{flags}"
