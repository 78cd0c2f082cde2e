"""Facts are what the rows say, of any night."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from include.toritos.report.gather import gather
from include.toritos.report.needs import headline, needs
from include.toritos.report.page import report_html
from include.toritos.report.text import report_text
from models import Frame

NIGHT = date(2026, 11, 20)


def facts_of(corral, first: date = NIGHT, last: date | None = None):
    with corral.read() as session:
        return gather(session, corral.settings, first, last)


@pytest.mark.usefixtures("small_night")
def test_reduced_night_is_told_whole(site, run_all) -> None:
    """What was observed, made, with which masters, and how good it is."""
    run_all(site)
    facts = facts_of(site)
    observed = [(row.kind, row.filter, row.object, row.number) for row in facts.exposures]
    assert observed == [
        ("bias", "", "", 5),
        ("dark", "", "", 3),
        ("flat", "R", "", 3),
        ("flat", "V", "", 3),
        ("science", "R", "field01", 2),
        ("science", "V", "field01", 3),
    ]
    assert facts.exposures[-1].total_s == 180.0
    masters = [(row.kind, row.filter, row.frames, row.used_by) for row in facts.masters]
    assert masters == [
        ("bias", "", 5, 5),
        ("dark", "", 3, 5),
        ("flat", "R", 3, 2),
        ("flat", "V", 3, 3),
    ]
    assert facts.masters[0].measured.startswith("read_noise_adu ")
    assert [image.filter for image in facts.images] == ["V", "R", "V", "R", "V"]
    assert all(image.fwhm_px and image.background for image in facts.images)
    assert {image.background_unit for image in facts.images} == {"e"}
    assert {check.metric for check in facts.checks} >= {"fwhm_px", "source_count"}
    assert all(row.good + row.warn + row.bad + row.unknown == 5 for row in facts.checks)
    assert (facts.missing, facts.standing, facts.notes) == ((), (), ())
    assert headline(facts) == "complete: 5 images of 19 frames"
    assert [row.why for row in facts.turned_down if row.role == "flat"] == ["filter is R, wanted V"]


@pytest.mark.usefixtures("small_night")
def test_range_of_nights_lists_them(site, run_all) -> None:
    """Everything else is of all of them together."""
    run_all(site)
    facts = facts_of(site, NIGHT - timedelta(days=2), NIGHT + timedelta(days=1))
    (line,) = facts.nights
    assert (line.night, line.frames, line.images) == ("2026-11-20", 19, 5)
    assert line.median_fwhm_px is not None
    assert facts.frames == facts_of(site).frames
    assert "2026-11-18 to 2026-11-21" in report_html(facts)


def test_night_of_which_nothing_is_known_has_a_report(site) -> None:
    """It says so."""
    facts = facts_of(site)
    assert facts.is_empty
    assert "nothing was observed" in report_html(facts)
    assert report_text(facts).splitlines()[1] == "nothing was observed"


def test_night_with_only_refused_files_has_a_report(both, make_frame) -> None:
    """They are named, with the reason; nothing was usable."""
    both.put("bad.fits", cards={"EXPTIME": -5.0})
    both.put("half.fits", make_frame(pixels=3)[:6000])
    both.load()
    facts = facts_of(both.corral)
    assert not facts.is_empty
    assert headline(facts) == "no usable frame came in"
    found = {row.path: (row.verdict, row.reason) for row in facts.refusals}
    assert found == {
        "bad.fits": ("QUARANTINE", "bad_exptime"),
        "half.fits": ("WAIT", "truncated_data"),
    }
    assert (facts.files.seen, facts.files.registered) == (2, 0)
    assert "bad.fits" in report_html(facts)
    assert len(list(needs(facts))) == 2


def test_file_without_a_night_is_told_in_the_night_in_which_it_came(both) -> None:
    """Until the next noon at the site."""
    both.put("page.fits", b"<html>404</html>" * 200)
    both.load()
    now = datetime.now(UTC)
    # Noon at the site is at 15 h UTC.
    tonight = (now - timedelta(hours=15)).date()
    assert [row.path for row in facts_of(both.corral, tonight).refusals] == ["page.fits"]
    assert facts_of(both.corral, tonight - timedelta(days=1)).is_empty


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "{{ 7*7 }}", "a\r\nBcc: all@example.org", "x" * 1_000_000],
    ids=["markup", "template", "lines", "megabyte"],
)
def test_hostile_object_is_shown_as_short_text(station, name) -> None:
    """As whatever else an observer may write."""
    station.put("a.fits", kind="science")
    station.load()
    with station.corral.write() as session:
        session.execute(update(Frame).values(object=name))
    facts = facts_of(station.corral)
    (row,) = facts.exposures
    assert len(row.object) <= 60
    page, text = report_html(facts), report_text(facts)
    assert "<script" not in page
    assert "\r" not in page + text
    assert "\nBcc" not in page + text
    assert len(page) < 30_000


def test_frames_that_are_not_accepted_are_counted_apart(station) -> None:
    """The same exposure twice is one frame."""
    station.put("a.fits", pixels=1)
    station.put("b.fits", pixels=1, cards={"OBSERVER": "somebody else"})
    station.load()
    facts = facts_of(station.corral)
    assert facts.frames == 1
    assert [(row.what, row.number) for row in facts.set_aside] == [("same_pixels", 1)]
