"""The sweeps of TORITOS look after its own steps."""

from __future__ import annotations

from include.toritos.night import STAGES
from include.toritos.pipeline import TORITOS
from include.toritos.sweeps import OpenNights


def test_open_nights_are_those_of_the_branch() -> None:
    """Every stage of a night, with the parameters that its task gives it."""
    steps = OpenNights().steps()
    assert [type(step) for step in steps] == list(TORITOS.steps)
    assert len(steps) == len(STAGES)
