"""Which masters apply, by which factors, with which noise."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from include.ccd.calibration import Calibration
from include.ccd.correction import (
    MissingMaster,
    bias_digest,
    check_shape,
    dark_factor,
    inherited_flags,
    plan_correction,
    require,
)
from include.ccd.errors import CalibrationError
from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.image import Image

SHAPE = (4, 6)
LOOSE = Calibration(missing_bias="flag", missing_dark="flag")


def header(exptime_s: float) -> FrameHeader:
    whole = Section.whole(SHAPE)
    when = datetime(2024, 5, 13, 4, tzinfo=UTC)
    amplifiers = (Amplifier(whole, None, whole, 1.0, 5.0),)
    return FrameHeader(
        kind="science",
        camera="cam",
        filter="V",
        exptime_s=exptime_s,
        observed_at=when,
        width_px=6,
        height_px=4,
        amplifiers=amplifiers,
    )


def image(value: float, **cards) -> Image:
    return Image(np.full(SHAPE, value, np.float32), np.ones(SHAPE, np.float32), cards=cards)


@pytest.mark.parametrize("k", [0.0, 0.25, 1.0])
def test_noise_shared_by_dark_and_frame_is_counted_once(k: float) -> None:
    """Against draws: bias noise in the frame and in the dark that the same bias made."""
    rng = np.random.default_rng(1)
    bias = image(1000)
    dark = image(5, EXPTIME=100.0, BIASCOR=True, BIASID=bias_digest(bias))
    plan = plan_correction(header(100.0 * k), bias=bias, dark=dark, calibration=LOOSE)
    b = rng.normal(0, 3, 200_000)
    d = rng.normal(0, 2, 200_000) - b
    observed = np.var(-plan.bias_factor * b - plan.dark_factor * d)
    stated = plan.bias_weight * 9 + plan.dark_weight * (4 + 9)
    assert stated == pytest.approx(observed, rel=0.02)


def test_dark_of_another_bias_has_independent_noise() -> None:
    """Both variances count in full."""
    dark = image(5, EXPTIME=60.0, BIASCOR=True, BIASID=bias_digest(image(1001)))
    plan = plan_correction(header(60.0), bias=image(1000), dark=dark, calibration=LOOSE)
    assert (plan.bias_weight, plan.dark_weight) == (1.0, 1.0)


def test_dark_that_contains_the_bias_is_not_subtracted_twice() -> None:
    """Frame minus bias minus scaled dark current, from a dark with the bias still in it."""
    frame, bias, current = 1000 + 30 + 77, 1000.0, 60.0
    dark = image(bias + current, EXPTIME=100.0, BIASCOR=False)
    plan = plan_correction(header(50.0), bias=image(bias), dark=dark, calibration=LOOSE)
    assert frame - plan.bias_factor * bias - plan.dark_factor * (bias + current) == 77
    assert plan.bias_weight == pytest.approx(0.25)


def test_dark_that_contains_the_bias_replaces_it_at_its_own_exposure_only() -> None:
    """Scaled, it would scale the bias."""
    dark = image(1030, EXPTIME=60.0, BIASCOR=False)
    plan = plan_correction(header(60.2), bias=None, dark=dark, calibration=LOOSE)
    assert (plan.bias_factor, plan.dark_factor) == (0.0, 1.0)
    assert plan.flags == ("no_bias",)
    for exptime_s in (30.0, 0.0):
        with pytest.raises(CalibrationError, match="scaling needs a master bias"):
            plan_correction(header(exptime_s), bias=None, dark=dark, calibration=LOOSE)


def test_missing_masters_are_flagged_by_policy() -> None:
    """And what the dark went without is told, too."""
    plan = plan_correction(header(60.0), bias=None, dark=None, calibration=LOOSE)
    assert plan.flags == ("no_bias", "no_dark")
    assert (plan.bias_factor, plan.dark_factor) == (0.0, 0.0)
    dark = image(5, EXPTIME=60.0, FLAGS="no_bias gain_unknown")
    assert inherited_flags(dark, "dark") == ("dark_no_bias",)
    assert inherited_flags(None, "dark") == ()
    plan = plan_correction(header(60.0), bias=image(1), dark=dark, calibration=LOOSE)
    assert plan.flags == ("dark_no_bias",)


def test_missing_master_stops_by_policy() -> None:
    """The message names the master and the setting."""
    with pytest.raises(MissingMaster, match="no master dark, and missing_dark is 'stop'"):
        require(None, "dark", "stop")
    assert require(None, "dark", "flag") == ("no_dark",)
    assert require(image(1), "dark", "stop") == ()


@pytest.mark.parametrize(
    ("policy", "exptime_s", "expected"),
    [("scale", 30.0, 0.5), ("scale", 60.4, 60.4 / 60), ("exact", 60.4, 1.0), ("none", 7.0, 1.0)],
)
def test_dark_factor_follows_the_policy(policy, exptime_s: float, expected: float) -> None:
    """The ratio of exposure times, or the dark as it is."""
    dark = image(5, EXPTIME=60.0)
    assert dark_factor(exptime_s, dark, Calibration(dark_scaling=policy)) == expected


def test_longer_frames_need_permission_to_scale_up() -> None:
    """Scaling up multiplies the dark's noise."""
    dark = image(5, EXPTIME=60.0)
    assert dark_factor(120.0, dark, Calibration(dark_scale_up=True)) == 2.0
    with pytest.raises(CalibrationError, match="dark of 60 s is shorter than the frame's 120 s"):
        dark_factor(120.0, dark, Calibration())


@pytest.mark.parametrize(
    ("policy", "cards", "message"),
    [
        ("exact", {"EXPTIME": 30.0}, "dark of 30 s for a frame of 60 s; dark_scaling is 'exact'"),
        ("scale", {"EXPTIME": 0.0}, "dark exposure time is 0.0 s"),
        ("scale", {}, "dark exposure time is None s"),
    ],
)
def test_darks_that_cannot_be_used_are_refused(policy, cards, message: str) -> None:
    """No factor is guessed."""
    with pytest.raises(CalibrationError, match=message):
        dark_factor(60.0, image(5, **cards), Calibration(dark_scaling=policy))


def test_master_of_another_shape_is_refused() -> None:
    """Both shapes are named."""
    with pytest.raises(
        CalibrationError, match=r"flat has shape \(2, 2\), the trimmed frame \(4, 6\)"
    ):
        check_shape(header(1.0), Image(np.ones((2, 2), np.float32)), "flat")
    check_shape(header(1.0), None, "flat")
