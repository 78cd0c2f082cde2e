from __future__ import annotations

import pytest

from include.ccd.errors import BadHeader
from include.ccd.fieldmap import Condition, Field, KindRule
from include.ccd.fits_cards import Cards


def cards_of(**values: str) -> Cards:
    cards = [f"{key.replace('_', '-'):<8}= {text}" for key, text in values.items()]
    raw = "".join(card.ljust(80) for card in [*cards, "END"])
    return Cards(raw.encode("latin-1"))


def test_the_first_synonym_that_is_there_counts() -> None:
    """A blank one is not there."""
    field = Field(keywords=("EXPTIME", "EXPOSURE"), convert="number")

    assert field.find(cards_of(EXPOSURE="30")) == 30.0
    assert field.find(cards_of(EXPOSURE="30", EXPTIME="60")) == 60.0
    assert field.find(cards_of(EXPOSURE="30", EXPTIME="'   '")) == 30.0
    assert field.find(cards_of(OTHER="1")) is None


def test_a_constant_stands_in_for_an_absent_keyword() -> None:
    """A camera that always bins 2x2 does not say so."""
    field = Field(keywords=("XBINNING",), constant=2.0, convert="integer")

    assert field.find(cards_of(OTHER="1")) == 2.0
    assert field.find(cards_of(XBINNING="3")) == 3


def test_a_map_translates_and_leaves_the_rest() -> None:
    """'6 0' is V; a filter nobody listed keeps its own name."""
    field = Field(keywords=("FILTERS",), map={"6 0": "V", "5 0": "B"})

    assert field.find(cards_of(FILTERS="'6 0     '")) == "V"
    assert field.find(cards_of(FILTERS="'2 0     '")) == "2 0"


def test_a_value_that_means_no_data_is_absent() -> None:
    """-1 kelvin is not a temperature."""
    field = Field(keywords=("CAMTEMP",), convert="kelvin", missing=(-1.0,))

    assert field.find(cards_of(CAMTEMP="-1")) is None
    assert field.find(cards_of(CAMTEMP="271.0")) == -2.15


def test_a_pattern_takes_the_value_out_of_the_text() -> None:
    """'60.0 s' is sixty seconds for an instrument that writes so."""
    field = Field(keywords=("EXPTIME",), convert="number", pattern=r"([\d.]+) s")

    assert field.find(cards_of(EXPTIME="'60.0 s'")) == 60.0
    with pytest.raises(BadHeader, match="EXPTIME"):
        field.find(cards_of(EXPTIME="'one minute'"))


def test_a_number_may_be_in_another_unit() -> None:
    """Milliseconds become seconds, degrees Fahrenheit degrees Celsius; zero stays a value."""
    exptime = Field(keywords=("EXPMS",), convert="number", scale=0.001)
    celsius = Field(keywords=("TEMPF",), convert="number", scale=5 / 9, offset=-160 / 9)

    assert exptime.find(cards_of(EXPMS="1500")) == 1.5
    assert exptime.find(cards_of(EXPMS="0")) == 0.0
    assert celsius.find(cards_of(TEMPF="14")) == pytest.approx(-10)


def test_synonyms_that_contradict_each_other_are_found() -> None:
    """The first counts; that the other says something else is for the caller to tell."""
    field = Field(keywords=("EXPTIME", "EXPOSURE"), convert="number")

    assert field.agrees(cards_of(EXPTIME="60", EXPOSURE="60.0"))
    assert field.agrees(cards_of(EXPTIME="60"))
    assert field.agrees(cards_of(EXPTIME="60", EXPOSURE="'  '"))
    assert not field.agrees(cards_of(EXPTIME="60", EXPOSURE="30"))
    assert not field.agrees(cards_of(EXPTIME="60", EXPOSURE="'long'"))


def test_a_decimal_comma_is_read_where_the_camera_writes_it() -> None:
    """In text too; a filter called 'g,r' keeps its comma."""
    cards = cards_of(EXPTIME="'60,5'", GAIN="1,5", FILTER="'g,r'")

    for keyword, value in (("EXPTIME", 60.5), ("GAIN", 1.5)):
        field = Field(keywords=(keyword,), convert="number")
        assert field.find(cards.with_decimal_comma()) == value
        with pytest.raises(BadHeader):
            field.find(cards)
    assert Field(keywords=("FILTER",)).find(cards.with_decimal_comma()) == "g,r"


def test_a_pattern_sees_only_the_beginning_of_a_long_text() -> None:
    """A camera's text cannot make a profile's pattern slow."""
    long = "".join(f"CONTINUE  '{'x' * 60}&'".ljust(80) for _ in range(20))
    raw = "FILTER  = 'x&'".ljust(80) + long + "CONTINUE  'V'".ljust(80) + "END".ljust(80)

    with pytest.raises(BadHeader):
        Field(keywords=("FILTER",), pattern="(V)").find(Cards(raw.encode()))
    assert not Condition(matches="x*V").holds("x" * 300 + "V")


def test_an_unreadable_value_names_its_keyword() -> None:
    """The message is enough to mend the profile."""
    with pytest.raises(BadHeader, match=r"EXPTIME: .*'60.0 s'") as caught:
        Field(keywords=("EXPTIME",), convert="number").find(cards_of(EXPTIME="'60.0 s'"))
    assert caught.value.code == "unreadable_value"


@pytest.mark.parametrize("arguments", [{}, {"keywords": ("A",), "pattern": "no group"}])
def test_a_field_that_can_never_tell_is_refused(arguments: dict[str, object]) -> None:
    """A profile is checked when it is loaded, not when the first frame arrives."""
    with pytest.raises(ValueError, match=r"needs|group"):
        Field(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        (Condition(matches="bias|zero"), "Bias ", True),
        (Condition(matches="bias|zero"), "bias frame", False),
        (Condition(matches="3"), 3, True),
        (Condition(equals=0), 0, True),
        (Condition(equals=0), 0.5, False),
        (Condition(equals=0), "0", True),
        (Condition(equals=0), "none", False),
        (Condition(above=0), 1e-3, True),
        (Condition(above=0), 0, False),
        (Condition(above=0, below=10), 10, False),
        (Condition(matches=".*"), None, False),
        (Condition(present=True), 0, True),
        (Condition(present=True), None, False),
        (Condition(present=False), None, True),
        (Condition(present=False), "x", False),
    ],
)
def test_a_condition_holds_or_does_not(condition: Condition, value: object, expected: bool) -> None:
    """Text as a whole and without case; numbers by size; nothing fulfils nothing."""
    assert condition.holds(value) is expected  # type: ignore[arg-type]


def test_a_rule_wants_all_its_conditions() -> None:
    """A bias is called bias and has no exposure; a rule without conditions always holds."""
    rule = KindRule("bias", {"OBJECT": Condition("bias"), "EXPTIME": Condition(equals=0)})

    assert rule.holds(cards_of(OBJECT="'bias'", EXPTIME="0"))
    assert not rule.holds(cards_of(OBJECT="'bias'", EXPTIME="1"))
    assert not rule.holds(cards_of(OBJECT="'bias'"))
    assert KindRule("science").holds(cards_of(OTHER="1"))
