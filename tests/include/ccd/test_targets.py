"""What a profile may say of objects of interest."""

from __future__ import annotations

import pytest

from include.ccd.targets import LightCurves, Target, Transit

PLANET = Transit(
    epoch_bjd_tdb=2454420.447187,
    period_days=2.150008,
    semi_major_axis=6.05,
    inclination_deg=88.9,
    limb_darkening=(0.35, 0.28),
)


def test_the_nearest_mid_transit_follows_from_the_ephemeris() -> None:
    """Of the night of 2017-12-20, whichever hour is asked for."""
    for hours in (-5.0, 0.0, 20.0):
        mid = PLANET.nearest_mid(2458107.71 + hours / 24.0)
        assert mid == pytest.approx(2458107.710907, abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "has a name"),
        ({"ra_deg": 360.0}, "ra_deg"),
        ({"pixel": (1.0, 2.0), "field": "A"}, "go together"),
        ({"pixel": (1.0, 2.0), "chart": ((1.0, 2.0),) * 8}, "with the field"),
        ({"pixel": (1.0,), "field": "A", "chart": ((1.0, 2.0),) * 8}, "pixel is"),
        ({"pixel": (1.0, 2.0), "field": "A", "chart": ((1.0, 2.0),)}, "at least 8"),
        ({"pixel": (1.0, 2.0), "field": "A", "chart": ((1.0,),) * 8}, "each star"),
    ],
)
def test_a_target_that_cannot_be_found_is_refused(wrong: dict[str, object], said: str) -> None:
    """With what is wrong with it."""
    with pytest.raises(ValueError, match=said):
        Target(**{"name": "A", "ra_deg": 1.0, "dec_deg": 2.0, **wrong})


@pytest.mark.parametrize("wrong", [{"max_stars": 3}, {"match_px": 0.0}, {"reject_ratio": 1.0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    """As no star could be matched or kept."""
    with pytest.raises(ValueError, match="must be"):
        LightCurves(**wrong)
