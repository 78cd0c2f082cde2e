from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from include.ccd.fits_decode import Encoding
from include.ccd.pixel_tally import PixelStatistics, PixelTally

Pixels = np.ndarray[Any, Any]


def tally(
    values: Any, bitpix: int, bscale: float = 1.0, bzero: float = 0.0, **k: Any
) -> PixelStatistics:
    encoding = Encoding(bitpix, bscale, bzero, **k)
    found = PixelTally(encoding)
    found.add(np.array(values, dtype=encoding.stored))
    return found.statistics()


@pytest.mark.parametrize("bitpix", [8, 16, 32, 64, -32, -64])
def test_the_numbers_are_those_of_numpy(bitpix: int) -> None:
    """For every type that FITS knows, seen in chunks as they come from a file."""
    encoding = Encoding(bitpix)
    values = np.random.default_rng(3).integers(0, 200, 200_000).astype(encoding.stored)
    values[:7] = 0
    found = PixelTally(encoding, start=2880, end=2880 + values.nbytes)
    content = bytes(2880) + values.tobytes() + b"\xff" * 5760
    for offset in range(0, len(content), 28_800):
        found.see(offset, memoryview(content)[offset : offset + 28_800])

    statistics = found.statistics()
    assert (statistics.minimum, statistics.maximum) == (values.min(), values.max())
    assert statistics.mean == pytest.approx(values.mean(dtype=np.float64))
    assert (statistics.valid_fraction, statistics.negative_fraction) == (1, 0)


def test_counts_of_a_camera_are_never_negative() -> None:
    """Stored with an offset, they are counted as what they mean."""
    statistics = tally([-32768, 0, 32767], 16, 1.0, 32768.0)

    assert (statistics.minimum, statistics.maximum, statistics.mean) == (0, 65535, 98303 / 3)
    assert statistics.negative_fraction == 0


def test_negative_values_are_counted() -> None:
    """As BSCALE and BZERO make them, whichever way round."""
    assert tally([-5, 1, 2, 3], 16).negative_fraction == 0.25
    assert tally([-5, 1, 2, 3], 16, -1.0).negative_fraction == 0.75
    assert tally([-5, 1, 2, 3], 16, -1.0).minimum == -3
    assert tally([1, 2, 3, 4], 16, 1.0, -2.5).negative_fraction == 0.5


def test_what_has_no_value_is_left_out() -> None:
    """NaN, infinities, BLANK; when nothing has one there are no numbers."""
    assert tally([np.nan, np.inf, 1, 3], -32) == PixelStatistics(1, 3, 2, 0.5, 0, 0, 0)
    assert tally([-1, 1, 3], 16, blank=-1).minimum == 1
    nothing = tally([np.nan, np.nan], -64)
    assert (nothing.minimum, nothing.mean, nothing.valid_fraction) == (None, None, 0)


def test_numbers_that_no_float_holds_are_none() -> None:
    """Without a warning."""
    assert tally([1e308, 1e308, 1], -64).mean is None
    assert tally([1.0, 2.0], -64, 1e308, 0.0).maximum is None


@pytest.mark.parametrize(
    ("values", "fraction"),
    [([1, 0, 2, 3], 0), ([1, 2, 0, 0], 0.5), ([0, 0, 0, 0], 1), ([0, 0, 0, 1], 0)],
)
def test_a_blank_end_is_measured(values: list[int], fraction: float) -> None:
    """Stored zeros behind the last pixel that was written."""
    assert tally(values, 16, 1.0, 32768.0).blank_end_fraction == fraction


def test_a_blank_end_goes_on_over_chunks() -> None:
    """And what is written later ends it."""
    found = PixelTally(Encoding(16))
    for part in ([1, 0], [0, 0], [0, 0]):
        found.add(np.array(part, dtype=">i2"))
    assert found.statistics().blank_end_fraction == pytest.approx(5 / 6)
    found.add(np.array([0, 1, 0], dtype=">i2"))
    assert found.statistics().blank_end_fraction == pytest.approx(1 / 9)


@pytest.mark.parametrize(
    ("parts", "longest"),
    [
        ([[1, 0, 0, 2, 0, 3]], 2),
        ([[0, 0, 0, 5], [5, 5]], 3),
        ([[5, 0], [0, 0, 0], [0, 5, 0]], 5),
        ([[5, 0], [1, 2, 3], [0, 0]], 2),
        ([[5, 0], [-3, -2, -3], [5, 5]], 1),
        ([[0, 0], [0, 0]], 4),
        ([[5, 6], [7, 8]], 0),
    ],
)
def test_the_longest_blank_part_is_measured(parts: list[list[int]], longest: int) -> None:
    """Wherever it begins, and however the bytes came."""
    found = PixelTally(Encoding(16))
    for part in parts:
        found.add(np.array(part, dtype=">i2"))
    assert found.statistics().blank_fraction == longest / sum(map(len, parts))
