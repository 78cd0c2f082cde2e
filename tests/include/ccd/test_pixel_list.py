"""Lists of bad pixels: four numbers a line, and what a line may not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from include.ccd.errors import ProfileError
from include.ccd.pixel_list import read_pixel_list, write_pixel_list


def test_rectangles_are_inclusive_and_count_from_one(tmp_path: Path) -> None:
    """As FITS sections do; remarks and empty lines are passed over."""
    path = tmp_path / "a.pixels"
    path.write_text("# columns rows\n2 3 1 4   # a blemish\n\n6 6 2 2\n")
    mask = read_pixel_list(path, (4, 6))
    expected = np.zeros((4, 6), bool)
    expected[:, 1:3] = True
    expected[1, 5] = True
    np.testing.assert_array_equal(mask, expected)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Any mask, pixels on the edges included."""
    mask = np.random.default_rng(1).random((40, 30)) < 0.3
    mask[0, 0] = mask[-1, -1] = True
    path = tmp_path / "b.pixels"
    write_pixel_list(mask, path, remark="two\nlines")
    assert path.read_text().startswith("# two\n# lines\n")
    np.testing.assert_array_equal(read_pixel_list(path, mask.shape), mask)


@pytest.mark.parametrize("line", ["1 2 3", "1 2 3 x", "0 1 1 1", "3 2 1 1", "1 7 1 1", "1 1 1 5"])
def test_a_line_that_makes_no_sense_is_refused(tmp_path: Path, line: str) -> None:
    """The message names file and line."""
    path = tmp_path / "c.pixels"
    path.write_text(f"1 1 1 1\n{line}\n")
    with pytest.raises(ProfileError, match=r"c\.pixels, line 2"):
        read_pixel_list(path, (4, 6))


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    """It is not the same as an empty one."""
    with pytest.raises(ProfileError, match="cannot be read"):
        read_pixel_list(tmp_path / "none.pixels", (4, 6))
