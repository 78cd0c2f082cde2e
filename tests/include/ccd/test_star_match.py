"""Matching of star lists: the right transformation, or none."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.star_match import Affine, Triangles, match_triangles


def similarity(angle_deg: float, scale: float, *, mirrored: bool) -> Affine:
    angle = np.radians(angle_deg)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        matrix[:, 0] *= -1
    return Affine(matrix, np.array([130.0, -70.0]))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle_deg", [0.0, 77.0, 181.0])
def test_lists_are_matched_whatever_rotation_and_parity(angle_deg: float, mirrored: bool) -> None:
    """With a tenth of the stars missing in either list, and scale off by 3 %."""
    rng = np.random.default_rng(1)
    source = rng.uniform(0, 1000, (50, 2))
    truth = similarity(angle_deg, 1.03, mirrored=mirrored)
    target = np.vstack([truth(source[5:]), rng.uniform(-500, 1500, (5, 2))])
    target += rng.normal(0, 0.1, target.shape)
    found = match_triangles(source, target, scale_tolerance=0.05, radius=3.0, area=1e6)
    assert found is not None
    assert found.count >= 40
    np.testing.assert_allclose(found.transform.matrix, truth.matrix, atol=5e-3)
    assert found.transform.scale == pytest.approx(1.03, abs=3e-3)


def test_unrelated_lists_do_not_match() -> None:
    """Chance alone convinces nobody."""
    rng = np.random.default_rng(2)
    for _ in range(5):
        source, target = rng.uniform(0, 1000, (2, 60, 2))
        assert match_triangles(source, target, scale_tolerance=0.05, radius=3.0, area=1e6) is None


def test_a_scale_out_of_bounds_does_not_match() -> None:
    """Sides count, not their ratios alone."""
    source = np.random.default_rng(3).uniform(0, 1000, (50, 2))
    target = similarity(10, 1.3, mirrored=False)(source)
    assert match_triangles(source, target, scale_tolerance=0.05, radius=3.0, area=1e6) is None


def test_too_few_points_do_not_match() -> None:
    """Two points fit anything."""
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    assert match_triangles(points, points, scale_tolerance=0.1, radius=1.0, area=9.0) is None


def test_triangles_name_their_corners_alike_in_any_pose() -> None:
    """Rotated, shifted, scaled and mirrored, each corner keeps its role."""
    points = np.array([[0.0, 0.0], [10.0, 0.0], [3.0, 5.0]])
    moved = similarity(40, 2.0, mirrored=True)(points)[[2, 0, 1]]
    one, other = Triangles.of(points, neighbours=2), Triangles.of(moved, neighbours=2)
    assert [[2, 0, 1][i] for i in other.corners[0]] == one.corners[0].tolist()
    np.testing.assert_allclose(other.sides[0, 1:], one.sides[0, 1:])
    assert other.sides[0, 0] - one.sides[0, 0] == pytest.approx(np.log(2))


def test_affine_fit_is_the_transformation_that_was_applied() -> None:
    """Exactly, without noise."""
    source = np.random.default_rng(4).uniform(0, 100, (8, 2))
    truth = Affine(np.array([[1.1, 0.2], [-0.3, 0.9]]), np.array([5.0, -7.0]))
    found = Affine.fit(source, truth(source))
    np.testing.assert_allclose(found.matrix, truth.matrix)
    np.testing.assert_allclose(found.shift, truth.shift)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_inverse_leads_back(mirrored: bool) -> None:
    """From target to source."""
    truth = similarity(40, 1.3, mirrored=mirrored)
    points = np.random.default_rng(4).uniform(0, 1000, (20, 2))
    np.testing.assert_allclose(truth.inverse()(truth(points)), points, atol=1e-9)
