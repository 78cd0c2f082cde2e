"""The instrument profile of TORITOS reads what the simulator writes."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest
from astropy.io import fits

from include.ccd.header import FrameHeader, parse_header
from include.ccd.night import night_of
from include.ccd.profile import Profile, load_profile
from include.toritos.simulator import NightPlan, Truth
from include.toritos.simulator.headers import write_fits


@pytest.fixture(scope="module")
def profile() -> Profile:
    root = Path(__file__).resolve().parents[4]
    return load_profile(root / "include" / "toritos" / "profiles" / "toritos.toml")


def _read(truth: Truth, name: str, profile: Profile) -> FrameHeader:
    exposure, stream = truth.exposure(name), io.BytesIO()
    conditions = truth.conditions(name)
    pixels = truth.raw(name)
    write_fits(stream, pixels, plan=truth.plan, exposure=exposure, conditions=conditions)
    header = fits.Header.fromstring(stream.getvalue())
    return parse_header(header, shape=pixels.shape, profile=profile)


def test_every_frame_is_what_the_plan_says(truth: Truth, profile: Profile) -> None:
    """Kind, filter, time and temperature of the whole night, and no flag on any header."""
    for exposure in truth.exposures:
        header = _read(truth, exposure.name, profile)
        conditions = truth.conditions(exposure)
        assert header.kind == exposure.kind
        assert header.filter == exposure.filter
        assert header.exptime_s == exposure.exptime_s
        assert header.observed_at == conditions.starts_at
        assert header.temperature_c == conditions.temperature_c
        assert header.flags == ()


def test_a_science_frame_has_its_pointing(truth: Truth, profile: Profile) -> None:
    """Hours of right ascension become degrees."""
    header = _read(truth, "field01-V-0001.fit", profile)
    assert (header.object, header.ra_deg, header.dec_deg) == ("field01", 30.0, -29.5)
    assert header.airmass == truth.conditions("field01-V-0001.fit").airmass
    assert header.binning == "1x1"


def test_gain_read_noise_and_saturation_are_those_of_the_profile(
    truth: Truth, profile: Profile
) -> None:
    """The detector that is simulated is the one that is described."""
    header = _read(truth, "flat-V-001.fit", profile)
    spec = truth.plan.detector
    assert header.saturation_adu == spec.saturation_adu
    assert [(each.gain_e_per_adu, each.read_noise_e) for each in header.amplifiers] == [
        (spec.gain_e_per_adu, spec.read_noise_e)
    ]
    assert header.trimmed_shape == (160, 160)


def test_the_site_of_the_profile_makes_one_night(profile: Profile) -> None:
    """Although two UTC dates are in it."""
    starts = [exposure.starts_at for exposure in NightPlan.demo().exposures()]
    nights = {night_of(instant, profile.site.longitude_deg) for instant in starts}
    assert nights == {date(2026, 11, 20)}
