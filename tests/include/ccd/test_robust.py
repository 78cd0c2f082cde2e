"""Robust numbers: right for normal noise, unmoved by a few outliers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from include.ccd.plane import ArrayPlane
from include.ccd.robust import (
    clipped_std,
    mad_std,
    median,
    median_of,
    read_spans,
    sample_spans,
    section_of,
    thin,
    tiles,
    typical_scatter,
)
from include.ccd.sections import Section


@pytest.mark.parametrize("estimate", [clipped_std, mad_std])
def test_outliers_do_not_move_the_deviation(estimate) -> None:
    """One pixel in a hundred is wild, some are not numbers; the noise is found to 1 %."""
    values = np.random.default_rng(1).normal(10, 3, 100_000).astype(np.float32)
    values[::100] = 1e6
    values[1::1000] = np.nan
    assert estimate(values) == pytest.approx(3, rel=0.02)


def test_quantised_differences_do_not_step() -> None:
    """The deviation of integers is found between the steps of their absolute deviations."""
    rng = np.random.default_rng(2)
    for sigma in (1.3, 1.7, 7.5):
        values = np.rint(rng.normal(0, sigma, 200_000))
        assert clipped_std(values) == pytest.approx(np.hypot(sigma, 12**-0.5), rel=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16])
@pytest.mark.parametrize("size", [1, 2, 5, 1000, 1001])
def test_medians_are_those_of_numpy(dtype: type, size: int) -> None:
    """Of odd and even numbers of values, along the last axis, with ties, without overflow."""
    values = np.random.default_rng(3).integers(60000, 60000 + size, (3, 2, size)).astype(dtype)
    np.testing.assert_array_equal(median(values), np.median(values, axis=-1))


@pytest.mark.parametrize("estimate", [clipped_std, mad_std, median_of])
def test_nothing_finite_gives_zero(estimate) -> None:
    """No number comes from no number."""
    assert estimate(np.full(5, np.nan)) == 0.0
    assert estimate(np.empty(0)) == 0.0


@pytest.mark.parametrize("shape", [(10, 10), (4096, 4096), (1000, 100_000), (5000, 3)])
def test_spans_hold_about_what_they_should(shape: tuple[int, int]) -> None:
    """Ordered, apart, inside the image, and all of a small one."""
    spans = sample_spans(shape, pixels=1_000_000)
    rows = sum(y1 - y0 for y0, y1 in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    margin = spans[0][0]
    assert 0 <= margin == pytest.approx(shape[0] - spans[-1][1], abs=1)
    assert rows == shape[0] or 0.5 < rows * shape[1] / 1_000_000 <= 3.2


def test_section_is_found_among_the_rows_read() -> None:
    """Pixels of a section, whichever rows of it were sampled."""
    image = np.arange(100, dtype=np.float32).reshape(10, 10)
    spans = [(0, 2), (5, 8)]
    rows = read_spans(ArrayPlane(image), spans)
    found = section_of(rows, spans, Section(1, 6, 3, 5))
    np.testing.assert_array_equal(found, image[[1, 5], 3:5])


@pytest.mark.parametrize("shape", [(1, 1), (63, 65), (128, 300)])
def test_tiles_cover_every_pixel_once(shape: tuple[int, int]) -> None:
    """Of about 64 px a side, where the image allows it."""
    seen = np.zeros(shape, int)
    for tile in tiles(shape):
        seen[tile] += 1
        assert max(seen[tile].shape) < 128
    assert (seen == 1).all()


def test_thinning_keeps_whole_small_images_and_rows_of_large_ones() -> None:
    """About as many pixels as asked for."""
    values = np.zeros((100, 10))
    assert thin(values).shape == (100, 10)
    assert thin(values, pixels=100).shape == (10, 10)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_scatter_of_an_ordinary_pixel_is_found_with_any_number_of_planes(count: int) -> None:
    """Hot pixels and cosmic rays do not make it larger, few planes not smaller."""
    stack = np.random.default_rng(count).normal(0, 4, (count, 200, 200)).astype(np.float32)
    stack[0, ::20, ::20] = 1e5
    planes = [ArrayPlane(plane) for plane in stack]
    sections = [Section.whole((200, 200))]
    assert typical_scatter(planes, sections) == pytest.approx(4, rel=0.05)
    doubled = typical_scatter(planes, sections, scales=[2.0] * count)
    assert doubled == pytest.approx(8, rel=0.05)


def test_scatter_is_that_of_the_noisiest_section() -> None:
    """A quiet amplifier does not set the clipping of a noisy one."""
    stack = np.random.default_rng(9).normal(0, 1, (5, 100, 100)).astype(np.float32)
    stack[:, :, 50:] *= 6
    planes = [ArrayPlane(plane) for plane in stack]
    halves = [Section(0, 100, 0, 50), Section(0, 100, 50, 100)]
    assert typical_scatter(planes, halves) == pytest.approx(6, rel=0.05)


def test_one_plane_has_no_scatter() -> None:
    """Nothing to compare with."""
    assert typical_scatter([ArrayPlane(np.ones((4, 4), np.float32))], [Section(0, 4, 0, 4)]) == 0.0
