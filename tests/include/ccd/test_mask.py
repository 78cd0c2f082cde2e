from __future__ import annotations

import numpy as np

from include.ccd.mask import MaskBit


def test_bits_keep_their_published_values() -> None:
    """Files that are already written must keep their meaning."""
    assert {bit.name: bit.value for bit in MaskBit} == {
        "BAD": 1,
        "HOT": 2,
        "SATURATED": 4,
        "COSMIC": 8,
        "NO_DATA": 16,
        "LOW_FLAT": 32,
        "INTERPOLATED": 64,
        "CALIBRATION": 128,
        "WARM": 256,
    }


def test_bits_add_up_in_a_uint16_plane() -> None:
    """A pixel can be wrong for several reasons and the plane stays uint16."""
    plane = np.zeros(2, dtype=np.uint16)
    plane[0] |= MaskBit.HOT | MaskBit.SATURATED

    assert plane.dtype == np.uint16
    assert MaskBit(int(plane[0])) == MaskBit.HOT | MaskBit.SATURATED
