"""Images are placed by the scale of their own pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.corral.settings import Settings
from include.toritos.instrument import profile_of
from include.toritos.sky_place import astrometry_of


@pytest.mark.parametrize(("binning", "times"), [("1x1", 1.0), ("2x2", 2.0), ("3x3", 3.0)])
def test_binned_pixels_cover_more_of_the_sky(binning: str, times: float, tmp_path: Path) -> None:
    """The profile states the scale of single ones; all else is as it says."""
    profile = profile_of("toritos", Settings.below(tmp_path))
    found = astrometry_of(profile, binning)
    assert profile.astrometry is not None
    assert found.scale_arcsec_per_px == pytest.approx(times * 0.71)
    assert found.radius_deg == profile.astrometry.radius_deg
