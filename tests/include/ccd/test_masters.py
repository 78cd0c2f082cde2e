"""Master bias and dark: right in value, noise and mask; honest about what they lack."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from include.ccd.calibration import Calibration
from include.ccd.cards import card_value, flags_of
from include.ccd.correction import MissingMaster
from include.ccd.errors import CalibrationError
from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.masters import TooFewFrames, master_bias, master_dark
from include.ccd.raw import RawFrame

SHAPE = (96, 128)
NOISE_ADU = 5.0
CALIBRATION = Calibration()


def header(kind: str, exptime_s: float, *, overscan: int = 0, number: int = 0) -> FrameHeader:
    ny, nx = SHAPE
    section = Section(0, ny, nx, nx + overscan) if overscan else None
    amplifier = Amplifier(Section.whole(SHAPE), section, Section.whole(SHAPE), 2.0, None)
    when = datetime(2024, 5, 13, 4, number, tzinfo=UTC)
    return FrameHeader(
        kind=kind,
        camera="cam",
        exptime_s=exptime_s,
        observed_at=when,
        readout="slow",
        temperature_c=-20.0,
        object="M13",
        ra_deg=1.0,
        dec_deg=2.0,
        airmass=1.1,
        width_px=nx + overscan,
        height_px=ny,
        saturation_adu=60000.0,
        amplifiers=(amplifier,),
    )


def read(rng, level, kind: str, exptime_s: float = 0.0, *, overscan: int = 0, number: int = 0):
    """One frame of `level` ADU with read noise, 16 bits deep."""
    ny, nx = SHAPE
    ideal = np.full((ny, nx + overscan), 1000.0)
    ideal[:, :nx] += level
    if overscan:
        ideal += rng.normal(0, 20, (ny, 1))
    noisy = np.rint(ideal + rng.normal(0, NOISE_ADU, ideal.shape))
    pixels = np.clip(noisy, 0, 65535).astype(np.uint16)
    return RawFrame.of(pixels, header(kind, exptime_s, overscan=overscan, number=number))


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test."""
    return np.random.default_rng(11)


@pytest.fixture
def bias(rng) -> Image:
    """The master of twelve bias frames."""
    return master_bias([read(rng, 0, "bias") for _ in range(12)], calibration=CALIBRATION)


def test_bias_is_the_level_and_structure_of_its_frames(rng) -> None:
    """Right within its stated noise, which is that of twelve frames."""
    structure = rng.normal(0, 3, SHAPE)
    frames = [read(rng, structure, "bias", number=n) for n in range(12)]
    bias = master_bias(frames, calibration=CALIBRATION)
    error = bias.sci - 1000 - structure
    assert np.mean(error**2 / bias.var) == pytest.approx(1, abs=0.05)
    assert np.sqrt(bias.var.mean()) == pytest.approx(NOISE_ADU / np.sqrt(12), rel=0.05)
    assert bias.unit == "adu"
    assert not bias.mask.any()
    assert bias.metrics["level_adu"] == pytest.approx(1000, abs=1)


@pytest.mark.parametrize("overscan", [0, 20])
def test_read_noise_is_measured_in_adu_of_one_frame(rng, overscan: int) -> None:
    """Neither structure, nor drifting rows, nor a dead column, nor outliers change it."""
    structure = rng.normal(0, 30, SHAPE)
    structure[:, 7] = 1e6
    structure[::9, ::9] += 3000
    frames = [read(rng, structure, "bias", overscan=overscan) for _ in range(6)]
    bias = master_bias(frames, calibration=CALIBRATION)
    assert card_value(bias, "RDNOISE") == pytest.approx(NOISE_ADU, rel=0.03)
    assert bias.metrics["read_noise_adu"] == card_value(bias, "RDNOISE")
    assert card_value(bias, "OVERSCAN") is (overscan > 0)


def test_overscan_takes_out_what_drifts(rng) -> None:
    """Rows that wander by 20 ADU leave no stripes."""
    frames = [read(rng, 0, "bias", overscan=20) for _ in range(10)]
    bias = master_bias(frames, calibration=CALIBRATION)
    assert bias.sci.shape == SHAPE
    assert bias.sci.mean() == pytest.approx(0, abs=0.3)
    assert bias.sci.mean(axis=1).std() < 1


def test_bias_that_fills_the_range_is_bad(rng) -> None:
    """A column stuck at the top is of no use."""
    structure = np.zeros(SHAPE)
    structure[:, 40] = 70000
    frames = [read(rng, structure, "bias") for _ in range(4)]
    bias = master_bias(frames, calibration=CALIBRATION)
    assert (bias.mask[:, 40] == MaskBit.BAD).all()
    assert np.count_nonzero(bias.mask) == SHAPE[0]
    assert bias.metrics["bad_count"] == SHAPE[0]


def test_cosmic_ray_in_one_of_five_frames_leaves_no_trace(rng) -> None:
    """Few frames suffice, for bias and dark alike."""
    levels = [np.zeros(SHAPE) for _ in range(5)]
    levels[3][50, 60] = 4000
    bias = master_bias([read(rng, level, "bias") for level in levels], calibration=CALIBRATION)
    darks = [read(rng, level, "dark", 60.0) for level in levels]
    dark = master_dark(darks, bias=bias, calibration=CALIBRATION)
    assert bias.sci[50, 60] == pytest.approx(1000, abs=12)
    assert bias.count[50, 60] == 4
    assert dark.sci[50, 60] == pytest.approx(0, abs=18)
    assert not dark.mask[50, 60] & MaskBit.HOT


def test_several_amplifiers_have_their_own_read_noise(rng) -> None:
    """One card each, and the median of them."""
    ny, nx = SHAPE
    halves = [Section(0, ny, 0, nx // 2), Section(0, ny, nx // 2, nx)]
    amplifiers = tuple(Amplifier(half, None, half, 1.0, None) for half in halves)
    noise = np.repeat([[3.0, 9.0]], nx // 2, axis=1)
    frames = []
    for _ in range(8):
        pixels = np.rint(1000 + rng.normal(0, 1, SHAPE) * noise).astype(np.uint16)
        base = header("bias", 0.0)
        fields = {name: getattr(base, name) for name in base.__slots__}
        frames.append(RawFrame.of(pixels, FrameHeader(**fields | {"amplifiers": amplifiers})))
    bias = master_bias(frames, calibration=CALIBRATION)
    assert card_value(bias, "RDNAMP1") == pytest.approx(3, rel=0.04)
    assert card_value(bias, "RDNAMP2") == pytest.approx(9, rel=0.04)
    assert card_value(bias, "RDNOISE") == pytest.approx(6, rel=0.04)


def test_dark_is_free_of_bias_and_carries_its_noise(rng, bias: Image) -> None:
    """Value and variance, with the part that the bias adds."""
    frames = [read(rng, 40.0, "dark", 60.0, number=n) for n in range(8)]
    dark = master_dark(frames, bias=bias, calibration=CALIBRATION)
    error = dark.sci - 40.0
    assert np.mean(error**2 / dark.var) == pytest.approx(1, abs=0.06)
    assert card_value(dark, "EXPTIME") == 60.0
    assert card_value(dark, "BIASCOR") is True
    assert flags_of(dark) == ()
    assert dark.metrics["dark_current_adu_per_s"] == pytest.approx(40 / 60, rel=0.02)


@pytest.mark.parametrize("count", [3, 10])
def test_every_hot_pixel_is_found_and_no_other(rng, bias: Image, count: int) -> None:
    """Hot is what lies twenty times the noise of the master above the rest."""
    noise = NOISE_ADU * np.sqrt(1 / count + 1 / 12)
    current = np.full(SHAPE, 10.0)
    hot = rng.random(SHAPE) < 0.01
    current[hot] += 20 * noise
    frames = [read(rng, current, "dark", 60.0) for _ in range(count)]
    dark = master_dark(frames, bias=bias, calibration=CALIBRATION)
    np.testing.assert_array_equal(dark.mask & MaskBit.HOT != 0, hot)
    assert dark.metrics["hot_count"] == hot.sum()


def test_glow_is_not_hot_but_hot_pixels_in_it_are(rng, bias: Image) -> None:
    """A corner that glows by a hundred times the noise, with its own shot noise."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    glow = 300 * np.exp(-(y + x) / 60)
    current = glow.copy()
    current[5, 5] += 400
    frames = [read(rng, rng.poisson(current * 2) / 2, "dark", 60.0) for _ in range(8)]
    dark = master_dark(frames, bias=bias, calibration=CALIBRATION)
    assert np.argwhere(dark.mask & MaskBit.HOT).tolist() == [[5, 5]]


def test_dark_without_any_noise_has_no_hot_pixels(bias: Image) -> None:
    """A step of one unit in simulated data is not hot."""
    pixels = np.full(SHAPE, 1000, np.uint16)
    pixels[::2] += 1
    frames = [RawFrame.of(pixels, header("dark", 60.0)) for _ in range(3)]
    dark = master_dark(frames, bias=bias, calibration=CALIBRATION)
    assert not (dark.mask & MaskBit.HOT).any()


def test_bad_pixels_of_the_bias_are_inherited(rng, bias: Image) -> None:
    """With the bit that says whose they are."""
    bias.mask[3, 4] = MaskBit.BAD
    dark = master_dark([read(rng, 1, "dark", 9.0)] * 3, bias=bias, calibration=CALIBRATION)
    assert dark.mask[3, 4] == MaskBit.BAD | MaskBit.CALIBRATION


def test_dark_without_bias_is_refused_or_flagged(rng) -> None:
    """By policy; and it then says that it contains the bias."""
    frames = [read(rng, 5, "dark", 9.0) for _ in range(3)]
    with pytest.raises(MissingMaster, match="no master bias, and missing_bias is 'stop'"):
        master_dark(frames, bias=None, calibration=CALIBRATION)
    dark = master_dark(frames, bias=None, calibration=Calibration(missing_bias="flag"))
    assert flags_of(dark) == ("no_bias",)
    assert card_value(dark, "BIASCOR") is False
    assert dark.metrics["level_adu"] == pytest.approx(1005, abs=1)
    assert "dark_current_adu_per_s" not in dark.metrics


@pytest.mark.parametrize(("count", "policy", "needed"), [(2, 3, 3), (0, 0, 1)])
def test_too_few_frames_are_refused_with_their_number(rng, count, policy, needed) -> None:
    """The message names how many there are and how many it takes."""
    frames = [read(rng, 0, "bias") for _ in range(count)]
    message = rf"master bias: {count} usable frames, {needed} needed \(min_bias\)"
    with pytest.raises(TooFewFrames, match=message):
        master_bias(frames, calibration=Calibration(min_bias=policy))


def test_one_frame_can_be_a_master_where_the_policy_says_so(rng) -> None:
    """Observatories that ship combined frames: no read noise is invented."""
    bias = master_bias([read(rng, 0, "bias")], calibration=Calibration(min_bias=1))
    assert card_value(bias, "RDNOISE") is None
    assert (bias.var == 0).all()


def test_frames_that_do_not_belong_together_are_refused(rng, bias: Image) -> None:
    """Different exposure times or geometries, or a bias of another shape."""
    darks = [read(rng, 0, "dark", exptime) for exptime in (30.0, 30.2, 60.0)]
    with pytest.raises(CalibrationError, match="exposure times from 30 to 60 s"):
        master_dark(darks, bias=bias, calibration=CALIBRATION)
    smaller = Image(bias.sci[1:], bias.var[1:], bias.mask[1:])
    with pytest.raises(CalibrationError, match="bias has shape"):
        master_dark(darks[:2] * 2, bias=smaller, calibration=CALIBRATION)
    other = RawFrame.of(np.zeros((4, 4), np.uint16), _square_header())
    with pytest.raises(CalibrationError, match="different geometry"):
        master_bias([read(rng, 0, "bias")] * 2 + [other], calibration=CALIBRATION)


def _square_header() -> FrameHeader:
    square = Section(0, 4, 0, 4)
    base = header("bias", 0.0)
    fields = {name: getattr(base, name) for name in base.__slots__}
    amplifiers = (Amplifier(square, None, square, 1.0, None),)
    return FrameHeader(**fields | {"amplifiers": amplifiers, "width_px": 4, "height_px": 4})


def test_master_tells_its_group_not_one_exposure(rng) -> None:
    """Camera and temperature, how many and since when; no pointing, no object."""
    frames = [read(rng, 0, "bias", number=n) for n in (5, 3, 4)]
    bias = master_bias(frames, calibration=CALIBRATION)
    cards = {key: card_value(bias, key) for key in bias.cards}
    assert cards["NCOMBINE"] == 3
    assert cards["DATE-OBS"] == "2024-05-13T04:03:00"
    assert cards["CCD-TEMP"] == -20.0
    assert cards["COMBINE"] == "sigma_clip"
    assert not {"OBJECT", "RA", "DEC", "AIRMASS"} & set(cards)
