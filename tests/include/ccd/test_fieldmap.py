from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.ccd.errors import BadHeader
from include.ccd.fieldmap import Condition, Field, KindRule, TimeSource
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


def test_a_time_needs_all_its_keywords() -> None:
    """A date without its time is no instant, and no error either: another source may tell."""
    source = TimeSource(keywords=("DATE-OBS", "UT"))

    assert source.find(cards_of(DATE_OBS="'2024-03-05'")) is None
    assert source.find(cards_of(DATE_OBS="'2024-03-05'", UT="'03:04:05'")) == datetime(
        2024, 3, 5, 3, 4, 5, tzinfo=UTC
    )


def test_the_date_of_the_file_is_never_the_date_of_the_sky() -> None:
    """DATE is refused as a source of time."""
    with pytest.raises(ValueError, match="DATE is when the file was written"):
        TimeSource(keywords=("DATE",))


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
