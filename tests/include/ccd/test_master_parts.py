"""What masters have in common: checks, clipping, inheritance, cards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from include.ccd.calibration import Calibration
from include.ccd.cards import card_value
from include.ccd.combine import combine
from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.master_parts import (
    TooFewFrames,
    add_variance,
    check_frames,
    combine_with_floor,
    inherit,
    joined,
    master_cards,
    stack_metrics,
)
from include.ccd.plane import ArrayPlane
from include.ccd.raw import RawFrame

SHAPE = (64, 64)
WHOLE = Section.whole(SHAPE)
HEADER = FrameHeader(
    kind="dark",
    camera="cam",
    exptime_s=60.0,
    observed_at=datetime(2024, 5, 13, 4, tzinfo=UTC),
    temperature_c=-20.0,
    width_px=64,
    height_px=64,
    amplifiers=(Amplifier(WHOLE, None, WHOLE, 1.0, 5.0),),
)


def planes(count: int) -> list[ArrayPlane]:
    values = np.random.default_rng(2).normal(50, 4, (count, *SHAPE)).astype(np.float32)
    values[0, 9, 9] = 900
    return [ArrayPlane(plane) for plane in values]


def test_number_of_frames_is_checked_against_the_policy() -> None:
    """At the limit it passes, below it names both numbers; none is never enough."""
    frames = [RawFrame.of(np.zeros(SHAPE, np.uint16), HEADER)] * 3
    check_frames(frames, "dark", 3)
    with pytest.raises(TooFewFrames, match=r"3 usable frames, 4 needed \(min_dark\)"):
        check_frames(frames, "dark", 4)
    with pytest.raises(TooFewFrames, match="0 usable frames, 1 needed"):
        check_frames([], "dark", 0)


@pytest.mark.parametrize("count", [3, 5, 20])
def test_outlier_of_few_is_clipped_and_good_values_stay(count: int) -> None:
    """With the scatter of the frames themselves as the floor."""
    stack = combine_with_floor(
        planes(count), HEADER, method="sigma_clip", calibration=Calibration()
    )
    assert stack.count[9, 9] == count - 1
    assert np.mean(stack.count < count) < 0.004


def test_variance_of_a_master_is_added_with_its_factor() -> None:
    """In place; nothing for what is not there."""
    stack = combine(planes(3), method="mean")
    before = stack.var.copy()
    master = Image(stack.mean, np.full(SHAPE, 3, np.float32))
    add_variance(stack, master, 2.0)
    np.testing.assert_allclose(stack.var, before + 6, rtol=1e-6)
    after = stack.var.copy()
    add_variance(stack, master, 0.0)
    add_variance(stack, None, 1.0)
    add_variance(stack, Image(stack.mean), 1.0)
    np.testing.assert_array_equal(stack.var, after)


def test_masks_are_inherited_with_the_bit_that_says_so() -> None:
    """Only where the master has bits."""
    mask = np.zeros((2, 2), np.uint16)
    theirs = np.array([[MaskBit.HOT, 0], [0, 0]], np.uint16)
    inherit(mask, Image(np.zeros((2, 2), np.float32), mask=theirs), None)
    assert mask.tolist() == [[MaskBit.HOT | MaskBit.CALIBRATION, 0], [0, 0]]


def test_cards_and_metrics_are_of_the_group() -> None:
    """Mean exposure, median temperature, how many values were used."""
    headers = [
        replace(HEADER, exptime_s=exptime_s, temperature_c=temperature)
        for exptime_s, temperature in ((59.9, -20.0), (60.1, -19.0), (60.0, None))
    ]
    frames = [RawFrame.of(np.zeros(SHAPE, np.uint16), header) for header in headers]
    image = Image(np.zeros(SHAPE, np.float32))
    image.cards = master_cards(frames, kind="master dark", method="median")
    assert card_value(image, "EXPTIME") == pytest.approx(60.0)
    assert card_value(image, "CCD-TEMP") == -19.5
    assert card_value(image, "IMAGETYP") == "master dark"
    stack = combine_with_floor(planes(5), HEADER, method="sigma_clip", calibration=Calibration())
    metrics = stack_metrics(stack, 5)
    used = stack.count.sum()
    assert metrics["clipped_fraction"] == pytest.approx(1 - used / (5 * 64 * 64))
    assert metrics["combined_count"] == 5
    assert all(type(number) is float for number in metrics.values())


def test_flags_are_joined_once_each() -> None:
    """Sorted, so that the same content gives the same bytes."""
    assert joined([("b", "a"), (), ("b",)]) == ("a", "b")
