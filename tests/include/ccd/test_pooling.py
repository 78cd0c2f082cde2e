"""Pooled variances: steady with few frames, still telling noisy pixels apart."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.combine import Stack, combine
from include.ccd.plane import ArrayPlane
from include.ccd.pooling import pool_variance


def stack_of(values: np.ndarray) -> Stack:
    return combine([ArrayPlane(plane) for plane in values], method="mean")


@pytest.mark.parametrize("frames", [2, 3, 10])
def test_pooled_variances_are_right_on_average_and_steadier(frames: int) -> None:
    """Same mean, a fraction of the spread."""
    stack = stack_of(np.random.default_rng(1).normal(0, 5, (frames, 130, 200)).astype(np.float32))
    spread = stack.var.std()
    pool_variance(stack)
    assert stack.var.mean() == pytest.approx(25 / frames, rel=0.05)
    assert stack.var.std() < 0.6 * spread


def test_variance_follows_the_scene() -> None:
    """A noisier half keeps its own level."""
    values = np.random.default_rng(2).normal(0, 1, (4, 128, 256)).astype(np.float32)
    values[:, :, 128:] *= 10
    stack = stack_of(values)
    pool_variance(stack)
    assert stack.var[:, :128].mean() == pytest.approx(0.25, rel=0.1)
    assert stack.var[:, 128:].mean() == pytest.approx(25, rel=0.1)


def test_noisy_pixel_still_stands_out() -> None:
    """Ten frames are enough to see that a pixel is thirty times noisier."""
    values = np.random.default_rng(3).normal(0, 1, (10, 64, 64)).astype(np.float32)
    values[:, 5, 5] *= 30
    stack = stack_of(values)
    pool_variance(stack)
    assert stack.var[5, 5] > 50 * np.median(stack.var)


def test_single_values_get_the_ordinary_variance_and_none_stay_zero() -> None:
    """A pixel with one value left is as noisy as one value is; without any it has no variance."""
    values = np.random.default_rng(4).normal(0, 3, (8, 64, 64)).astype(np.float32)
    values[1:, 7, 7] = np.nan
    values[:, 8, 8] = np.nan
    stack = stack_of(values)
    pool_variance(stack)
    assert stack.var[7, 7] == pytest.approx(9, rel=0.2)
    assert stack.var[8, 8] == 0


def test_single_frame_stays_as_it_is() -> None:
    """Without repetition there is nothing to pool."""
    stack = stack_of(np.ones((1, 5, 5), np.float32))
    pool_variance(stack)
    assert (stack.var == 0).all()
