"""Measurements of sources: equal to the obvious sums, and what flags say."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd import _kernels_sources as kernels
from include.ccd.mask import MaskBit
from include.ccd.psf import SIGMA_TO_FWHM, Psf
from include.ccd.source_table import SOURCE_DTYPE, SourceFlag
from include.ccd.stripe_photometry import Stripe, measure_sources, neighbours_flagged

PSF = Psf.of_fwhm(3.2)
FOUND = np.dtype([("x", "f8"), ("y", "f8"), ("npix", "i4"), ("flag", "i4")])
PLACES = [(20.3, 30.7), (60.0, 25.0), (41.5, 71.2)]  # (y, x)


def stripe_with(
    fluxes: list[float], *, places: list[tuple[float, float]] = PLACES, noise: float = 0.0
) -> Stripe:
    """Rows 100 to 180 of an image of 400 × 96 with these sources."""
    y, x = np.indices((80, 96))
    values = np.random.default_rng(1).normal(0, noise, (80, 96))
    for flux, (y0, x0) in zip(fluxes, places, strict=True):
        values += flux * PSF.at((y - y0) ** 2 + (x - x0) ** 2)
    variance = np.random.default_rng(2).uniform(50, 150, (80, 96))
    return Stripe(
        100, (400, 96), values.astype("f4"), variance.astype("f4"), np.zeros((80, 96), "u2")
    )


def measured(stripe: Stripe, places: list[tuple[float, float]] = PLACES) -> np.ndarray:
    found = np.zeros(len(places), FOUND)
    found["y"], found["x"] = np.array(places).T + 0.3
    found["npix"] = 12
    return measure_sources(stripe, found, PSF, radius_px=6.4, exptime_s=10.0)


def test_noiseless_sources_are_measured_exactly() -> None:
    """Positions to a thousandth of a pixel, profile fluxes to 1e-3, the rest as it follows."""
    fluxes = [1000.0, 30000.0, 500.0]
    table = measured(stripe_with(fluxes))
    np.testing.assert_allclose(table["y_px"] - 100, [y for y, _ in PLACES], atol=3e-3)
    np.testing.assert_allclose(table["x_px"], [x for _, x in PLACES], atol=3e-3)
    np.testing.assert_allclose(table["flux_psf"], fluxes, rtol=2e-3)
    np.testing.assert_allclose(table["flux_aper"], fluxes, rtol=1e-2)
    np.testing.assert_allclose(table["mag_psf"], -2.5 * np.log10(table["flux_psf"] / 10), rtol=1e-6)
    relative = table["flux_psf_err"] / table["flux_psf"]
    np.testing.assert_allclose(table["mag_psf_err"], 1.085736 * relative, rtol=1e-5)
    np.testing.assert_allclose(table["fwhm_px"], 3.2, rtol=0.01)
    assert table["ellipticity"].max() < 0.02
    assert not table["flags"].any()


def test_sums_are_the_obvious_ones() -> None:
    """Flux, variance, coverage, moments and position errors by whole-plane sums of numpy."""
    stripe = stripe_with([1000.0, 30000.0, 500.0], noise=5)
    stripe.mask[np.random.default_rng(3).random(stripe.mask.shape) < 0.1] = 1
    profile = kernels.Profile(PSF.alpha_px, PSF.beta, 6.4, 3.2, 1.4)
    centres = np.array(PLACES).T
    found, shapes = kernels.new_photometry(3), kernels.new_shapes(3)
    kernels.photometry(kernels.Planes(*stripe.planes), centres, profile, 1, found)
    kernels.shapes(kernels.Planes(*stripe.planes), centres, profile, 1, shapes)
    for n, (y0, x0) in enumerate(PLACES):
        y, x = np.indices(stripe.values.shape)
        squared = (y - y0) ** 2 + (x - x0) ** 2
        near = squared <= 6.4**2
        good = near & (stripe.mask == 0)
        p, d, v = PSF.at(squared), stripe.values.astype(float), stripe.variance.astype(float)
        total = (p**2)[good].sum()
        assert found.flux[n] == pytest.approx((p * d)[good].sum() / total)
        assert found.variance[n] == pytest.approx((p**2 * v)[good].sum() / total**2)
        assert found.covered[n] == pytest.approx(total / (p**2)[near].sum())
        w = np.exp(-0.5 * squared / 1.4**2)
        light = (w * d)[good].sum()
        xx = (w * d * (x - x0) ** 2)[good].sum() / light
        assert shapes.xx[n] == pytest.approx(xx)
        spread = (w**2 * (x - x0) ** 2 * v)[good].sum()
        assert shapes.x_variance[n] == pytest.approx(spread / (light * (1 - xx / 1.4**2)) ** 2)
        assert shapes.peak[n] == pytest.approx(d[good].max())


def test_elongation_and_its_angle_are_found() -> None:
    """Ellipticity to 0.02 and angle to a degree, for a Gaussian."""
    y, x = np.indices((80, 96))
    for angle in (-60, 0, 30, 85):
        turn = np.radians(angle)
        along = (x - 48) * np.cos(turn) + (y - 40) * np.sin(turn)
        across = (y - 40) * np.cos(turn) - (x - 48) * np.sin(turn)
        values = 1000 * np.exp(-0.5 * ((along / 1.8) ** 2 + (across / 1.35) ** 2))
        stripe = stripe_with([0, 0, 0])
        stripe.values[:] = values
        row = measured(stripe, [(40.0, 48.0)])[0]
        assert row["ellipticity"] == pytest.approx(0.25, abs=0.02)
        assert (row["theta_deg"] - angle + 90) % 180 - 90 == pytest.approx(0, abs=1)
        assert row["fwhm_px"] == pytest.approx(SIGMA_TO_FWHM * np.sqrt(1.8 * 1.35), rel=0.1)


@pytest.mark.parametrize(
    ("bit", "flag"),
    [
        (MaskBit.SATURATED, SourceFlag.SATURATED),
        (MaskBit.BAD, SourceFlag.MASKED),
        (MaskBit.COSMIC | MaskBit.INTERPOLATED, SourceFlag.INTERPOLATED),
    ],
)
def test_mask_near_the_centre_is_flagged(bit: MaskBit, flag: SourceFlag) -> None:
    """The flag of the source says which; the flux without that pixel is the flux."""
    stripe = stripe_with([1000.0, 30000.0, 500.0])
    stripe.mask[60, 26] = int(bit)
    stripe.values[60, 26] *= 0.7
    table = measured(stripe)
    assert table["flags"].tolist() == [0, int(flag), 0]
    assert table["flux_psf"][1] == pytest.approx(30000, rel=0.02)


def test_source_without_usable_pixels_has_no_flux() -> None:
    """NaN instead of a number out of nothing; it is flagged."""
    stripe = stripe_with([1000.0, 30000.0, 500.0])
    stripe.mask[50:71, 15:36] = int(MaskBit.BAD)
    row = measured(stripe)[1]
    assert np.isnan(row["flux_psf"])
    assert np.isnan(row["mag_psf"])
    assert row["flags"] & SourceFlag.UNCOVERED


def test_edges_are_those_of_the_image_and_not_of_the_stripe() -> None:
    """A source near the first row of a stripe in the middle of the image is not at an edge."""
    places = [(3.0, 40.0), (40.0, 3.0)]
    table = measured(stripe_with([900.0, 900.0], places=places), places)
    assert (table["flags"] & SourceFlag.EDGE).tolist() == [0, int(SourceFlag.EDGE)]


def test_centroid_that_runs_away_is_not_believed() -> None:
    """Where the light is somewhere else, the position of the detection stays."""
    row = measured(stripe_with([1.0, 90000.0, 1.0]), [(56.0, 25.0)])[0]
    assert row["flags"] & SourceFlag.UNCENTRED
    assert (row["y_px"], row["x_px"]) == (156.3, 25.3)


def test_nothing_found_is_an_empty_table() -> None:
    """With the columns that it always has."""
    table = measure_sources(
        stripe_with([1, 1, 1]), np.zeros(0, FOUND), PSF, radius_px=6.0, exptime_s=1.0
    )
    assert table.shape == (0,)
    assert table.dtype == SOURCE_DTYPE


def test_close_neighbours_are_blended() -> None:
    """Both of a pair, and nobody else."""
    table = np.zeros(3, SOURCE_DTYPE)
    table["x_px"] = [10, 14, 30]
    assert neighbours_flagged(table, 5.0)["flags"].tolist() == [1, 1, 0]
    assert neighbours_flagged(table[:1].copy(), 5.0)["flags"].tolist() == [1]
