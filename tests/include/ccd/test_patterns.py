from __future__ import annotations

import pytest

from include.ccd.patterns import compiled


def test_case_does_not_matter_and_a_dot_is_any_character() -> None:
    """Cameras shout; and a line break in a header is a character like any other."""
    assert compiled("light.frame").fullmatch("Light\nFRAME")


def test_what_is_no_pattern_is_named() -> None:
    """When the profile is loaded, not when the first frame comes."""
    with pytest.raises(ValueError, match=r"'\(' is not a regular expression"):
        compiled("(")
