"""The same stars on all images: shifted, turned, missing."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.align import AlignError
from include.ccd.source_table import SourceFlag
from include.ccd.star_matrix import FrameStars, chart_place, first_good, match_stars

SHAPE = (400, 500)


def frame(places: np.ndarray, mag: np.ndarray) -> FrameStars:
    order = np.argsort(mag, kind="stable")
    size = len(places)
    flags = np.zeros(size, np.int64)
    return FrameStars(places[order], mag[order], np.full(size, 0.01), flags)


def night(images: int = 6) -> tuple[list[FrameStars], np.ndarray, list[np.ndarray]]:
    """Images that drift and turn, each without some stars; magnitudes tell who is who."""
    rng = np.random.default_rng(5)
    sky = rng.uniform((20, 20), (480, 380), (120, 2))
    mag = np.sort(rng.uniform(8.0, 14.0, 120))
    frames, kept = [], []
    for number in range(images):
        angle = 0.01 * number
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        places = (sky - 200) @ turn.T + 200 + np.array([9.0, -4.0]) * number
        seen = rng.random(120) > 0.1 if number else np.ones(120, bool)
        noise = rng.normal(0.0, 0.05, places.shape)
        frames.append(frame((places + noise)[seen], mag[seen]))
        kept.append(seen)
    return frames, mag, kept


def test_every_star_is_found_where_it_was_seen_and_nowhere_else() -> None:
    """Magnitudes are unique, so that they name the stars."""
    frames, mag, kept = night()
    matrix = match_stars(frames, shape=SHAPE, match_px=1.5)
    assert matrix.reference == 0
    assert matrix.aligned.all()
    expected = np.where(np.array(kept), mag, np.nan)
    np.testing.assert_array_equal(matrix.mag, expected)


def test_images_without_common_stars_are_left_out() -> None:
    """An empty one, and one of another field."""
    frames, _, _ = night()
    rng = np.random.default_rng(6)
    frames[2] = frame(rng.uniform(0, 400, (80, 2)), rng.uniform(8, 14, 80))
    frames[4] = frame(np.empty((0, 2)), np.empty(0))
    matrix = match_stars(frames, shape=SHAPE, match_px=1.5)
    assert matrix.aligned.tolist() == [True, True, False, True, False, True]
    assert np.isnan(matrix.mag[[2, 4]]).all()


def test_the_reference_is_the_first_image_that_is_not_poor_in_stars() -> None:
    """Clouds at dusk."""
    frames, _, _ = night()
    poor = FrameStars(*(getattr(frames[0], name)[:9] for name in FrameStars.__slots__))
    assert first_good([poor, *frames[1:]]) == 1


def test_a_finding_chart_tells_the_chart_place_any_image() -> None:
    """Stars of the chart in whatever order; an image of other stars is refused."""
    frames, mag, kept = night()
    chart = frames[0].places[:30]
    star = int(np.flatnonzero(kept[5])[7])
    for number in (0, 5):
        place = chart_place(frames[number].places, chart[star], chart[::-1], shape=SHAPE)
        found = frames[number].places[frames[number].mag == mag[star]]
        assert np.linalg.norm(found[0] - place) < 0.5
    rng = np.random.default_rng(9)
    other = frame(rng.uniform(0, 400, (80, 2)), rng.uniform(8, 14, 80))
    with pytest.raises(AlignError):
        chart_place(other.places, chart[star], chart, shape=SHAPE)


def test_flagged_values_are_not_compared_with() -> None:
    """Saturated ones are left out; blended ones stay."""
    frames, _, _ = night()
    frames[1].flags[0] = SourceFlag.SATURATED
    frames[1].flags[1] = SourceFlag.BLENDED
    matrix = match_stars(frames, shape=SHAPE, match_px=1.5)
    mag, error = matrix.fit_for_comparison()
    assert np.isnan(mag[1]).sum() == np.isnan(matrix.mag[1]).sum() + 1
    np.testing.assert_array_equal(np.isnan(mag), np.isnan(error))


def test_the_nearest_star_is_none_when_it_is_too_far() -> None:
    """Within the given pixels."""
    frames, _, _ = night()
    matrix = match_stars(frames, shape=SHAPE, match_px=1.5)
    assert matrix.nearest(matrix.places[3] + 0.5, within_px=1.0) == 3
    assert matrix.nearest(np.array([-50.0, -50.0]), within_px=1.0) is None
