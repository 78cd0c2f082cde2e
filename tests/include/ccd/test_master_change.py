"""How much of a master differs from another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from include.ccd.errors import BadFits, CalibrationError
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.master_change import changed_fraction

SHAPE = (600, 40)  # more than two stripes


@pytest.fixture
def kept(tmp_path) -> Path:
    """A master in its file: 100 ADU, with a noise of 2."""
    return write(tmp_path / "last.fits", flat(100.0))


def flat(level: float, sigma: float = 2.0) -> Image:
    sci = np.full(SHAPE, level, np.float32)
    return Image(sci, np.full(SHAPE, sigma**2, np.float32), np.zeros(SHAPE, np.uint16))


def write(path: Path, image: Image) -> Path:
    with path.open("wb") as stream:
        image.write(stream, {"step": "Test", "version": "1", "fingerprint": "0" * 64, "inputs": []})
    return path


def test_noise_of_both_counts(kept) -> None:
    """Twice 2 ADU of noise: 22 ADU off are under 8 sigma, 23 are over."""
    assert changed_fraction(flat(122.0), kept, sigma=8.0) == 0.0
    assert changed_fraction(flat(123.0), kept, sigma=8.0) == 1.0


def test_the_part_that_differs_is_counted_over_all_stripes(kept) -> None:
    """A quarter of the rows, the last ones, is another level."""
    image = flat(100.0)
    image.sci[450:] += 50
    assert changed_fraction(image, kept, sigma=8.0) == 0.25


def test_masked_and_unknown_pixels_are_left_out(kept) -> None:
    """Of those that are left all are the same; where none is left, nothing has changed."""
    image = flat(100.0)
    image.sci[:100], image.mask[:100] = 5000, MaskBit.HOT
    image.sci[100:200] = np.nan
    assert changed_fraction(image, kept, sigma=8.0) == 0.0
    image.mask[:] = MaskBit.BAD
    assert changed_fraction(image, kept, sigma=8.0) == 0.0


def test_what_cannot_be_compared_is_said(kept, tmp_path) -> None:
    """Other shapes, no variance, half a file."""
    small = Image(np.zeros((5, 5), np.float32), np.ones((5, 5), np.float32))
    with pytest.raises(CalibrationError, match="cannot be compared"):
        changed_fraction(small, kept, sigma=8.0)
    with pytest.raises(CalibrationError, match="without variance"):
        changed_fraction(Image(np.zeros(SHAPE, np.float32)), kept, sigma=8.0)
    half = tmp_path / "half.fits"
    half.write_bytes(kept.read_bytes()[:8000])
    with pytest.raises(BadFits):
        changed_fraction(flat(100.0), half, sigma=8.0)
