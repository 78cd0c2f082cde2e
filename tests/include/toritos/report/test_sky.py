"""Candidates and light curves are in the report where there are any."""

from __future__ import annotations

import io
from datetime import date

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from include.toritos.report.gather import gather
from include.toritos.report.page import report_html
from include.toritos.report.sky_facts import Curve, Point
from include.toritos.report.sky_pictures import curve_plots, stamps_png
from include.toritos.report.text import report_text
from models import AstrometricSolution, LightCurvePoint
from tests.include.toritos.sky_rows import MIDNIGHT, add_sky, stamps

NIGHT = date(2026, 11, 20)


def facts_of(station):
    with station.corral.read() as session:
        return gather(session, station.corral.settings, NIGHT)


def test_candidates_are_listed_unknown_ones_first(both) -> None:
    """With their stamps; also on a phone."""
    add_sky(both.corral, {"name": "known", "known_as": "V1234 Ori", "score": 1.0}, {})
    facts = facts_of(both)
    assert [row.name for row in facts.candidates] == ["TOR26a", "known"]
    page = report_html(facts)
    assert "83.63300<br>-5.39100" in page
    assert page.count('class="stamps"') == 2
    assert "CANDIDATES\n- TOR26a: mag 17.31 ± 0.042 V, on 5 of 7" in report_text(facts)
    assert "known as V1234 Ori" in " ".join(report_text(facts).split())


def test_light_curves_are_the_longest(both) -> None:
    """Some points are no curve."""
    add_sky(both.corral, curves={"star-1": 20, "star-2": 30, "few": 4})
    facts = facts_of(both)
    assert [(curve.name, len(curve.points)) for curve in facts.curves] == [
        ("star-2", 30),
        ("star-1", 20),
    ]
    assert facts.curves[0].unit == "mag"
    assert "Light curves" in report_html(facts)


def test_magnitudes_of_what_is_not_seen_are_not_drawn(both) -> None:
    """Their errors would be all that the axis shows."""
    add_sky(both.corral, curves={"star": 20})
    with both.corral.write() as session:
        unseen = session.scalars(select(LightCurvePoint).order_by(LightCurvePoint.id)).first()
        unseen.mag, unseen.mag_err = 26.0, 15.0
    (curve,) = facts_of(both).curves
    assert len(curve.points) == 19
    assert curve.amplitude < 5


def test_zero_points_of_images_are_drawn(both) -> None:
    """Those that a catalogue could be matched for."""
    add_sky(both.corral, zero_points=(24.1, None, 24.3))
    facts = facts_of(both)
    assert [image.zero_point_mag for image in facts.images] == [24.1, None, 24.3]
    assert "Zero point of 2 images against time" in report_html(facts)


def test_images_without_a_place_or_a_zero_point_are_counted_by_reason(both) -> None:
    """What was tried, after the colon, is left to the rows."""
    add_sky(both.corral, zero_points=(24.1, None, None))
    with both.corral.write() as session:
        placed = session.scalars(select(AstrometricSolution)).first()
        placed.solved, placed.reason = False, "no world coordinates at 0.7: 40 sources, no match"
    assert {(tally.what, tally.number) for tally in facts_of(both).unplaced} == {
        ("not placed on the sky: no world coordinates at 0.7", 1),
        ("without zero point", 2),
    }


def test_night_without_any_has_neither_section(both) -> None:
    """Nothing is shown of nothing."""
    add_sky(both.corral, {"current": False})
    page = report_html(facts_of(both))
    assert "Candidates" not in page
    assert "Light curves" not in page


def test_many_candidates_leave_the_page_small(both) -> None:
    """Stamps of the first alone; whatever they are, under the limit."""
    large = stamps(61)
    add_sky(both.corral, *({"name": f"c{number}", "stamps": large} for number in range(60)))
    page = report_html(facts_of(both))
    assert len(page.encode()) <= 200_000
    assert 0 < page.count('class="stamps"') <= 12


def test_stamps_are_three_squares_side_by_side() -> None:
    """Grey, and a star is brighter than what is around it."""
    picture = stamps_png(stamps(31))
    assert picture is not None
    image = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
    assert image.shape == (31, 3 * 31 + 4)
    assert image[15, 15] > image[3, 3]


def array(shape, fill: float = 1.0) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.full(shape, fill, np.float32))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"no array", array((5, 5)), array((3, 500, 500)), array((3, 0, 0))]
)
def test_what_are_no_stamps_is_left_out(content) -> None:
    """A page is made nevertheless."""
    assert stamps_png(content) is None


@pytest.mark.parametrize("fill", [0.0, np.nan, np.inf])
def test_stamps_without_a_range_are_drawn(fill) -> None:
    """Saturated, or masked altogether."""
    assert stamps_png(array((3, 9, 9), fill)) is not None


@pytest.mark.parametrize("unit", ["mag", ""])
def test_curve_says_how_much_it_changes(unit) -> None:
    """For who does not see the picture; names are text, never formulas."""
    points = tuple(Point(MIDNIGHT, 14.0 + number, 0.1) for number in range(6))
    (plot,) = curve_plots((Curve("$\\frac{1}", "V", unit, points),), 70)
    assert "6 points, 5" in plot.description
    assert plot.png.startswith(b"\x89PNG")
