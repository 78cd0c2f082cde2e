"""The table of sources has documented columns and flags."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.mask import MaskBit
from include.ccd.psf import Psf
from include.ccd.source_table import SOURCE_DTYPE, SourceCatalogue, SourceFlag, source_flags


def test_every_column_is_documented() -> None:
    """Each name, or the family that it belongs to, stands in the docstring."""
    text = SourceCatalogue.__doc__ or ""
    for name in SOURCE_DTYPE.names or ():
        family = name.removesuffix("_err").removesuffix("_err_px")
        family = "mag_…" if family.startswith("mag_") else family
        assert family in text or f"{family}_px" in text, name


def test_flags_are_single_bits() -> None:
    """They add up, and fit the column."""
    values = [flag.value for flag in SourceFlag]
    assert sum(values) == 2 ** len(values) - 1
    assert max(values) < np.iinfo(SOURCE_DTYPE["flags"]).max


def test_length_is_the_number_of_sources() -> None:
    """An empty catalogue is false."""
    catalogue = SourceCatalogue(np.zeros(0, SOURCE_DTYPE), Psf.of_fwhm(3.0), 6.0, 0.0, 1.0)
    assert len(catalogue) == 0
    assert not catalogue


@pytest.mark.parametrize(
    ("bits", "usable", "flags"),
    [
        (0, 1.0, SourceFlag(0)),
        (MaskBit.SATURATED, 1.0, SourceFlag.SATURATED),
        (MaskBit.COSMIC, 1.0, SourceFlag.INTERPOLATED),
        (MaskBit.BAD | MaskBit.INTERPOLATED, 0.9, SourceFlag.MASKED | SourceFlag.INTERPOLATED),
        (MaskBit.NO_DATA, 0.4, SourceFlag.MASKED | SourceFlag.UNCOVERED),
    ],
)
def test_masks_near_a_place_are_flags(bits, usable, flags) -> None:
    """Each says what it means for a flux."""
    assert source_flags(int(bits), usable) == flags
