"""Cosmic rays are tracks, come at their rate, and keep to the frame."""

from __future__ import annotations

import numpy as np
import pytest

from include.toritos.simulator.cosmics import cosmic_hits
from include.toritos.simulator.streams import stream


def test_tracks_are_elongated_and_carry_charge() -> None:
    """Each pixel once, sorted, several per track, hundreds of electrons on average."""
    pixels, charge_e = cosmic_hits(stream(1, "cosmics"), size_px=512, mean_count=200.0)
    assert (np.diff(pixels) > 0).all()
    assert pixels.min() >= 0
    assert pixels.max() < 512**2
    assert len(pixels) / 200.0 > 3.0
    assert 800.0 < charge_e.mean() < 2500.0


def test_the_rate_is_kept() -> None:
    """Hits grow with the expected number; none are expected in no time."""
    few, many = (
        len(cosmic_hits(stream(2, "cosmics"), size_px=512, mean_count=mean)[0])
        for mean in (30.0, 300.0)
    )
    assert many / few == pytest.approx(10.0, rel=0.5)
    pixels, charge_e = cosmic_hits(stream(2, "cosmics"), size_px=512, mean_count=0.0)
    assert len(pixels) == len(charge_e) == 0
