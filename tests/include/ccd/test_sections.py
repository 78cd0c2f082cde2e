from __future__ import annotations

import numpy as np
import pytest

from include.ccd.sections import Amplifier, Section


def test_the_fits_convention_is_one_based_inclusive_and_x_first() -> None:
    """[1:3,2:2] is columns 0, 1, 2 of row 1."""
    section = Section.from_fits("[1:3,2:2]")

    assert section == Section(1, 2, 0, 3)
    assert section.shape == (1, 3)
    assert np.arange(12).reshape(3, 4)[section.slices].tolist() == [[4, 5, 6]]


@pytest.mark.parametrize("text", ["[1:1024,1:512]", "[321:352,1:512]", "[7:7,9:9]"])
def test_a_section_is_written_as_it_was_read(text: str) -> None:
    """`fits` is the inverse of `from_fits`."""
    assert Section.from_fits(text).fits() == text


def test_spaces_do_not_matter() -> None:
    """IRAF writes them, others do not."""
    assert Section.from_fits(" [ 1 : 4 , 1 : 2 ] ") == Section(0, 2, 0, 4)


@pytest.mark.parametrize(
    "text",
    ["", "1:2,3:4", "[4:1,1:2]", "[0:4,1:2]", "[1:2]", "[*,1:2]", "[1:2,3:4,5:6]", "[-1:2,1:2]"],
)
def test_what_is_not_a_forward_rectangle_is_refused(text: str) -> None:
    """A section that cannot be read is an error, never an empty slice."""
    with pytest.raises(ValueError, match="section must"):
        Section.from_fits(text)


def test_within_counts_both_axes() -> None:
    """A section lies in an array only when rows and columns do."""
    section = Section(0, 10, 0, 20)

    assert section.within((10, 20))
    assert not section.within((9, 20))
    assert not section.within((10, 19))
    assert Section.whole((10, 20)) == section


def test_an_amplifier_is_placed_where_it_fits() -> None:
    """Data of one shape cannot be placed in a section of another."""
    with pytest.raises(ValueError, match="shape"):
        Amplifier(Section(0, 2, 0, 2), None, Section(0, 2, 0, 3), None, None)
