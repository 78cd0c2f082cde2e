"""Cards: what a product says of itself is fresh, clean and readable back."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from include.ccd.cards import (
    ascii_text,
    card_number,
    card_value,
    flag_text,
    flags_of,
    identity_cards,
)
from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.image import Image

WHOLE = Section(0, 4, 0, 4)
HEADER = FrameHeader(
    kind="science",
    camera="cam\n2",
    exptime_s=60.0,
    observed_at=datetime(2024, 5, 13, 4, 1, 2, 500_000, tzinfo=UTC),
    x_binning=2,
    temperature_c=-20.0,
    object="NGC 3€",
    ra_deg=12.5,
    dec_deg=-3.0,
    width_px=4,
    height_px=4,
    amplifiers=(Amplifier(WHOLE, None, WHOLE, 1.0, 5.0),),
)


def test_identity_leaves_out_what_is_unknown_and_cleans_text() -> None:
    """No None, no line break, nothing beyond ASCII."""
    cards = identity_cards(HEADER, kind="calibrated")
    assert cards["OBJECT"] == "NGC 3?"
    assert cards["INSTRUME"] == "cam?2"
    assert cards["EXPTIME"][0] == 60.0
    assert cards["DATE-OBS"][0] == "2024-05-13T04:01:02.500000"
    assert not {"FILTER", "READOUTM", "AIRMASS"} & set(cards)
    assert ascii_text("a\tb\x7fc") == "a?b?c"


def test_values_are_read_with_or_without_a_comment() -> None:
    """A number is a number, a text is not."""
    image = Image(np.zeros((1, 1), np.float32), cards={"A": (1.5, "why"), "B": 2, "C": "x"})
    assert card_value(image, "A") == 1.5
    assert card_number(image, "B") == 2.0
    assert card_number(image, "C") is None
    assert card_number(image, "D") is None


def test_flags_are_written_once_sorted_and_read_back() -> None:
    """A text of words."""
    text = flag_text(["no_dark", "gain_unknown", "no_dark"])
    assert text == "gain_unknown no_dark"
    image = Image(np.zeros((1, 1), np.float32), cards={"FLAGS": (text, "comment")})
    assert flags_of(image) == ("gain_unknown", "no_dark")
    assert flags_of(Image(np.zeros((1, 1), np.float32))) == ()
