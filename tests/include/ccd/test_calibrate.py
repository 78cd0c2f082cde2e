"""Calibration: the stated equations, pixel by pixel, and nothing hidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.ccd.calibrate import calibrate
from include.ccd.calibration import Calibration
from include.ccd.cards import card_value, flags_of
from include.ccd.correction import MissingMaster, bias_digest
from include.ccd.errors import CalibrationError
from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.raw import RawFrame

SHAPE = (6, 10)
GAIN, NOISE_E, SATURATION = 1.5, 6.0, 60000.0
LOOSE = Calibration(missing_bias="flag", missing_dark="flag", missing_flat="flag")


def header(*, overscan: int = 0, exptime_s: float = 30.0, **changes) -> FrameHeader:
    whole = Section.whole(SHAPE)
    strip = Section(0, SHAPE[0], SHAPE[1], SHAPE[1] + overscan) if overscan else None
    when = datetime(2024, 5, 13, 4, tzinfo=UTC)
    made = FrameHeader(
        kind="science",
        camera="cam",
        filter="V",
        exptime_s=exptime_s,
        observed_at=when,
        temperature_c=-20.0,
        object="M13",
        ra_deg=250.0,
        dec_deg=36.0,
        airmass=1.1,
        width_px=SHAPE[1] + overscan,
        height_px=SHAPE[0],
        saturation_adu=SATURATION,
        amplifiers=(Amplifier(whole, strip, whole, GAIN, NOISE_E),),
    )
    return replace(made, **changes)


def master(rng, low: float, high: float, **cards) -> Image:
    mask = np.where(rng.random(SHAPE) < 0.05, MaskBit.HOT, 0).astype(np.uint16)
    values = rng.uniform(low, high, SHAPE).astype(np.float32)
    return Image(values, rng.uniform(0, 0.01, SHAPE).astype(np.float32), mask, cards=cards)


def obvious(raw, made: FrameHeader, bias, dark, flat, k: float):
    """Value, variance and mask of the docstring's equations, in float64."""
    amplifier = made.amplifiers[0]
    data = raw[amplifier.data.slices].astype(float)
    level = np.zeros((SHAPE[0], 1))
    factor = 1.0
    if amplifier.overscan is not None:
        level = np.median(raw[amplifier.overscan.slices], axis=1, keepdims=True).astype(float)
        factor += np.pi / 2 / amplifier.overscan.shape[1]
    with np.errstate(all="ignore"):
        collected = (data - level - bias.sci) * GAIN
        value = (data - level - bias.sci - k * dark.sci) * GAIN / flat.sci
        noise = np.maximum(collected, 0) + (NOISE_E**2 + GAIN**2 / 12) * factor
        noise = noise + GAIN**2 * (bias.var + k**2 * dark.var) + value**2 * flat.var
        variance = noise / flat.sci.astype(float) ** 2
    inherited = bias.mask | dark.mask | flat.mask
    mask = inherited | np.where(inherited != 0, MaskBit.CALIBRATION, 0)
    mask = mask | np.where(data >= SATURATION, MaskBit.SATURATED, 0)
    unknown = ~np.isfinite(value)
    mask = mask | np.where(unknown, MaskBit.NO_DATA, 0)
    return np.where(unknown, 0, value), np.where(unknown, 0, variance), mask


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    overscan=st.sampled_from([0, 3, 8]),
    floating=st.booleans(),
    exptime_s=st.sampled_from([0.0, 30.0, 60.0]),
)
def test_result_is_that_of_the_equations(seed, overscan, floating, exptime_s) -> None:
    """Values, variances and masks, with saturated pixels and NaN, with and without overscan."""
    rng = np.random.default_rng(seed)
    made = header(overscan=overscan, exptime_s=exptime_s)
    raw = rng.integers(900, 4000, made.shape).astype(np.float32 if floating else np.uint16)
    raw[rng.random(made.shape) < 0.05] = 65535
    if floating:
        raw[:, : SHAPE[1]][rng.random(SHAPE) < 0.05] = np.nan
    bias, flat = master(rng, 0, 900), master(rng, 0.3, 1.3)
    dark = master(rng, 0, 50, EXPTIME=60.0, BIASCOR=True)
    image = calibrate(
        RawFrame.of(raw, made), bias=bias, dark=dark, flat=flat, calibration=Calibration()
    )
    value, variance, mask = obvious(raw, made, bias, dark, flat, exptime_s / 60)
    np.testing.assert_array_equal(image.mask, mask)
    np.testing.assert_allclose(image.sci, value, rtol=1e-5, atol=0.05)
    np.testing.assert_allclose(image.var, variance, rtol=1e-4, atol=0.05)
    assert np.isfinite(image.sci).all()
    assert np.isfinite(image.var).all()
    assert (image.var[image.mask & MaskBit.NO_DATA == 0] > 0).all()


def science(level: int = 2000, **changes) -> RawFrame:
    return RawFrame.of(np.full(SHAPE, level, np.uint16), header(**changes))


@pytest.fixture
def bias() -> Image:
    """1000 ADU everywhere, 4 ADU read noise."""
    return Image(
        np.full(SHAPE, 1000, np.float32),
        np.full(SHAPE, 1.6, np.float32),
        np.zeros(SHAPE, np.uint16),
        cards={"RDNOISE": 4.0},
    )


@pytest.fixture
def flat() -> Image:
    """A perfect flat."""
    return Image(np.ones(SHAPE, np.float32), unit="")


def test_everything_applied_is_told(bias, flat) -> None:
    """Cards, unit and identity of a complete calibration."""
    dark = Image(np.zeros(SHAPE, np.float32), cards={"EXPTIME": 60.0, "BIASCOR": True})
    image = calibrate(science(), bias=bias, dark=dark, flat=flat, calibration=Calibration())
    assert image.unit == "electron"
    assert [card_value(image, f"{name}COR") for name in ("BIAS", "DARK", "FLAT")] == [True] * 3
    assert card_value(image, "DARKSCAL") == 0.5
    assert card_value(image, "MISSING") == ""
    assert card_value(image, "OBJECT") == "M13"
    assert flags_of(image) == ()
    assert image.metrics == {"dark_factor": 0.5, "saturated_count": 0.0, "masked_count": 0.0}


def test_everything_missing_is_told() -> None:
    """A raw frame in electrons, flagged for each thing it went without."""
    image = calibrate(science(), bias=None, dark=None, flat=None, calibration=LOOSE)
    assert flags_of(image) == ("no_bias", "no_dark", "no_flat")
    assert card_value(image, "MISSING") == "bias dark flat"
    assert card_value(image, "BIASCOR") is False
    np.testing.assert_allclose(image.sci, 2000 * GAIN)


@pytest.mark.parametrize("name", ["bias", "dark", "flat"])
def test_missing_master_stops_where_the_policy_says_so(name: str) -> None:
    """One policy for each."""
    calibration = replace(LOOSE, **{f"missing_{name}": "stop"})
    with pytest.raises(MissingMaster, match=f"no master {name}"):
        calibrate(science(), bias=None, dark=None, flat=None, calibration=calibration)


def test_flags_of_the_header_and_of_the_masters_are_passed_on(bias, flat) -> None:
    """What a master went without, its image went without, too."""
    flat.cards["FLAGS"] = "no_dark"
    frame = science(flags=("padding_missing",))
    image = calibrate(frame, bias=bias, dark=None, flat=flat, calibration=LOOSE)
    assert flags_of(image) == ("flat_no_dark", "no_dark", "padding_missing")


def test_unknown_gain_leaves_adu(bias, flat) -> None:
    """One electron per ADU is assumed for the photon noise, and said."""
    whole = Section.whole(SHAPE)
    frame = science(amplifiers=(Amplifier(whole, None, whole, None, None),))
    image = calibrate(frame, bias=bias, dark=None, flat=flat, calibration=LOOSE)
    assert image.unit == "adu"
    assert flags_of(image) == ("gain_unknown", "no_dark")
    np.testing.assert_allclose(image.sci, 1000)
    np.testing.assert_allclose(image.var, 1000 + 16 + 1.6, rtol=1e-6)


def test_read_noise_comes_from_the_profile_or_else_from_the_bias(bias, flat) -> None:
    """Measured noise holds the quantisation; without either it is unknown, and said."""
    whole = Section.whole(SHAPE)
    blind = science(amplifiers=(Amplifier(whole, None, whole, GAIN, None),))
    measured = calibrate(blind, bias=bias, dark=None, flat=flat, calibration=LOOSE)
    assert card_value(measured, "RDNOISE") == pytest.approx(4 * GAIN)
    stated = calibrate(science(), bias=bias, dark=None, flat=flat, calibration=LOOSE)
    assert card_value(stated, "RDNOISE") == pytest.approx(np.hypot(NOISE_E, GAIN / 12**0.5))
    neither = calibrate(blind, bias=None, dark=None, flat=flat, calibration=LOOSE)
    assert "read_noise_unknown" in flags_of(neither)
    assert card_value(neither, "RDNOISE") == 0


def test_each_amplifier_has_its_gain_noise_and_place(flat) -> None:
    """Swapped halves, each with a read noise of its own from the bias."""
    ny, nx = SHAPE
    left, right = Section(0, ny, 0, nx // 2), Section(0, ny, nx // 2, nx)
    amplifiers = (Amplifier(left, None, right, 1.0, None), Amplifier(right, None, left, 3.0, None))
    raw = np.full(SHAPE, 100, np.uint16)
    raw[left.slices] = 50
    bias = Image(np.zeros(SHAPE, np.float32), cards={"RDNAMP1": 2.0, "RDNAMP2": 5.0})
    frame = RawFrame.of(raw, header(amplifiers=amplifiers))
    image = calibrate(frame, bias=bias, dark=None, flat=flat, calibration=LOOSE)
    np.testing.assert_allclose(image.sci[left.slices], 300)
    np.testing.assert_allclose(image.sci[right.slices], 50)
    np.testing.assert_allclose(image.var[left.slices], 300 + 15**2)
    np.testing.assert_allclose(image.var[right.slices], 50 + 2**2)


@pytest.mark.parametrize("response", [0.0, -0.1, np.nan])
def test_pixel_without_response_keeps_its_value_and_is_masked(bias, flat, response) -> None:
    """Undivided, with its noise: no NaN, no infinity."""
    flat.sci[2, 3] = response
    image = calibrate(science(), bias=bias, dark=None, flat=flat, calibration=LOOSE)
    assert image.mask[2, 3] == MaskBit.LOW_FLAT | MaskBit.CALIBRATION
    assert image.sci[2, 3] == image.sci[0, 0]
    assert image.var[2, 3] > 0
    assert np.count_nonzero(image.mask) == 1


def test_dead_pixel_is_not_blown_up(bias, flat) -> None:
    """Where the flat is BAD or has no data, it is not divided by."""
    flat.mask = np.zeros(SHAPE, np.uint16)
    flat.sci[1, 1], flat.mask[1, 1] = 1e-4, MaskBit.BAD
    flat.sci[2, 2], flat.mask[2, 2] = 0.0, MaskBit.NO_DATA
    image = calibrate(science(), bias=bias, dark=None, flat=flat, calibration=LOOSE)
    assert image.sci[1, 1] == image.sci[2, 2] == image.sci[0, 0]
    assert image.mask[1, 1] == MaskBit.BAD | MaskBit.CALIBRATION
    assert image.mask[2, 2] == MaskBit.LOW_FLAT | MaskBit.CALIBRATION


def test_pixel_without_data_is_zero(bias, flat) -> None:
    """In the frame or in the bias: value and variance 0, NO_DATA."""
    bias.mask[1, 1] = MaskBit.NO_DATA
    image = calibrate(science(), bias=bias, dark=None, flat=flat, calibration=LOOSE)
    assert (image.sci[1, 1], image.var[1, 1]) == (0, 0)
    assert image.mask[1, 1] == MaskBit.NO_DATA | MaskBit.CALIBRATION


def test_saturation_is_marked_at_the_raw_level_and_spreads_on_request(bias, flat) -> None:
    """From the level on, not below; neighbours by distance."""
    frame = science()
    frame.pixels()[3, 4], frame.pixels()[0, 0] = 60000, 59999
    sharp = calibrate(frame, bias=bias, dark=None, flat=flat, calibration=LOOSE)
    assert np.argwhere(sharp.mask).tolist() == [[3, 4]]
    grown = calibrate(
        frame, bias=bias, dark=None, flat=flat, calibration=LOOSE, saturation_grow_px=2
    )
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    near = np.abs(y - 3) + np.abs(x - 4) <= 2
    np.testing.assert_array_equal(grown.mask == MaskBit.SATURATED, near)


def test_known_bad_pixels_are_marked(bias, flat) -> None:
    """As bits, or as plain truth; of the right shape only."""
    listed = np.zeros(SHAPE, bool)
    listed[4, 5] = True
    masters = {"bias": bias, "dark": None, "flat": flat, "calibration": LOOSE}
    plain = calibrate(science(), **masters, bad_pixels=listed)
    bits = calibrate(science(), **masters, bad_pixels=listed.astype(np.uint16))
    np.testing.assert_array_equal(plain.mask, np.where(listed, MaskBit.BAD, 0))
    np.testing.assert_array_equal(bits.mask, plain.mask)
    with pytest.raises(CalibrationError, match="bad_pixels has shape"):
        calibrate(science(), **masters, bad_pixels=listed[1:])


@pytest.mark.parametrize("name", ["bias", "dark", "flat"])
def test_masters_of_another_shape_are_refused(bias, flat, name: str) -> None:
    """No broadcasting by accident."""
    masters = {"bias": bias, "dark": None, "flat": flat}
    masters[name] = Image(np.ones((1, SHAPE[1]), np.float32), cards={"EXPTIME": 30.0})
    with pytest.raises(CalibrationError, match=f"{name} has shape"):
        calibrate(science(), **masters, calibration=LOOSE)


@pytest.mark.parametrize(("sky_e", "frames"), [(100, 3), (100, 10), (1000, 3)])
def test_variance_is_right_against_truth(sky_e: float, frames: int) -> None:
    """Reduced chi-square 0.95 to 1.05, with masters of few frames that share a bias."""
    rng = np.random.default_rng(sky_e + frames)
    shape, gain, noise = (256, 256), 1.5, 8.0
    whole = Section.whole(shape)
    common = {
        "width_px": 256,
        "height_px": 256,
        "amplifiers": (Amplifier(whole, None, whole, gain, noise),),
    }

    def expose(electrons: np.ndarray, exptime_s: float) -> RawFrame:
        signal = rng.poisson(electrons) + rng.normal(0, noise, shape)
        adu = np.rint(1000 + signal / gain)
        made = header(exptime_s=exptime_s, **common)
        return RawFrame.of(np.clip(adu, 0, 65535).astype(np.uint16), made)

    from include.ccd.masters import master_bias, master_dark, master_flat

    response = rng.normal(1, 0.03, shape)
    current = np.full(shape, 20.0)
    calibration = Calibration()
    bias = master_bias([expose(0 * current, 0) for _ in range(frames)], calibration=calibration)
    dark = master_dark(
        [expose(current, 60) for _ in range(frames)], bias=bias, calibration=calibration
    )
    assert card_value(dark, "BIASID") == bias_digest(bias)
    flats = [expose(response * 20000, 1) for _ in range(frames)]
    flat = master_flat(flats, bias=bias, dark=dark, calibration=calibration)
    frame = expose(sky_e * response + current, 60)
    image = calibrate(frame, bias=bias, dark=dark, flat=flat, calibration=calibration)
    good = image.mask == 0
    residual = (image.sci - sky_e * np.median(response))[good]
    assert good.mean() > 0.999
    assert 0.95 < np.mean(residual**2 / image.var[good]) < 1.05
