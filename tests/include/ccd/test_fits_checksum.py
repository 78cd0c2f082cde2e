from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ccd.fits_checksum import ALL_ONES, UNSET, add_sum, encode


def slow_sum(data: bytes) -> int:
    """1's complement sum word by word, as the standard tells it."""
    data = data.ljust(-(-len(data) // 4) * 4, b"\0")
    total = 0
    for start in range(0, len(data), 4):
        total += int.from_bytes(data[start : start + 4], "big")
        total = (total & ALL_ONES) + (total >> 32)
    return total


@given(st.binary(max_size=300))
def test_the_sum_is_that_of_the_standard(data: bytes) -> None:
    """Whatever the bytes and their number."""
    assert add_sum(data) == slow_sum(data)


@given(st.binary(max_size=300), st.integers(0, 60))
def test_a_sum_in_parts_is_the_sum_of_the_whole(data: bytes, words: int) -> None:
    """A file goes by in chunks."""
    assert add_sum(data[4 * words :], add_sum(data[: 4 * words])) == add_sum(data)


def test_many_large_words_do_not_overflow() -> None:
    """A big frame of ones is where a 32-bit accumulator would wrap."""
    ones = np.full(1 << 20, ALL_ONES, dtype=">u4")

    assert add_sum(ones.data.cast("B")) == ALL_ONES


@given(st.integers(0, ALL_ONES))
def test_the_encoded_sum_brings_a_unit_to_all_ones(total: int) -> None:
    """The sixteen characters, in place of sixteen zeros, complete the sum to all ones."""
    # a CHECKSUM string begins in column 12 of its card: three bytes past a word
    before, after = (b"\0" * 3 + text.encode() + b"\0" for text in (UNSET, encode(total)))
    rest = (total - add_sum(before)) % ALL_ONES

    assert encode(total).isalnum()
    assert add_sum(after, rest) in {0, ALL_ONES}


@pytest.mark.parametrize("total", [0, 1, 868229149, ALL_ONES])
def test_the_encoding_is_the_one_that_astropy_makes(total: int) -> None:
    """An independent implementation agrees."""
    from astropy.io import fits

    assert encode(total) == fits.PrimaryHDU()._char_encode(~np.uint32(total))
