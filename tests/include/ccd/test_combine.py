"""Combining planes: equal to the obvious computation, in bounded memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from include.ccd import _kernels_combine as kernels
from include.ccd.combine import combine
from include.ccd.errors import CalibrationError
from include.ccd.plane import ArrayPlane

MAD_TO_SIGMA = 1.482602218505602

FLOATS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 5)),
    elements=st.integers(-50, 50) | st.sampled_from([np.nan, np.inf, -np.inf, 9000.0]),
)
INTEGERS = hnp.arrays(
    np.uint16,
    st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 5)),
    elements=st.sampled_from([0, 1000, 1001, 1002, 1003, 1010, 65535]),
)
# No small integers sit exactly on a bound of this many deviations.
SIGMA = 1.7320518


def planes(stack: np.ndarray) -> list[ArrayPlane]:
    return [ArrayPlane(plane) for plane in stack]


def obvious(values: np.ndarray, method: str, deviation: str = "std", floor: float = 0.0):
    """Value, variance of the value and count of one pixel, the slow way."""
    values = values[np.isfinite(values)].astype(float)
    if method == "sigma_clip" and values.size:
        everything = values
        for _ in range(5):
            if not values.size:
                break
            centre = np.median(values)
            spread = np.std(values)
            if deviation == "mad_std":
                spread = MAD_TO_SIGMA * np.median(np.abs(values - centre))
            low = centre - SIGMA * max(spread, floor)
            high = centre + SIGMA * max(spread, floor)
            kept = values[(values >= low) & (values <= high)]
            if kept.size == values.size:
                break
            values = kept
        values = everything[(everything >= low) & (everything <= high)]
    n = values.size
    if n == 0:
        return 0.0, 0.0, 0
    value = np.median(values) if method == "median" else np.mean(values)
    variance = np.var(values, ddof=1) / n if n > 1 else 0.0
    return value, variance * (np.pi / 2 if method == "median" and n > 2 else 1.0), n


def assert_obvious(stack: np.ndarray, method: str, **kwargs) -> None:
    result = combine(
        planes(stack), method=method, clip_sigma_low=SIGMA, clip_sigma_high=SIGMA, **kwargs
    )
    floor, deviation = kwargs.get("noise_floor", 0.0), kwargs.get("deviation", "std")
    for y, x in np.ndindex(stack.shape[1:]):
        value, variance, count = obvious(stack[:, y, x], method, deviation, floor)
        assert result.count[y, x] == count
        assert result.mean[y, x] == pytest.approx(value, rel=1e-6, abs=1e-6)
        assert result.var[y, x] == pytest.approx(variance, rel=1e-5, abs=1e-6)
        assert result.mask[y, x] == (16 if count == 0 else 0)


@pytest.mark.parametrize("method", ["mean", "median", "sigma_clip"])
@settings(max_examples=40, deadline=None)
@given(stack=FLOATS)
def test_floats_combine_as_the_obvious_computation_does(method: str, stack: np.ndarray) -> None:
    """Values, variances, counts and NO_DATA, with NaN and infinities among the input."""
    assert_obvious(stack, method)


@pytest.mark.parametrize("method", ["mean", "median", "sigma_clip"])
@settings(max_examples=30, deadline=None)
@given(stack=INTEGERS)
def test_integers_combine_as_the_obvious_computation_does(method: str, stack: np.ndarray) -> None:
    """uint16 stays uint16 until it is summed, and nothing overflows."""
    assert_obvious(stack, method)


@settings(max_examples=40, deadline=None)
@given(stack=FLOATS, floor=st.sampled_from([0.0, 3.3]))
def test_clipping_by_absolute_deviation_is_the_obvious_one(stack, floor: float) -> None:
    """The median absolute deviation, with and without a floor under it."""
    assert_obvious(stack, "sigma_clip", deviation="mad_std", noise_floor=floor)


@pytest.mark.parametrize("size", range(1, 11))
def test_network_sorts_everything(size: int) -> None:
    """A network that sorts all sequences of 0 and 1 sorts all sequences (Knuth 5.3.4, Z)."""
    block = np.array(list(itertools.product((0, 1), repeat=size)), np.float32).T.copy()
    expected = np.sort(block, axis=0)
    kernels._sort_columns(block, kernels.sorting_network(size))
    np.testing.assert_array_equal(block, expected)


@pytest.mark.parametrize("size", range(1, 11))
def test_part_of_a_network_finds_the_middle_of_everything(size: int) -> None:
    """What is left out decides only what comes before and after."""
    block = np.array(list(itertools.product((0, 1), repeat=size)), np.uint16).T.copy()
    middle = [(size - 1) // 2, size // 2]
    expected = np.sort(block, axis=0)[middle]
    network = kernels.sorting_network(size)
    kernels._sort_columns(block, kernels.needed_comparators(network, set(middle)))
    np.testing.assert_array_equal(block[middle], expected)


@pytest.mark.parametrize("method", ["mean", "median", "sigma_clip"])
def test_whole_numbers_far_apart_have_an_exact_variance(method: str) -> None:
    """Nothing cancels, at either end of the range."""
    low, high = np.zeros((5, 1, 3), np.uint16), np.full((4, 1, 3), 65535, np.uint16)
    assert_obvious(np.concatenate([low, high]), method)
    assert combine(planes(high), method=method).var.tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("method", ["mean", "median", "sigma_clip"])
def test_many_planes_combine_like_few(method: str) -> None:
    """Beyond the size of a cache block, too."""
    stack = np.random.default_rng(1).normal(100, 5, (137, 2, 3)).astype(np.float32)
    assert_obvious(stack, method)


@pytest.mark.parametrize("rows", [1, 2, 7, 100])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_result_does_not_depend_on_stripes(rows: int, dtype: type) -> None:
    """Any number of rows at a time gives the same bits."""
    stack = np.random.default_rng(2).normal(1000, 10, (5, 11, 600)).astype(dtype)
    whole = combine(planes(stack), stripe_rows=11)
    parts = combine(planes(stack), stripe_rows=rows)
    for name in ("mean", "var", "mask", "count"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@pytest.mark.parametrize("threads", [1, 2, 3, 20])
def test_result_does_not_depend_on_threads(threads: int) -> None:
    """Also where there are more of them than stripes."""
    stack = np.random.default_rng(2).normal(1000, 10, (5, 11, 600)).astype(np.float32)
    whole = combine(planes(stack), stripe_rows=11, threads=1)
    parts = combine(planes(stack), stripe_rows=2, threads=threads)
    for name in ("mean", "var", "mask", "count"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_integers_and_floats_agree() -> None:
    """The exact path and the general path give the same."""
    stack = np.random.default_rng(3).integers(900, 1100, (9, 4, 70)).astype(np.uint16)
    exact = combine(planes(stack), clip_sigma_low=1.5, clip_sigma_high=1.5)
    general = combine(planes(stack.astype(np.float32)), clip_sigma_low=1.5, clip_sigma_high=1.5)
    np.testing.assert_array_equal(exact.mean, general.mean)
    np.testing.assert_array_equal(exact.count, general.count)


class WatchedPlane:
    """A plane that remembers the largest piece that was asked of it."""

    shape = (64, 50)
    largest = 0

    def read_rows(self, y0: int, y1: int) -> np.ndarray:
        self.largest = max(self.largest, y1 - y0)
        return np.zeros((y1 - y0, 50), np.uint16)


@pytest.mark.parametrize("count", [2, 20, 200])
def test_memory_for_input_is_bounded(count: int) -> None:
    """However many planes there are, their stacked rows fit the bytes allowed."""
    watched = [WatchedPlane() for _ in range(count)]
    allowed = 100_000
    combine(watched, memory_bytes=allowed)
    assert max(plane.largest for plane in watched) * 50 * 2 * count <= allowed


def test_scales_apply_before_clipping() -> None:
    """Planes that differ by a factor only are alike once scaled."""
    scene = np.random.default_rng(4).uniform(1, 2, (6, 8)).astype(np.float32)
    factors = [1.0, 2.0, 10.0, 0.5, 4.0]
    stack = np.stack([scene / factor for factor in factors])
    result = combine(planes(stack), scales=factors, deviation="mad_std", noise_floor=1e-3)
    np.testing.assert_allclose(result.mean, scene, rtol=1e-6)
    assert (result.count == 5).all()


def test_one_outlier_among_five_needs_the_absolute_deviation() -> None:
    """At 4 sigma the standard deviation hides the outlier that made it large."""
    stack = np.random.default_rng(5).normal(100, 5, (5, 50, 50)).astype(np.float32)
    stack[2, 10, 10] = 5000
    hidden = combine(planes(stack), deviation="std")
    found = combine(planes(stack), deviation="mad_std", noise_floor=5.0)
    assert hidden.mean[10, 10] > 1000
    assert found.mean[10, 10] == pytest.approx(100, abs=10)


def test_noise_floor_spares_good_values() -> None:
    """Among few values the deviation is small by chance; the floor keeps what it would lose."""
    stack = np.random.default_rng(6).normal(100, 5, (5, 100, 100)).astype(np.float32)
    bare = combine(planes(stack), deviation="mad_std")
    floored = combine(planes(stack), deviation="mad_std", noise_floor=5.0)
    assert np.mean(bare.count < 5) > 0.1
    assert np.mean(floored.count < 5) < 0.002


@pytest.mark.parametrize("method", ["mean", "median", "sigma_clip"])
def test_variance_is_that_of_the_result(method: str) -> None:
    """Over many pixels, the stated variance is the observed one, within the median's asymptote."""
    stack = np.random.default_rng(7).normal(0, 10, (21, 120, 120)).astype(np.float32)
    result = combine(planes(stack), method=method)
    assert result.var.mean() == pytest.approx(result.mean.var(), rel=0.08)


@pytest.mark.parametrize(
    ("stack", "kwargs", "message"),
    [
        ([], {}, "1 to 65535 planes can be combined, not 0"),
        ([np.zeros((2, 2)), np.zeros((2, 3))], {}, "different shapes"),
        ([np.zeros((2, 2), np.float32)], {"scales": [1.0, 2.0]}, "scales must be 1 finite"),
        ([np.zeros((2, 2), np.float32)], {"scales": [np.nan]}, "scales must be 1 finite"),
        ([np.zeros((2, 2), np.float32)], {"method": "mode"}, "method must be sigma_clip"),
    ],
)
def test_what_cannot_be_combined_is_refused(stack, kwargs, message: str) -> None:
    """The message says what was wrong."""
    with pytest.raises(CalibrationError, match=message):
        combine(planes(stack), **kwargs)
