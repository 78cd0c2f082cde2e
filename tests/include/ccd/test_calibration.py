from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from include.ccd.calibration import Calibration


def test_every_policy_is_described() -> None:
    """The docstring is the manual: no field without a line."""
    described = Calibration.__doc__ or ""

    assert [f.name for f in dataclasses.fields(Calibration) if f.name not in described] == []


@pytest.mark.parametrize(
    "setting",
    [
        {"clip_sigma": 0.0},
        {"clip_sigma": float("nan")},
        {"clip_max_iters": 0},
        {"min_bias": -1},
        {"flat_low": 1.0},
        {"flat_low": 0.01},
        {"dead_below": -0.1},
        {"flat_min_adu": 2.0, "flat_max_adu": 1.0},
        {"max_age_days": -1.0},
        {"hot_sigma": 0.0},
    ],
)
def test_a_threshold_that_no_frame_could_meet_is_refused(setting: dict[str, Any]) -> None:
    """A profile that means nothing must not load."""
    with pytest.raises(ValueError, match=r"must|need"):
        Calibration(**setting)
