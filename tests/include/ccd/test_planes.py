"""Corrected planes: the same rows as the whole image corrected at once."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from include.ccd.correction import Correction
from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.image import Image
from include.ccd.overscan import TrimmedFrame
from include.ccd.planes import CorrectedPlane
from include.ccd.raw import RawFrame

RNG = np.random.default_rng(3)
RAW = RNG.integers(900, 1100, (8, 6)).astype(np.uint16)
BIAS = Image(RNG.uniform(900, 1000, (8, 6)).astype(np.float32))
DARK = Image(RNG.uniform(0, 10, (8, 6)).astype(np.float32))


def plane(gains: tuple[float | None, float | None], correction: Correction, **kwargs):
    halves = (Section(0, 4, 0, 6), Section(4, 8, 0, 6))
    amplifiers = tuple(
        Amplifier(half, None, half, gain, None) for half, gain in zip(halves, gains, strict=True)
    )
    when = datetime(2024, 5, 13, 4, tzinfo=UTC)
    header = FrameHeader(
        kind="flat",
        camera="cam",
        filter="V",
        exptime_s=1.0,
        observed_at=when,
        width_px=6,
        height_px=8,
        amplifiers=amplifiers,
    )
    return CorrectedPlane(TrimmedFrame(RawFrame.of(RAW, header)), correction, **kwargs)


@pytest.mark.parametrize("rows", [(0, 8), (2, 3), (3, 6), (5, 8)])
def test_any_rows_are_corrected_alike(rows: tuple[int, int]) -> None:
    """Bias, scaled dark and gains, across the seam of two amplifiers."""
    correction = Correction(BIAS, DARK, bias_factor=1.0, dark_factor=0.5)
    corrected = plane((1.0, 3.0), correction, match_gains=True)
    expected = RAW - BIAS.sci - 0.5 * DARK.sci
    expected[:4] *= 0.5
    expected[4:] *= 1.5
    np.testing.assert_allclose(corrected.read_rows(*rows), expected[slice(*rows)], rtol=1e-5)
    assert corrected.shape == (8, 6)


@pytest.mark.parametrize("gains", [(2.0, 2.0), (2.0, None), (None, None)])
def test_equal_or_unknown_gains_change_nothing(gains) -> None:
    """Nothing is matched on a guess."""
    corrected = plane(gains, Correction(None, None), match_gains=True)
    np.testing.assert_array_equal(corrected.read_rows(0, 8), RAW)


def test_frame_itself_is_never_changed() -> None:
    """Reading twice gives the same."""
    before = RAW.copy()
    corrected = plane((1.0, 3.0), Correction(BIAS, None, bias_factor=1.0), match_gains=True)
    np.testing.assert_array_equal(corrected.read_rows(0, 8), corrected.read_rows(0, 8))
    np.testing.assert_array_equal(RAW, before)
