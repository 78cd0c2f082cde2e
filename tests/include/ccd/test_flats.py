"""Master flat: the response of each pixel, whatever the light of each flat was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from include.ccd.calibration import Calibration
from include.ccd.cards import card_value, flags_of
from include.ccd.correction import MissingMaster
from include.ccd.flats import flat_levels, master_flat
from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.master_parts import TooFewFrames
from include.ccd.raw import RawFrame

SHAPE = (100, 120)
GAIN = 2.0
CALIBRATION = Calibration(flat_min_adu=5000, flat_max_adu=45000)


def header(exptime_s: float = 5.0, gains: tuple[float | None, ...] = (GAIN,)) -> FrameHeader:
    ny, nx = SHAPE
    edges = np.linspace(0, nx, len(gains) + 1).astype(int)
    amplifiers = []
    for gain, x0, x1 in zip(gains, edges[:-1], edges[1:], strict=True):
        section = Section(0, ny, int(x0), int(x1))
        amplifiers.append(Amplifier(section, None, section, gain, 8.0))
    when = datetime(2024, 5, 13, 4, tzinfo=UTC)
    return FrameHeader(
        kind="flat",
        camera="cam",
        filter="V",
        exptime_s=exptime_s,
        observed_at=when,
        width_px=nx,
        height_px=ny,
        saturation_adu=60000.0,
        amplifiers=tuple(amplifiers),
    )


def flat(rng, response, level_adu: float, **kwargs) -> RawFrame:
    """A flat of that level over a bias of 1000 ADU and a dark current of 6 ADU."""
    made = header(**kwargs)
    adu = np.empty(SHAPE)
    for amplifier in made.amplifiers:
        part = amplifier.placed.slices
        gain = amplifier.gain_e_per_adu or GAIN
        electrons = rng.poisson(np.clip(response[part], 0, None) * level_adu * GAIN)
        adu[part] = (electrons + rng.normal(0, 8, electrons.shape)) / gain
    return RawFrame.of(np.clip(np.rint(adu + 1006), 0, 65535).astype(np.uint16), made)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test."""
    return np.random.default_rng(5)


@pytest.fixture
def response(rng) -> np.ndarray:
    """A vignetted field with 2 % from pixel to pixel; its median is 1."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    field = 1 - 0.3 * ((y / SHAPE[0] - 0.5) ** 2 + (x / SHAPE[1] - 0.5) ** 2)
    field *= rng.normal(1, 0.02, SHAPE)
    return field / np.median(field)


@pytest.fixture
def bias() -> Image:
    """1000 ADU, noise-free."""
    return Image(np.full(SHAPE, 1000, np.float32), cards={"RDNOISE": 4.0})


@pytest.fixture
def dark() -> Image:
    """6 ADU in 5 s, noise-free."""
    return Image(np.full(SHAPE, 6, np.float32), cards={"EXPTIME": 5.0, "BIASCOR": True})


def test_flat_is_the_response_within_its_noise(rng, response, bias, dark) -> None:
    """Fading light makes no difference; the median is 1."""
    frames = [flat(rng, response, level) for level in (30000, 24000, 19000, 15000, 12000)]
    made = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    residual = made.sci - response
    assert np.mean(residual**2) / np.mean(made.var) == pytest.approx(1, abs=0.05)
    assert np.median(made.sci) == pytest.approx(1, abs=1e-6)
    assert np.sqrt(made.var.mean()) == pytest.approx(0.0023, rel=0.1)
    assert made.unit == ""
    assert not made.mask.any()
    assert made.metrics["level_adu"] == pytest.approx(20000, rel=0.01)
    assert flags_of(made) == ()


def test_dead_and_dim_pixels_are_marked(rng, response, bias, dark) -> None:
    """Under dead_below BAD, under flat_low LOW_FLAT; both known downstream."""
    response[10, 10], response[20, 20], response[30, 30] = 0.0, 0.1, 0.3
    frames = [flat(rng, response, 20000) for _ in range(3)]
    made = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    assert made.mask[10, 10] == MaskBit.BAD | MaskBit.LOW_FLAT
    assert made.mask[20, 20] == MaskBit.LOW_FLAT
    assert np.count_nonzero(made.mask) == 2
    assert made.metrics["low_flat_count"] == 2


def test_saturated_pixels_do_not_count(rng, response, bias, dark) -> None:
    """A pixel saturated in one flat comes from the others; in all of them it is BAD."""
    frames = [flat(rng, response, 20000) for _ in range(4)]
    frames[0].pixels()[40, 40] = 65535
    for frame in frames:
        frame.pixels()[50, 50] = 65535
    made = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    assert made.count[40, 40] == 3
    assert made.sci[40, 40] == pytest.approx(response[40, 40], rel=0.02)
    assert made.mask[50, 50] & MaskBit.BAD
    assert made.mask[50, 50] & MaskBit.NO_DATA


def test_stars_in_twilight_flats_are_clipped(rng, response, bias, dark) -> None:
    """A star in one of five flats leaves no trace."""
    frames = [flat(rng, response, 20000) for _ in range(5)]
    frames[2].pixels()[60:63, 60:63] += 9000
    made = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    np.testing.assert_allclose(made.sci[60:63, 60:63], response[60:63, 60:63], rtol=0.02)


def test_flats_of_wrong_level_are_left_out_and_named(rng, response, bias, dark) -> None:
    """Too dim, too bright; the rest makes the master."""
    levels = (20000, 3000, 48000, 18000, 25000)
    frames = [flat(rng, response, level) for level in levels]
    made = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    assert card_value(made, "NCOMBINE") == 3
    assert card_value(made, "NREJECT") == 2
    assert "under flat_min_adu 5000" in card_value(made, "REJECT1")
    assert "over flat_max_adu 45000" in card_value(made, "REJECT2")
    assert made.metrics["rejected_count"] == 2
    found = flat_levels(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    assert [bool(level.refused) for level in found] == [False, True, True, False, False]
    assert [level.level_adu for level in found] == pytest.approx(levels, rel=0.01)


@pytest.mark.parametrize(
    ("level", "reason"), [(-500, "is not positive"), (70000, "every pixel is saturated or masked")]
)
def test_unusable_flats_are_refused_without_limits(rng, bias, dark, level, reason: str) -> None:
    """Shutter closed, or all saturated."""
    frames = [flat(rng, np.ones(SHAPE), 20000) for _ in range(3)]
    frames[1].pixels()[:] = np.clip(1006 + level, 0, 65535)
    found = flat_levels(frames, bias=bias, dark=dark, calibration=Calibration())
    assert [reason in level.refused for level in found] == [False, True, False]


def test_too_few_usable_flats_are_refused_with_the_reasons(rng, response, bias, dark) -> None:
    """How many there were, how many it takes, and what was wrong with the others."""
    frames = [flat(rng, response, level) for level in (20000, 20000, 100, 200)]
    with pytest.raises(TooFewFrames) as error:
        master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    assert "2 usable frames of 4, 3 needed (min_flat)" in str(error.value)
    assert "level 100." in str(error.value)


def test_amplifiers_of_different_gain_leave_no_seam(rng, response, bias, dark) -> None:
    """In electrons both halves see the same light, and so does the flat."""
    frames = [flat(rng, response, 15000, gains=(1.6, 2.4)) for _ in range(5)]
    made = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    ratio = made.sci / response
    assert ratio[:, :60].mean() / ratio[:, 60:].mean() == pytest.approx(1, abs=1e-3)


def test_unknown_gains_are_taken_as_alike(rng, response, bias, dark) -> None:
    """Then a seam stays in the flat, as it is in the frames."""
    frames = [flat(rng, response, 15000, gains=(None, None)) for _ in range(3)]
    made = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    np.testing.assert_allclose(made.sci, response, rtol=0.05)


def test_dark_is_scaled_to_each_flat(rng, bias) -> None:
    """Twelve times the exposure, a twelfth of the dark."""
    dark = Image(np.full(SHAPE, 72, np.float32), cards={"EXPTIME": 60.0, "BIASCOR": True})
    frames = [flat(rng, np.ones(SHAPE), 100) for _ in range(3)]
    found = flat_levels(frames, bias=bias, dark=dark, calibration=Calibration())
    assert [level.level_adu for level in found] == pytest.approx([100] * 3, abs=1.1)


def test_noise_of_bias_and_dark_is_in_the_variance(rng, response, bias, dark) -> None:
    """What all flats share does not show in their scatter, and is added."""
    frames = [flat(rng, response, 20000) for _ in range(5)]
    clean = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    bias.var = np.full(SHAPE, 400, np.float32)
    dark.var = np.full(SHAPE, 225, np.float32)
    noisy = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    added = (noisy.var - clean.var).mean()
    assert added == pytest.approx((400 + 225) / 20000**2, rel=0.02)


def test_missing_masters_are_refused_or_flagged(rng, response, bias) -> None:
    """By policy, bias and dark each."""
    frames = [flat(rng, response, 20000) for _ in range(3)]
    with pytest.raises(MissingMaster, match="bias"):
        master_flat(frames, bias=None, dark=None, calibration=CALIBRATION)
    strict = replace(CALIBRATION, missing_dark="stop")
    with pytest.raises(MissingMaster, match="dark"):
        master_flat(frames, bias=bias, dark=None, calibration=strict)
    loose = replace(CALIBRATION, missing_bias="flag")
    made = master_flat(frames, bias=None, dark=None, calibration=loose)
    assert flags_of(made) == ("no_bias", "no_dark")
    assert card_value(made, "BIASCOR") is False


def test_masked_pixels_of_bias_and_dark_are_inherited_and_not_measured(rng, bias, dark) -> None:
    """Half the field hot and bright changes neither level nor norm."""
    response = np.ones(SHAPE)
    response[:, :50] = 1.9
    dark.mask = np.zeros(SHAPE, np.uint16)
    dark.mask[:, :70] = MaskBit.HOT
    frames = [flat(rng, response, 20000) for _ in range(3)]
    made = master_flat(frames, bias=bias, dark=dark, calibration=CALIBRATION)
    assert made.sci[:, 70:].mean() == pytest.approx(1, abs=1e-3)
    assert (made.mask[:, :70] == MaskBit.HOT | MaskBit.CALIBRATION).all()
