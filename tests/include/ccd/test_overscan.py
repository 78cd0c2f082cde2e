"""Overscan and trimming: every amplifier's pixels at their place, at their own level."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from include.ccd.errors import CalibrationError
from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.overscan import TrimmedFrame, level_variance_factor, row_levels
from include.ccd.raw import RawFrame


def amplifier(data: str, overscan: str | None, placed: str) -> Amplifier:
    section = None if overscan is None else Section.from_fits(overscan)
    return Amplifier(Section.from_fits(data), section, Section.from_fits(placed), 1.0, 5.0)


def frame(array: np.ndarray, *amplifiers: Amplifier, saturation: float | None = None) -> RawFrame:
    ny, nx = array.shape
    when = datetime(2024, 5, 13, 4, tzinfo=UTC)
    header = FrameHeader(
        kind="bias",
        camera="cam",
        exptime_s=0.0,
        observed_at=when,
        width_px=nx,
        height_px=ny,
        saturation_adu=saturation,
        amplifiers=amplifiers,
    )
    return RawFrame.of(array, header)


RIGHT = amplifier("[1:8,1:6]", "[9:12,1:6]", "[1:8,1:6]")
ABOVE = amplifier("[1:8,1:6]", "[1:8,7:9]", "[1:8,1:6]")
BARE = amplifier("[1:8,1:6]", None, "[1:8,1:6]")
# Two amplifiers side by side, their overscans between them, read into swapped places.
PAIR = (
    amplifier("[1:4,1:6]", "[5:6,1:6]", "[5:8,1:6]"),
    amplifier("[9:12,1:6]", "[7:8,1:6]", "[1:4,1:6]"),
)
# Four amplifiers in two rows of two, with the overscan rows in the middle.
QUADRANTS = (
    amplifier("[1:4,1:3]", "[1:4,4:4]", "[1:4,1:3]"),
    amplifier("[5:8,1:3]", "[5:8,4:4]", "[5:8,1:3]"),
    amplifier("[1:4,6:8]", "[1:4,5:5]", "[1:4,4:6]"),
    amplifier("[5:8,6:8]", "[5:8,5:5]", "[5:8,4:6]"),
)


def raw(shape: tuple[int, int], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(900, 1100, shape).astype(np.uint16)


def obvious(array: np.ndarray, amplifiers, estimator) -> np.ndarray:
    """The trimmed image, one amplifier after the other, in float64."""
    image = np.full((6, 8), np.nan)
    for amp in amplifiers:
        data = array[amp.data.slices].astype(float)
        if amp.overscan is not None and estimator != "none":
            reduce = np.median if estimator == "median" else np.mean
            overscan = array[amp.overscan.slices].astype(float)
            rows = amp.overscan.y0 <= amp.data.y0 and amp.overscan.y1 >= amp.data.y1
            data -= reduce(overscan, axis=1, keepdims=True) if rows else reduce(overscan)
        image[amp.placed.slices] = data
    return image


@pytest.mark.parametrize("estimator", ["median", "mean", "none"])
@pytest.mark.parametrize(
    ("amplifiers", "shape"),
    [
        pytest.param((RIGHT,), (6, 12), id="right"),
        pytest.param((ABOVE,), (9, 8), id="above"),
        pytest.param((BARE,), (6, 8), id="bare"),
        pytest.param(PAIR, (6, 12), id="pair"),
        pytest.param(QUADRANTS, (8, 8), id="quadrants"),
    ],
)
@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 5), seed=st.integers(0, 99))
def test_trimmed_image_is_the_obvious_one(
    estimator, amplifiers, shape, cut: int, seed: int
) -> None:
    """Whatever rows are asked for, of whatever layout."""
    array = raw(shape, seed)
    trimmed = TrimmedFrame(frame(array, *amplifiers), estimator)
    read = np.vstack([trimmed.read_rows(0, cut), trimmed.read_rows(cut, 6)])
    np.testing.assert_allclose(read, obvious(array, amplifiers, estimator), atol=2e-4)


def test_untouched_frame_stays_integer() -> None:
    """A raw array that is the image already is passed on as it was read."""
    array = raw((6, 8))
    rows = TrimmedFrame(frame(array, BARE)).read_rows(2, 4)
    assert rows.dtype == np.uint16
    np.testing.assert_array_equal(rows, array[2:4])


@pytest.mark.parametrize(("saturation", "level"), [(60000.0, 60000), (None, 65535)])
def test_saturated_pixels_are_dropped_on_request(saturation: float | None, level: int) -> None:
    """At the saturation level, or where 16 bits end when nobody knows one."""
    array = raw((6, 12))
    array[3, 4], array[3, 5] = level, level - 1
    rows = TrimmedFrame(frame(array, RIGHT, saturation=saturation), drop_saturated=True).read_rows(
        0, 6
    )
    assert np.isnan(rows[3, 4])
    assert np.isfinite(rows).sum() == rows.size - 1


@given(
    pixels=hnp.arrays(
        np.float32, (4, 5), elements=st.integers(0, 9) | st.sampled_from([np.nan, np.inf])
    ),
    estimator=st.sampled_from(["median", "mean"]),
)
def test_levels_ignore_what_is_not_finite(pixels: np.ndarray, estimator) -> None:
    """A row's level comes from its finite pixels; without any it is NaN."""
    levels = row_levels(pixels, estimator=estimator)
    for level, row in zip(levels, pixels, strict=True):
        finite = row[np.isfinite(row)]
        reduce = np.median if estimator == "median" else np.mean
        expected = reduce(finite) if finite.size else np.nan
        assert level == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("estimator", ["median", "mean", "none"])
def test_noise_of_a_level_is_as_stated(estimator) -> None:
    """Over many rows, the variance of the level is its factor times that of a pixel."""
    amp = amplifier("[1:8,1:6]", "[9:40,1:6]", "[1:8,1:6]")
    pixels = np.random.default_rng(3).normal(1000, 5, (20_000, 32)).astype(np.float32)
    factor = level_variance_factor(amp, estimator)
    if estimator == "none":
        assert factor == 0
    else:
        observed = row_levels(pixels, estimator=estimator).var() / 25
        assert observed == pytest.approx(factor, rel=0.06)


def test_level_of_many_rows_has_next_to_no_noise() -> None:
    """One level for the whole amplifier is made of all its overscan pixels."""
    assert level_variance_factor(ABOVE, "mean") == pytest.approx(1 / 24)
    assert level_variance_factor(BARE, "median") == 0


def test_section_outside_the_array_is_refused() -> None:
    """A profile that does not fit its camera is an error, not a shorter image."""
    with pytest.raises(
        CalibrationError, match=r"\[9:12,1:6\] lies outside the raw array of 10 x 6"
    ):
        TrimmedFrame(frame(raw((6, 10)), RIGHT))


def test_a_pedestal_is_taken_off_where_no_overscan_tells_the_level() -> None:
    """An overscan goes before it; 'none' leaves only the pedestal."""
    array = raw((6, 12))
    bare = replace(BARE, pedestal_adu=316.0)
    image = TrimmedFrame(frame(array[:, :8], bare)).read_rows(0, 6)
    np.testing.assert_array_equal(image, array[:, :8] - np.float32(316.0))
    told = replace(RIGHT, pedestal_adu=316.0)
    both = TrimmedFrame(frame(array, told)).read_rows(0, 6)
    np.testing.assert_array_equal(both, TrimmedFrame(frame(array, RIGHT)).read_rows(0, 6))
    ignored = TrimmedFrame(frame(array, told), "none").read_rows(0, 6)
    np.testing.assert_array_equal(ignored, array[:, :8] - np.float32(316.0))
