"""Each ended night is reported and told of once, and again when it has changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from include.corral.drain import drain
from include.corral.sweep import sweep
from include.toritos.night_end import ended_nights
from include.toritos.steps import MasterBias
from include.toritos.sweeps import ToritosSweep
from models import Alert, Frame, StepRun, Unit, UnitStatus

NIGHT = date(2026, 11, 20)
# The site's noon is at 15 h UTC.
NOON = datetime(2026, 11, 21, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Ends(ToritosSweep):
    """The one part."""

    name = "Ends"
    parts = (ended_nights,)


@pytest.fixture
def look(both) -> Callable[..., list[Alert]]:
    """Sweeps at some time; gives the messages that are new."""
    known: set[int] = set()

    def at(now: datetime, **parameters: int) -> list[Alert]:
        report = sweep(both.corral, Ends(clock=lambda: now, **parameters))
        assert report.report.failures == []
        new = [row for row in both.rows(Alert) if row.id not in known]
        known.update(row.id for row in new)
        return new

    return at


@pytest.fixture
def rested(both) -> Callable[[], None]:
    """Lets every trigger have ended at noon, as it would have in that year."""

    def rest() -> None:
        with both.corral.write() as session:
            past = NOON - HOUR
            session.execute(update(StepRun).values(started_at=past, ended_at=past))

    return rest


def work(station, night: date = NIGHT) -> None:
    """What the branch does with biases."""
    station.load()
    drain(station.corral, MasterBias(), partition=night.isoformat())


def page(station, night: date = NIGHT) -> str:
    path = station.corral.settings.products.parent / "reports" / f"{night}.html"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def biases(station, number: int = 3, first: int = 0) -> None:
    for pixels in range(first, first + number):
        station.put(f"bias-{pixels}.fits", pixels=pixels)


def test_good_night_is_told_of_once_with_a_page(both, look, rested) -> None:
    """At noon, not before; good news are information."""
    biases(both)
    work(both)
    rested()
    assert look(NOON - HOUR / 2) == []
    (message,) = look(NOON + HOUR)
    assert (message.rule, message.severity, message.partition) == ("NightDone", "info", str(NIGHT))
    assert message.subject == "[corral] night 2026-11-20 complete: 0 images of 3 frames"
    assert "bias: 3" in message.body
    assert f"reports/{NIGHT}.html" in message.body
    assert "complete" in page(both)
    assert look(NOON + 2 * HOUR) == []


def test_incomplete_night_is_a_warning_that_says_what_is_missing(both, look, rested) -> None:
    """And good news follow when it is mended."""
    biases(both)
    both.put("light.fits", kind="science", pixels=9)
    work(both)
    rested()
    (message,) = look(NOON + HOUR)
    assert (message.rule, message.severity) == ("NightIncomplete", "warning")
    assert "1 of 1 science frame V not calibrated" in message.subject
    with both.corral.write() as session:
        session.execute(update(Frame).where(Frame.kind == "science").values(accepted=False))
    work(both)
    rested()
    assert [message.rule for message in look(NOON + 2 * HOUR)] == ["NightDone"]


def test_installation_of_years_is_not_told_of_night_by_night(both, look, rested) -> None:
    """At the first look, what was worked on long ago is left alone."""
    biases(both)
    work(both)
    rested()
    assert look(NOON + 200 * HOUR) == []


def test_late_frame_is_told_of_and_nothing_new_is_not(both, look, rested) -> None:
    """However often the night is worked on again."""
    biases(both)
    work(both)
    rested()
    assert len(look(NOON + HOUR)) == 1
    work(both)
    rested()
    assert look(NOON + 2 * HOUR) == []
    biases(both, 1, first=3)
    work(both)
    rested()
    (message,) = look(NOON + 30 * 24 * HOUR)
    assert "of 4 frames" in message.subject
    assert "4</b> frames" in page(both)


def test_night_that_is_worked_on_is_waited_for_but_not_for_ever(both, look, rested) -> None:
    """An open unit keeps it for three hours from when it was first looked at."""
    biases(both)
    work(both)
    rested()
    with both.corral.write() as session:
        session.execute(
            update(Unit).where(Unit.step == MasterBias.name).values(status=UnitStatus.OPEN)
        )
    assert look(NOON + HOUR / 2) == []
    rested()
    assert look(NOON + HOUR) == []
    (message,) = look(NOON + 4 * HOUR)
    assert "MasterBias: 1 unit open" in message.body


def test_night_whose_tasks_never_began_is_told_of(both, look) -> None:
    """Frames came in, and nothing was triggered for them."""
    biases(both)
    both.load()
    (message,) = look(NOON + 4 * HOUR)
    assert message.rule == "NightIncomplete"
    assert "no master bias: 3 frames came" in message.subject
    assert look(NOON + 5 * HOUR) == []


def test_work_without_a_night_is_that_of_its_nights(both, look, rested) -> None:
    """`corral run` works on all nights at once."""
    assert look(NOON - HOUR) == []
    biases(both)
    both.load()
    drain(both.corral, MasterBias())
    rested()
    assert [message.rule for message in look(NOON + 100 * 24 * HOUR)] == ["NightDone"]


def test_closed_telescope_is_told_of_once(both, look, rested) -> None:
    """The first night without a frame after one with some; then no more."""
    assert look(NOON - HOUR) == []
    biases(both)
    nights = [NIGHT + timedelta(days=days) for days in range(4)]
    for night in nights:
        work(both, night)
    rested()
    told = {message.partition: message.subject for message in look(NOON + 200 * HOUR)}
    assert list(told) == ["2026-11-21", "2026-11-20"]
    assert told["2026-11-21"] == "[corral] night 2026-11-21 nothing was observed"


def test_many_nights_are_reported_some_at_a_time(both, look, rested) -> None:
    """A backfill of years does not keep the sweep from its other parts; the latest go first."""
    assert look(NOON - HOUR) == []
    nights = [NIGHT + timedelta(days=days) for days in range(3)]
    for number, night in enumerate(nights):
        at = datetime(2026, 11, 21, 4, tzinfo=UTC) + timedelta(days=number)
        both.put(f"{night}.fits", pixels=number, at=at)
    for night in nights:
        work(both, night)
    rested()
    told = [look(NOON + 200 * HOUR, nights_at_most=1)[0].partition for _ in nights]
    assert told == [str(night) for night in reversed(nights)]


def test_page_that_cannot_be_written_keeps_nobody_from_being_told(
    both, look, rested, tmp_path
) -> None:
    """The message says why there is none."""
    (tmp_path / "file").touch()
    both.corral.settings.pipeline["reports"] = str(tmp_path / "file")
    biases(both)
    work(both)
    rested()
    (message,) = look(NOON + HOUR)
    assert "The page could not be written" in message.body


def test_site_may_say_where_its_reports_are_served(both, look, rested) -> None:
    """The message names that address."""
    both.corral.settings.pipeline["report_url"] = "https://example.org/reports/"
    biases(both)
    work(both)
    rested()
    (message,) = look(NOON + HOUR)
    assert f"https://example.org/reports/{NIGHT}.html" in message.body
