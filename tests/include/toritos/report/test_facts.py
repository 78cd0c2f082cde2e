"""The digest of a night tells whether the night has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest


def test_being_told_changes_no_night(full_facts) -> None:
    """Nor does the moment of looking."""
    facts = full_facts()
    later = replace(facts, alerts=(), made_at=facts.made_at + timedelta(days=1), notes=())
    assert later.digest() == facts.digest()


@pytest.mark.parametrize("name", ["exposures", "images", "masters", "checks", "standing"])
def test_a_change_of_the_night_is_one_of_its_digest(full_facts, name) -> None:
    """More frames, masters, images, failures."""
    facts = full_facts()
    assert replace(facts, **{name: ()}).digest() != facts.digest()


def test_range_is_named_by_its_ends(bare_facts) -> None:
    """A night by itself."""
    assert bare_facts().name == "2026-11-20"
    assert bare_facts(last=date(2026, 11, 22)).name == "2026-11-20 to 2026-11-22"


def test_page_is_named_by_its_night_or_by_both_ends(bare_facts) -> None:
    """So that the next one of the same night takes its place."""
    assert bare_facts().page_name == "2026-11-20.html"
    assert bare_facts(last=date(2026, 11, 22)).page_name == "2026-11-20_to_2026-11-22.html"
