"""Finding sources: all that are there, each once, whatever the stripes."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from include.ccd import _kernels_detect as kernels
from include.ccd.background import measure_background
from include.ccd.errors import CalibrationError
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.measuring import Sources
from include.ccd.psf import Psf
from include.ccd.source_table import SourceFlag
from include.ccd.sources import find_sources

PSF = Psf.of_fwhm(3.0)


def field(shape: tuple[int, int] = (360, 300), *, seed: int = 1) -> tuple[Image, np.ndarray]:
    """Stars on a jittered grid over a sky of 200 e; and their (y, x, flux)."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.arange(20, size - 10, 34) for size in shape)), -1)
    places = grid.reshape(-1, 2) + rng.uniform(-4, 4, (grid.size // 2, 2))
    fluxes = rng.lognormal(8.5, 0.8, len(places))
    y, x = np.indices(shape)
    sky = np.full(shape, 200.0)
    for flux, (y0, x0) in zip(fluxes, places, strict=True):
        sky += flux * PSF.at((y - y0) ** 2 + (x - x0) ** 2)
    sci = rng.poisson(sky) + rng.normal(0, 5, shape)
    var = np.maximum(sci, 0) + 25
    image = Image(sci.astype("f4"), var.astype("f4"), np.zeros(shape, "u2"), unit="electron")
    return image, np.column_stack([places, fluxes])


def matched(table: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The row of the table for each true source, −1 without one."""
    offsets = np.hypot(table["y_px"][:, None] - truth[:, 0], table["x_px"][:, None] - truth[:, 1])
    return np.where(offsets.min(axis=0) < 1, offsets.argmin(axis=0), -1)


def test_every_star_is_found_once_and_nothing_else() -> None:
    """With errors that hold, the brightest first."""
    image, truth = field()
    catalogue = find_sources(image, exptime_s=60.0)
    rows = matched(catalogue.table, truth)
    assert sorted(rows) == list(range(len(truth)))
    found = catalogue.table[rows]
    for kind in ("psf", "aper"):
        pull = (found[f"flux_{kind}"] - truth[:, 2]) / found[f"flux_{kind}_err"]
        assert np.std(pull) < 1.4
    assert np.std((found["x_px"] - truth[:, 1]) / found["x_err_px"]) < 1.4
    assert catalogue.psf.fwhm_px == pytest.approx(3.0, rel=0.02)
    assert catalogue.background == pytest.approx(200, abs=2)
    assert np.all(np.diff(catalogue.table["flux_psf"]) <= 0)
    np.testing.assert_allclose(catalogue.table["background"], 200, atol=4)


@pytest.mark.parametrize("rows", [50, 101, 200])
def test_stripes_do_not_matter(rows: int) -> None:
    """Each source is found in one stripe only, with the same numbers."""
    image, _ = field()
    expected = find_sources(image, exptime_s=60.0).table
    table = find_sources(image, exptime_s=60.0, settings=Sources(stripe_rows=rows)).table
    assert len(table) == len(expected)
    for name in ("x_px", "y_px", "flux_psf", "flux_aper", "fwhm_px", "flags"):
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-5, err_msg=name)


def test_image_is_only_read() -> None:
    """Neither planes nor metrics change, and a background that is given is used."""
    image, _ = field()
    before = copy.deepcopy(image)
    background = measure_background(image)
    given = find_sources(image, exptime_s=60.0, background=background)
    np.testing.assert_array_equal(given.table, find_sources(image, exptime_s=60.0).table)
    for name in ("sci", "var", "mask"):
        np.testing.assert_array_equal(getattr(image, name), getattr(before, name))
    assert image.metrics == before.metrics


def test_significance_is_the_obvious_one() -> None:
    """Σ K d / V / √(Σ K² / V) by whole-plane sums, with masked and impossible pixels."""
    rng = np.random.default_rng(5)
    values = rng.normal(0, 10, (40, 53)).astype("f4")
    variance = rng.uniform(50, 150, values.shape).astype("f4")
    mask = (rng.random(values.shape) < 0.1).astype("u2")
    values[3, 4], variance[7, 7], variance[30, 50] = np.nan, 0, np.inf
    mask[20:30, 20:30] = 1
    taps = np.exp(-0.5 * (np.arange(-3, 4) / 1.3) ** 2)
    out = np.empty_like(values)
    kernels.significance((values, variance, mask), 1, taps, out)
    good = (mask == 0) & np.isfinite(values) & (variance > 0) & np.isfinite(variance)
    weight = np.where(good, 1 / np.where(good, variance, 1), 0).astype(float)
    light = np.where(good, values, 0) * weight
    for y, x in np.ndindex(values.shape):
        y0, y1, x0, x1 = max(0, y - 3), min(40, y + 4), max(0, x - 3), min(53, x + 4)
        kernel = np.outer(taps[y0 - y + 3 : y1 - y + 3], taps[x0 - x + 3 : x1 - x + 3])
        total = (kernel**2 * weight[y0:y1, x0:x1]).sum()
        signal = (kernel * light[y0:y1, x0:x1]).sum()
        expected = signal / np.sqrt(total) if total > 0 else 0
        assert out[y, x] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_star_under_a_bad_column_is_found_and_flagged() -> None:
    """The pixels beside it tell of it."""
    image, truth = field()
    brightest = truth[truth[:, 2].argmax()]
    column = round(brightest[1])
    image.sci[:, column] = 0
    image.mask[:, column] = int(MaskBit.BAD)
    table = find_sources(image, exptime_s=60.0).table
    row = table[matched(table, brightest[None])[0]]
    assert row["flags"] & SourceFlag.MASKED
    assert row["flux_psf"] == pytest.approx(brightest[2], rel=0.2)


def test_saturated_star_is_one_source_and_flagged() -> None:
    """A flat top does not fall apart; the wings still tell how bright it is, roughly."""
    image, truth = field()
    y, x = np.indices(image.sci.shape)
    y0, x0 = truth[20, :2]
    image.sci += (3e6 * PSF.at((y - y0) ** 2 + (x - x0) ** 2)).astype("f4")
    saturated = image.sci > 60000
    image.sci[saturated] = 60000
    image.var[:] = np.maximum(image.sci, 0) + 25
    image.mask[saturated] = int(MaskBit.SATURATED)
    table = find_sources(image, exptime_s=60.0).table
    near = np.hypot(table["y_px"] - y0, table["x_px"] - x0) < 4
    assert near.sum() == 1
    assert table[near]["flags"][0] & SourceFlag.SATURATED
    assert table[near]["flux_psf"][0] == pytest.approx(3e6, rel=0.2)


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (70, 64)])
def test_image_without_sources_has_an_empty_catalogue(shape: tuple[int, int]) -> None:
    """Constant, all masked, or all without data."""
    full = np.full(shape, 100, "f4")
    for mask in (np.zeros(shape, "u2"), np.full(shape, int(MaskBit.BAD), "u2")):
        assert len(find_sources(Image(full, full, mask), exptime_s=1.0)) == 0
    nothing = Image(np.full(shape, np.nan, "f4"), np.zeros(shape, "f4"))
    assert len(find_sources(nothing, exptime_s=1.0)) == 0


def test_what_cannot_be_measured_is_refused() -> None:
    """Without variance or time there are no errors and no magnitudes."""
    image, _ = field((64, 64))
    with pytest.raises(CalibrationError, match="exptime_s"):
        find_sources(image, exptime_s=0.0)
    image.var = None
    with pytest.raises(CalibrationError, match="no variance"):
        find_sources(image, exptime_s=1.0)


def test_image_too_crowded_is_an_error_that_says_so() -> None:
    """Ten thousand peaks in one connected source; no exception of sep comes through."""
    y, x = np.indices((800, 800))
    values = 100 + 900 * np.cos(np.pi * y / 8) ** 8 * np.cos(np.pi * x / 8) ** 8
    image = Image(values.astype("f4"), np.ones((800, 800), "f4"))
    background = measure_background(Image(np.zeros((800, 800), "f4")))
    settings = Sources(deblend_contrast=0.0, min_area_px=1)
    with pytest.raises(CalibrationError, match="told apart"):
        find_sources(image, exptime_s=1.0, background=background, settings=settings)


def test_image_bright_all_over_is_one_source() -> None:
    """More connected pixels than sep has room for at first."""
    full = np.full((900, 700), 100, "f4")
    background = measure_background(Image(np.zeros((900, 700), "f4")))
    image = Image(full, np.ones_like(full))
    assert len(find_sources(image, exptime_s=1.0, background=background)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold_sigma": 0},
        {"aperture_fwhm": -1},
        {"assumed_fwhm_px": 0},
        {"min_area_px": 0},
        {"deblend_levels": 0},
        {"stripe_rows": 0},
        {"deblend_contrast": 2},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict) -> None:
    """Each bound of each parameter."""
    with pytest.raises(ValueError, match="must be"):
        Sources(**wrong)
