"""Conditions are those of the place and the hour."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from astropy.time import Time

from include.toritos.simulator import NightPlan
from include.toritos.simulator.conditions import (
    airmass_at,
    conditions_of,
    julian_date,
    scale_arcsec_per_px,
)
from include.toritos.simulator.plan import LATITUDE_DEG, LONGITUDE_DEG


def test_julian_date_agrees_with_astropy() -> None:
    """To a tenth of a millisecond, fraction of a second included."""
    instant = datetime(2026, 11, 21, 3, 4, 5, 678000, tzinfo=UTC)
    assert julian_date(instant) == pytest.approx(Time(instant).jd, abs=1e-9)


def test_airmass_is_one_at_the_zenith_and_two_at_sixty_degrees_from_it() -> None:
    """On the meridian: 13 h 10 m 46.37 s at Greenwich on 1987-04-10 (Meeus 1998, example 12.a)."""
    instant = datetime(1987, 4, 10, tzinfo=UTC)
    meridian_deg = 15.0 * (13.0 + 10.0 / 60.0 + 46.37 / 3600.0) + LONGITUDE_DEG
    zenith = airmass_at(instant, ra_deg=meridian_deg, dec_deg=LATITUDE_DEG)
    low = airmass_at(instant, ra_deg=meridian_deg, dec_deg=LATITUDE_DEG + 60.0)
    rising = airmass_at(instant, ra_deg=meridian_deg + 60.0, dec_deg=0.0)
    setting = airmass_at(instant, ra_deg=meridian_deg - 60.0, dec_deg=0.0)
    assert rising == pytest.approx(setting, rel=1e-5)
    assert zenith == pytest.approx(1.0, abs=1e-4)
    assert low == pytest.approx(2.0, abs=0.01)


def test_airmass_ends_at_twenty_degrees() -> None:
    """A field of another season does not make an impossible airmass."""
    assert airmass_at(datetime(2026, 6, 1, tzinfo=UTC), ra_deg=30.0, dec_deg=80.0) < 3.0


def test_the_pixel_scale_is_that_of_the_survey(plan: NightPlan) -> None:
    """14 µm at 4064 mm."""
    assert scale_arcsec_per_px(plan) == pytest.approx(0.71, abs=0.01)


def test_science_conditions_differ_from_frame_to_frame_within_bounds() -> None:
    """Dither is sub-pixel and small, seeing slow, transparency that of the airmass."""
    demo = NightPlan.demo()
    night = [conditions_of(demo, each) for each in demo.exposures() if each.kind == "science"]
    assert len({each.x_dither_px % 1.0 for each in night}) == len(night)
    assert all(abs(each.x_dither_px) <= 3.0 and abs(each.y_dither_px) <= 3.0 for each in night)
    assert all(2.0 < each.fwhm_px < 4.0 for each in night)
    steps = [abs(a.fwhm_px - b.fwhm_px) for a, b in pairwise(night)]
    assert 0.0 < max(steps) < 0.2
    assert all(0.7 < each.transparency < 0.9 for each in night)


def test_the_lamp_of_flats_varies_in_its_range() -> None:
    """20 to 35 kADU, another level each time."""
    demo = NightPlan.demo()
    lamps = [conditions_of(demo, each).lamp_adu for each in demo.exposures() if each.kind == "flat"]
    assert len(set(lamps)) == 10
    assert min(lamps) >= 20000.0
    assert max(lamps) <= 35000.0


def test_exposures_start_at_a_fraction_of_a_second_after_their_slot(plan: NightPlan) -> None:
    """Headers of real cameras are never on the full second."""
    for exposure in plan.exposures():
        late = conditions_of(plan, exposure).starts_at - exposure.starts_at
        assert 0.0 < late.total_seconds() < 1.0
