"""Read noise from pairs of bias frames."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.raw import RawFrame
from include.ccd.read_noise import level_noise_factor, read_noises_adu


def frames(count: int, noise_adu: float, overscan: int) -> list[RawFrame]:
    rng = np.random.default_rng(8)
    whole = Section(0, 200, 0, 200)
    section = Section(0, 200, 200, 200 + overscan) if overscan else None
    when = datetime(2024, 5, 13, 4, tzinfo=UTC)
    header = FrameHeader(
        kind="bias",
        camera="cam",
        exptime_s=0.0,
        observed_at=when,
        width_px=200 + overscan,
        height_px=200,
        amplifiers=(Amplifier(whole, section, whole, None, None),),
    )
    return [
        RawFrame.of(np.rint(rng.normal(1000, noise_adu, header.shape)).astype(np.uint16), header)
        for _ in range(count)
    ]


@pytest.mark.parametrize("overscan", [0, 4, 32])
@pytest.mark.parametrize("noise_adu", [0.7, 2.0, 5.3])
def test_noise_is_found_whatever_the_overscan_adds(noise_adu: float, overscan: int) -> None:
    """Quantisation is part of it, the noise of the overscan level is not."""
    (found,) = read_noises_adu(frames(5, noise_adu, overscan), overscan="mean")
    assert found == pytest.approx(np.hypot(noise_adu, 12**-0.5), rel=0.02)


def test_two_frames_are_the_least() -> None:
    """One frame has no pair."""
    assert read_noises_adu(frames(1, 5.0, 0), overscan="median") == []
    assert len(read_noises_adu(frames(2, 5.0, 0), overscan="median")) == 1


def test_level_widens_the_noise_in_quadrature() -> None:
    """A level from n pixels adds 1/n of a pixel's variance."""
    assert level_noise_factor(0.0) == 1.0
    assert level_noise_factor(0.21) == pytest.approx(1.1)
