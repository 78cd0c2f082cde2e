"""Quality numbers: right on known images, silent rather than wrong on strange ones."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.quality import measure_quality

SIGMA_TO_FWHM = 2.354820045


def starfield(
    rng,
    *,
    fwhm_px: float,
    axis_ratio: float = 1.0,
    stars: int = 40,
    size: int = 400,
    sky: float = 200,
) -> np.ndarray:
    """Gaussian stars on a lattice, jittered, on a Poisson sky, in electrons."""
    truth = np.full((size, size), float(sky))
    sigma = fwhm_px / SIGMA_TO_FWHM
    side = int(np.ceil(np.sqrt(stars)))
    y, x = np.mgrid[:size, :size]
    for n in range(stars):
        y0, x0 = (np.array(divmod(n, side)) + 0.5) * size / side + rng.uniform(-5, 5, 2)
        radius2 = ((x - x0) / sigma) ** 2 + ((y - y0) / (sigma * axis_ratio)) ** 2
        truth += 1e5 / (2 * np.pi * sigma**2 * axis_ratio) * np.exp(-radius2 / 2)
    return rng.poisson(truth).astype(np.float32)


def image(values: np.ndarray, mask: np.ndarray | None = None) -> Image:
    return Image(values.astype(np.float32), mask=mask, unit="electron")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test."""
    return np.random.default_rng(4)


@pytest.mark.parametrize("fwhm_px", [2.5, 4.0, 7.0])
def test_width_of_the_stars_is_found(rng, fwhm_px: float) -> None:
    """Within 4 %, with every star counted and the sky as it is."""
    found = measure_quality(image(starfield(rng, fwhm_px=fwhm_px)))
    assert found["fwhm_px"] == pytest.approx(fwhm_px, rel=0.04)
    assert found["source_count"] == 40
    assert found["source_density_per_mpx"] == pytest.approx(250)
    assert found["background_e"] == pytest.approx(200, rel=0.01)
    assert found["background_rms_e"] == pytest.approx(200**0.5, rel=0.03)
    assert found["median_e"] == pytest.approx(200, abs=2)
    assert found["ellipticity"] < 0.03


def test_elongated_stars_are_seen(rng) -> None:
    """An axis ratio of 0.7 is an ellipticity of 0.3."""
    found = measure_quality(image(starfield(rng, fwhm_px=6.0, axis_ratio=0.7)))
    assert found["ellipticity"] == pytest.approx(0.3, abs=0.04)


def test_cosmic_rays_do_not_set_the_width(rng) -> None:
    """More of them than stars, all sharp."""
    values = starfield(rng, fwhm_px=5.0, stars=16)
    for y, x in rng.integers(10, 390, (60, 2)):
        values[y, x : x + 5] += 3000
    found = measure_quality(image(values))
    assert found["source_count"] > 60
    assert found["fwhm_px"] == pytest.approx(5.0, rel=0.05)


def test_masked_pixels_are_counted_and_not_measured(rng) -> None:
    """A bright, masked block is neither source nor background."""
    values = starfield(rng, fwhm_px=4.0)
    mask = np.zeros(values.shape, np.uint16)
    mask[:100, :100] = MaskBit.SATURATED
    mask[100:200, :100] = MaskBit.BAD
    values[:200, :100] = 6e4
    values[300, 300:320] = -1
    found = measure_quality(image(values, mask))
    assert found["masked_fraction"] == pytest.approx(2 / 16)
    assert found["saturated_fraction"] == pytest.approx(1 / 16)
    assert found["negative_fraction"] == pytest.approx(20 / 140_000)
    assert found["background_e"] == pytest.approx(200, rel=0.01)
    assert found["source_count"] <= 40


@pytest.mark.parametrize(("unit", "suffix"), [("electron", "_e"), ("adu", "_adu"), ("", "")])
def test_levels_are_named_by_their_unit(rng, unit: str, suffix: str) -> None:
    """Nobody has to guess what a number is in."""
    found = measure_quality(Image(rng.normal(9, 1, (50, 50)).astype(np.float32), unit=unit))
    assert {f"median{suffix}", f"background{suffix}", f"background_rms{suffix}"} <= set(found)


def test_large_frames_are_measured_in_their_middle(rng) -> None:
    """Sources outside the central 2048 px are not counted; fractions are of the whole."""
    values = rng.normal(100, 5, (2048, 2600)).astype(np.float32)
    for x in (50, 1300, 2500):
        values[1000:1004, x : x + 4] += 900
    mask = np.zeros(values.shape, np.uint16)
    mask[:, :26] = MaskBit.BAD
    found = measure_quality(image(values, mask))
    assert found["source_count"] == 1
    assert found["masked_fraction"] == pytest.approx(0.01)


STRANGE = {
    "zero": np.zeros((60, 60)),
    "constant": np.full((60, 60), 7.0),
    "one pixel": np.ones((1, 1)),
    "one row": np.arange(50.0).reshape(1, -1),
    "empty": np.zeros((0, 0)),
    "all NaN": np.full((60, 60), np.nan),
    "all infinite": np.full((60, 60), np.inf),
    "half NaN": np.where(np.arange(3600).reshape(60, 60) % 2, np.nan, 5.0),
    "huge": np.full((60, 60), 3e38) * np.random.default_rng(1).choice([-1, 1], (60, 60)),
    "two levels": np.indices((200, 200)).sum(axis=0) % 2 * 6e4,
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("bits", [None, 0, MaskBit.SATURATED])
def test_strange_images_give_finite_numbers_or_none(name: str, bits: int | None) -> None:
    """Nothing is raised, nothing is NaN."""
    values = STRANGE[name]
    mask = None if bits is None else np.full(values.shape, bits, np.uint16)
    found = measure_quality(image(values, mask))
    assert all(np.isfinite(number) for number in found.values())
    assert all(type(number) is float for number in found.values())
    if bits == MaskBit.SATURATED:
        assert not {"fwhm_px", "background_e", "median_e"} & set(found)


def test_constant_image_has_no_noise_and_no_source() -> None:
    """Zero, not an invented one."""
    found = measure_quality(image(np.full((80, 80), 12.0)))
    assert (found["background_e"], found["background_rms_e"]) == (12.0, 0.0)
    assert found["source_count"] == 0
    assert "fwhm_px" not in found
