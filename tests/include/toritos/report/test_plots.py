"""Plots hold what was measured, and nothing that was written can break them."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from include.toritos.report.plots import COLOURS, OTHERS, SERIES, _by_filter, plots


def titles(facts) -> list[str]:
    return [plot.title for plot in plots(facts, 50)]


def test_series_without_a_value_has_no_plot(full_facts) -> None:
    """Nor have exposures that there are none of."""
    facts = full_facts()
    assert titles(facts) == ["Exposures", "Seeing", "Sky background", "Stars detected"]
    blind = tuple(replace(image, fwhm_px=None, source_count=None) for image in facts.images)
    assert titles(replace(facts, images=blind, starts=())) == ["Sky background"]


def test_picture_has_the_resolution_asked_for(full_facts) -> None:
    """And few colours, which makes it small."""
    for dpi in (50, 200):
        for plot in plots(full_facts(), dpi):
            picture = Image.open(BytesIO(plot.png))
            assert picture.mode == "P"
            assert picture.width == pytest.approx(5.8 * dpi, abs=1)
            assert len(plot.png) < 25_000


def test_reader_who_does_not_see_it_is_told(full_facts) -> None:
    """How many there are, and of what."""
    told = [plot.description for plot in plots(full_facts(), 50)]
    assert told[0] == "Starts of exposures by kind: 40 science"
    assert told[1] == "Seeing of 39 images against time"


@pytest.mark.parametrize("number", [7, 30])
def test_more_filters_than_colours_share_one(full_facts, number) -> None:
    """And no image is left out."""
    facts = full_facts(number=number)
    images = [replace(image, filter=f"F{place}") for place, image in enumerate(facts.images)]
    groups = _by_filter(images, SERIES[1])
    assert len(groups) == len(COLOURS)
    assert (OTHERS in groups) is (number > len(COLOURS))
    assert sum(len(group) for group in groups.values()) == number
    assert len(plots(replace(facts, images=tuple(images)), 50)) == 4


def test_single_exposure_can_be_drawn(full_facts) -> None:
    """An axis of time without extent."""
    assert len(plots(full_facts(number=1), 50)) == 3
