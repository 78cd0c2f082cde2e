"""Detections are sorted by what they are of."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.confirm import find_clusters


def scattered(rng: np.random.Generator, places: list[tuple[float, float]], images: int):
    """Each place seen on every image, 0.2 px off on either axis."""
    x, y = (
        np.concatenate([rng.normal(place[axis], 0.2, images) for place in places])
        for axis in (0, 1)
    )
    significance = rng.uniform(6, 30, len(x)) * rng.choice([-1.0, 1.0], len(x))
    return x, y, significance, np.tile(np.arange(images), len(places))


def test_each_place_is_one_thing() -> None:
    """Found again in noise, with a place as good as the detections let it be."""
    rng = np.random.default_rng(1)
    places = [(50.0, 60.0), (57.0, 60.0), (200.0, 10.0)]
    found = find_clusters(*scattered(rng, places, 20), radius_px=2.0)
    assert sorted(len(each.members) for each in found) == [20, 20, 20]
    for x, y in places:
        nearest = min(found, key=lambda each: np.hypot(each.x_px - x, each.y_px - y))
        assert np.hypot(nearest.x_px - x, nearest.y_px - y) < 4 * nearest.error_px
        assert nearest.error_px == pytest.approx(0.2 / np.sqrt(20), rel=0.6)


def test_the_order_of_detections_has_no_influence() -> None:
    """The same clusters come out in the same order."""
    rng = np.random.default_rng(2)
    columns = scattered(rng, [(5.0, 5.0), (7.5, 5.0), (30.0, 9.0)], 8)
    shuffled = rng.permutation(24)
    ours = find_clusters(*columns, radius_px=2.0)
    theirs = find_clusters(*(column[shuffled] for column in columns), radius_px=2.0)
    assert [(c.x_px, c.y_px) for c in ours] == [(c.x_px, c.y_px) for c in theirs]
    assert [c.members.tolist() for c in ours] == [shuffled[c.members].tolist() for c in theirs]


def test_an_image_counts_once() -> None:
    """Two detections of one image near one place are one, the stronger."""
    x, y = np.array([10.0, 10.5, 10.2]), np.full(3, 4.0)
    (found,) = find_clusters(x, y, np.array([9.0, 7.0, 6.0]), np.array([0, 0, 1]), radius_px=2.0)
    assert found.members.tolist() == [0, 2]


def test_what_is_seen_once_has_no_error() -> None:
    """One place tells nothing of its scatter."""
    (found,) = find_clusters(*(np.array([v]) for v in (1.0, 2.0, 8.0, 0)), radius_px=2.0)
    assert (found.x_px, found.y_px) == (1.0, 2.0)
    assert np.isnan(found.error_px)
    assert find_clusters(*(np.empty(0),) * 4, radius_px=2.0) == []
