from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from include.ccd.errors import Unusable
from include.ccd.header import parse_header
from include.ccd.pixel_checks import PIXEL_FLAGS, judge_pixels
from include.ccd.pixel_tally import PixelStatistics
from include.ccd.profile import Level, Profile

GOOD = PixelStatistics(
    minimum=900.0,
    maximum=65_535.0,
    mean=1000.0,
    valid_fraction=1.0,
    negative_fraction=0.0,
    blank_end_fraction=0.0,
    blank_fraction=0.0,
)
KINDS = ("bias", "dark", "flat")

Judge = Callable[..., set[str]]


@pytest.fixture
def judge(make_header: Callable[..., bytes], plain_profile: Profile) -> Judge:
    """Judge statistics of a frame of some kind, 48 rows of 64 pixels."""

    def judge(
        kind: str = "light", *, integer: bool = True, levels: Any = None, **numbers: Any
    ) -> set[str]:
        profile = replace(plain_profile, levels=levels or {})
        raw = make_header({"IMAGETYP": f"'{kind}'", "EXPTIME": "0" if kind == "bias" else "60"})
        header = parse_header(raw, shape=(48, 64), profile=profile)
        flags = judge_pixels(replace(GOOD, **numbers), header, integer=integer, profile=profile)
        assert flags <= PIXEL_FLAGS
        return flags

    return judge


EMPTY = [
    ("no_valid_pixels", {"minimum": None, "maximum": None, "mean": None, "valid_fraction": 0.0}),
    ("constant_pixels", {"minimum": 0.0, "maximum": 0.0, "mean": 0.0}),
    ("constant_pixels", {"minimum": 65_535.0}),
    ("all_saturated", {"minimum": 65_000.0, "mean": 65_100.0}),
    ("blank_end", {"blank_end_fraction": 0.3, "blank_fraction": 0.3}),
    ("blank_part", {"blank_end_fraction": 0.01, "blank_fraction": 0.3}),
]


@pytest.mark.parametrize(("code", "numbers"), EMPTY)
def test_a_science_frame_without_information_is_flagged(
    judge: Judge, code: str, numbers: dict[str, Any]
) -> None:
    """The night's log must account for it."""
    assert judge(**numbers) == {code}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("code", "numbers"), EMPTY)
def test_a_calibration_frame_without_information_is_refused(
    judge: Judge, kind: str, code: str, numbers: dict[str, Any]
) -> None:
    """It would spoil a master."""
    with pytest.raises(Unusable) as caught:
        judge(kind, **numbers)
    assert caught.value.code == code


def test_good_frames_of_every_kind_earn_no_flag(judge: Judge) -> None:
    """Nor does a saturated star."""
    assert [judge(kind) for kind in (*KINDS, "light", "other")] == [set()] * 5


@pytest.mark.parametrize(
    ("flag", "numbers"),
    [
        ("invalid_pixels", {"valid_fraction": 0.99}),
        ("negative_pixels", {"negative_fraction": 1e-6}),
        ("blank_end", {"blank_end_fraction": 1.5 / 48, "blank_fraction": 1.5 / 48}),
        ("blank_part", {"blank_fraction": 1 / 48}),
    ],
)
def test_oddities_are_flags_of_any_frame(judge: Judge, flag: str, numbers: dict[str, Any]) -> None:
    """Calibration frames too."""
    assert [judge(kind, **numbers) for kind in ("light", "bias")] == [{flag}, {flag}]


def test_real_numbers_may_be_negative_and_a_last_pixel_may_be_zero(judge: Judge) -> None:
    """Neither says that anything is missing."""
    assert judge(integer=False, negative_fraction=0.4) == set()
    assert judge(blank_end_fraction=3 / 64 / 48, blank_fraction=63 / 64 / 48) == set()


def test_a_level_that_contradicts_the_kind_is_flagged(judge: Judge) -> None:
    """A bias in full light; where the profile knows levels, anything outside them."""
    assert judge("bias", mean=40_000.0) == {"level_unusual"}
    assert judge("flat", mean=40_000.0) == set()
    levels = {"bias": Level(high=1100.0), "flat": Level(low=5000.0)}
    assert judge("bias", mean=1200.0, levels=levels) == {"level_unusual"}
    assert judge("bias", mean=1000.0, levels=levels) == set()
    assert judge("flat", mean=1000.0, levels=levels) == {"level_unusual"}
    assert judge("light", mean=1000.0, levels=levels) == set()
