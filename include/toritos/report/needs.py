"""What calls for a person, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from include.toritos.report.facts import NightFacts, Standing
from include.toritos.report.words import counted
from models.work import UnitStatus

REMEDIES = {
    "bad_data": "mend or veto the frame",
    "configuration": "mend what the message names",
    "bug": "mend the code",
    "upstream_missing": "done when that comes",
    "retry": "tried again by itself",
}


def headline(facts: NightFacts) -> str:
    """Say in one line how the night stands."""
    if facts.is_empty:
        return "nothing was observed"
    if facts.missing:
        return f"incomplete: {facts.missing[0]}"
    if not facts.frames:
        return "no usable frame came in"
    return f"complete: {counted(len(facts.images), 'image')} of {counted(facts.frames, 'frame')}"


def needs(facts: NightFacts) -> Iterator[str]:
    """Give one sentence for each thing that somebody should look at, the gravest first."""
    yield from (f"Missing: {text}." for text in facts.missing)
    for row in facts.standing:
        yield _undone(row)
    for tally in facts.files.rejected:
        yield f"{counted(tally.number, 'file')} refused as {tally.what}: mend or remove."
    for tally in facts.files.waiting:
        yield f"{counted(tally.number, 'file')} not whole yet ({tally.what}): send again."
    if facts.bad:
        yield f"{facts.bad} of {counted(len(facts.images), 'image')} bad by the checks: look."
    for tally in facts.unplaced:
        yield f"{counted(tally.number, 'image')} {tally.what}."
    untold = sum(1 for row in facts.alerts if row.is_stuck)
    if untold:
        yield f"{counted(untold, 'alert')} not delivered: see `corral alerts`."


def _undone(row: Standing) -> str:
    what = counted(row.number, "unit")
    if row.status != UnitStatus.FAILED:
        return f"{row.step}: {what} {row.status}, not done yet."
    remedy = REMEDIES.get(row.failure_class, "see the log")
    return f"{row.step}: {what} failed ({row.failure_class}; {remedy}): {row.message}"
