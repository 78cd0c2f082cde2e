"""Events of the sky go through the outbox as they are, and what is none is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from include.corral.sky_event import SkyEvent
from tests.include.corral.channels.conftest import SKY_EVENT


def test_what_a_newer_release_says_more_is_left_out() -> None:
    """Rows outlive the code that wrote them."""
    context = SKY_EVENT.as_context()
    context["sky_event"]["colour"] = 1
    assert SkyEvent.from_context(context) == SKY_EVENT


def test_event_comes_through_json_as_it_was() -> None:
    """As it does through the outbox."""
    assert SkyEvent.from_context(json.loads(json.dumps(SKY_EVENT.as_context()))) == SKY_EVENT


@pytest.mark.parametrize("context", [None, {}, {"sky_event": 7}])
def test_context_without_an_event_says_so(context) -> None:
    """Most alerts are of something else."""
    with pytest.raises(ValueError, match="names no place in the sky"):
        SkyEvent.from_context(context)


@pytest.mark.parametrize(
    "wrong", [{"ra_deg": -1.0}, {"dec_deg": 91.0}, {"error_deg": float("inf")}, {"score": 1.5}]
)
def test_numbers_that_cannot_be_are_refused_by_name(wrong) -> None:
    """By the rule that makes the event, not by the broker that gets it."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SKY_EVENT, **wrong)
