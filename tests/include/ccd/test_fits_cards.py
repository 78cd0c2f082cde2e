from __future__ import annotations

from collections.abc import Callable

import pytest

from include.ccd.errors import BadHeader
from include.ccd.fits_cards import Cards, clean_text

MakeHeader = Callable[..., bytes]


def cards_of(*texts: str) -> Cards:
    raw = "".join(text.ljust(80) for text in (*texts, "END"))
    return Cards(raw.ljust(2880).encode("latin-1"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("                  60", 60),
        ("060.00 / Exposure", 60.0),
        ("+62.592 / Altitude", 62.592),
        ("5.985000E3  /  DATA MAX", 5985.0),
        ("1.5D-3", 0.0015),
        ("1.5e-3", 0.0015),
        (".5", 0.5),
        ("T / yes", True),
        ("F", False),
        ("'it''s / a slash' / comment", "it's / a slash"),
        ("'  leading kept  '", "  leading kept"),
        ("''", ""),
        ("/ only a comment", None),
        ("", None),
    ],
)
def test_a_value_is_what_the_standard_says(text: str, expected: object) -> None:
    """Fixed or free format, text or number, with or without a comment."""
    value = cards_of(f"KEY     = {text}").get("KEY")

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["NaN", "inf", "-Infinity", "60,0", "'unclosed", "12:30:00", "True", "1_000", "0x10", "T F"],
)
def test_a_senseless_card_is_an_error_of_that_card_alone(text: str) -> None:
    """The rest of the header stays readable."""
    cards = cards_of(f"BAD     = {text}", "GOOD    = 1")

    assert cards.get("GOOD") == 1
    with pytest.raises(BadHeader, match="BAD") as caught:
        cards.get("BAD")
    assert caught.value.code == "unreadable_card"


@pytest.mark.parametrize(
    ("card", "is_odd"),
    [
        ("FOCUS   = NaN", True),
        ("FOCUS   = 60,5", True),
        ("FOCUS   = 'open", True),
        ("FOCUS   = 1\xa0", True),
        ("FOCUS   = (1.0, -2.0) / complex", False),
        ("FOCUS   = +1.5E-3 / 'quoted' comment", False),
        ("FOCUS   =", False),
        ("FOCUS   = 'it''s' / fine", False),
    ],
)
def test_a_senseless_card_is_flagged_though_nobody_asks_for_it(card: str, is_odd: bool) -> None:
    """Somebody may, later; a complex number is legal, only of no use here."""
    assert ("unreadable_card" in cards_of(card, "GOOD    = 1").flags()) is is_odd


def test_a_decimal_comma_is_a_number_for_those_who_say_so() -> None:
    """In this header and in the one it falls back on; text keeps its commas."""
    cards = cards_of("GAIN    = 1,5 / a, b", "NAME    = '1,5'")
    both = cards_of("ZERO    = -0,25").backed_by(cards).with_decimal_comma()

    assert (both.get("ZERO"), both.get("GAIN"), both.get("NAME")) == (-0.25, 1.5, "1,5")
    assert both.flags() == set()
    assert cards.flags() == {"unreadable_card"}
    with pytest.raises(BadHeader):
        cards.get("GAIN")


@pytest.mark.parametrize("card", ["END     = 1", "END of it", "END     ='x'"])
def test_only_a_bare_end_is_the_end(card: str) -> None:
    """What follows counts: a checksum there must hold."""
    cards = cards_of("FIRST   = 1", card, "LAST    = 2")

    assert cards.get("LAST") == 2
    assert "odd_card" in cards.flags()
    assert cards_of("FIRST   = 1", "END\0\0", "LAST    = 2").get("LAST") is None


def test_words_that_carry_no_value_carry_none() -> None:
    """A comment may contain '= '; CONTINUE with it continues nothing."""
    cards = cards_of("KEY     = 'a&'", "CONTINUE= 'b'", "COMMENT = 1", "COMMENT = 2", "HISTORY = x")

    assert cards.get("KEY") == "a&"
    assert cards.get("COMMENT") is None
    assert cards.flags() == {"odd_card"}


def test_a_keyword_ends_in_blanks_and_nothing_else() -> None:
    """A no-break space is not one: such a card says nothing about BZERO."""
    cards = cards_of("BZERO\xa0  = 32768", "BSCALE  = 1\xa0")

    assert "BZERO" not in cards
    assert "odd_card" in cards.flags()
    with pytest.raises(BadHeader):
        cards.get("BSCALE")


def test_text_without_end_is_cut() -> None:
    """A header full of CONTINUE makes a text of some thousand characters, not of a million."""
    more = [f"CONTINUE  '{'x' * 60}&'"] * 5000
    value = cards_of("KEY     = '&'", *more).get("KEY")

    assert isinstance(value, str)
    assert len(value) == 100 * 60 + 1


def test_long_text_is_continued() -> None:
    """CONTINUE cards make one value."""
    cards = cards_of(
        "LONG    = 'one &'", "CONTINUE  'two&'", "CONTINUE  ' three' / end", "NEXT    = 2"
    )

    assert cards.get("LONG") == "one two three"
    assert cards.get("NEXT") == 2
    assert cards.flags() == set()


def test_an_ampersand_without_continuation_is_just_that() -> None:
    """The text of a card that is not continued is not touched."""
    assert cards_of("NAME    = 'Black & White &'").get("NAME") == "Black & White &"


def test_a_hierarch_card_is_found_by_its_long_name() -> None:
    """ESO writes them."""
    assert cards_of("HIERARCH ESO DET OUT1 = 5 / amp").get("ESO DET OUT1") == 5


def test_the_same_keyword_with_another_value_is_refused() -> None:
    """Which of two values is right cannot be guessed."""
    cards = cards_of("OBSTYPE = 'OBJECT'", "OBSTYPE = 1")

    assert cards.flags() == {"duplicate_keyword"}
    with pytest.raises(BadHeader) as caught:
        cards.get("OBSTYPE")
    assert caught.value.code == "duplicate_keyword"


def test_the_same_keyword_with_the_same_value_is_harmless() -> None:
    """60 and 60.0 are the same exposure."""
    cards = cards_of("EXPTIME = 60", "EXPTIME = 60.0 / again")

    assert cards.get("EXPTIME") == 60
    assert cards.flags() == set()


@pytest.mark.parametrize(
    ("card", "flag"),
    [
        ("GAIN.SPE= 2", "odd_card"),
        ("gain    = 2", "odd_card"),
        ("JUST SOME WORDS", "odd_card"),
        ("OBSERVER= 'Mar\xeda'", "non_ascii_header"),
        ("OBSERVER= 'a\r\nBcc: b'", "control_characters"),
        ("OBSERVER= '\x1b[31m'", "control_characters"),
    ],
)
def test_oddities_are_flagged_not_refused(card: str, flag: str) -> None:
    """A header by another hand is read as far as it makes sense."""
    cards = cards_of(card, "EXPTIME = 60")

    assert cards.flags() == {flag}
    assert cards.get("EXPTIME") == 60


def test_commentary_is_no_oddity() -> None:
    """COMMENT, HISTORY and blank cards hold anything."""
    assert cards_of("COMMENT  a = b", "HISTORY x", "", "         the image").flags() == set()


def test_what_stands_after_the_end_is_not_read() -> None:
    """Padding is not header."""
    raw = "A       = 1".ljust(80) + "END".ljust(80) + "A       = 2".ljust(80) + "\0" * 100

    cards = Cards(raw.encode())

    assert cards.get("A") == 1
    assert cards.flags() == set()


def test_an_extension_falls_back_on_the_primary_header(make_header: MakeHeader) -> None:
    """Its own cards win; what it lacks is inherited."""
    primary = make_header({"FILTER": "'V'", "EXPTIME": "30"})
    extension = make_header({"EXPTIME": "60"}, drop=["FILTER"])

    cards = Cards.of(primary + extension)

    assert (cards.get("EXPTIME"), cards.get("FILTER")) == (60, "V")
    assert "FILTER" in cards
    assert not cards.states("FILTER")


def test_an_astropy_header_is_read_like_its_text() -> None:
    """Tests and notebooks have astropy headers at hand."""
    from astropy.io import fits

    header = fits.Header([("EXPTIME", 60.0), ("OBJECT", "M83"), ("SIMPLE", True)])

    assert [(word, value) for word, value, _ in Cards.of(header).items()] == [
        ("EXPTIME", 60.0),
        ("OBJECT", "M83"),
        ("SIMPLE", True),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" M83 ", "M83"),
        ("a\r\nBcc: b", "a??Bcc: b"),
        ("nul\0", "nul?"),
        ("Mar\xeda", "María"),
        ("Mar\xc3\xada", "María"),
        ("x" * 300, "x" * 200),
    ],
)
def test_text_is_made_safe_to_show_and_to_store(text: str, expected: str) -> None:
    """No control character reaches a row, a log or a page; NUL would break PostgreSQL."""
    assert clean_text(text) == expected
