"""Forced photometry: the right flux and the right error, seen or not."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.forced import ForcedError, flux_noise, forced_psf, shifted_psf
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from tests.star_fields import Stars, expose, render

SKY = 400.0


def profile(fwhm: float = 3.5, side: int = 31) -> np.ndarray:
    centre = side // 2
    star = Stars(np.array([float(centre)]), np.array([float(centre)]), np.array([1.0]))
    plane = render(star, side, fwhm=fwhm).astype(float)
    return plane / plane.sum()


def field(flux: float, *, seed: int = 1):
    """Stars of one flux on a grid, at all phases of the pixel, less the sky."""
    y, x = np.mgrid[30:450:42, 30:450:42].reshape(2, -1).astype(float)
    rng = np.random.default_rng(seed)
    x, y = x + rng.uniform(-0.5, 0.5, x.size), y + rng.uniform(-0.5, 0.5, y.size)
    image = expose(render(Stars(x, y, np.full(x.size, flux)), 480, fwhm=3.5), sky=SKY, seed=seed)
    image.sci -= np.float32(SKY)
    return image, x, y


@pytest.mark.parametrize("flux", [0.0, 300.0, 20_000.0])
def test_flux_and_error_are_right(flux: float) -> None:
    """Of nothing, of what is lost in the noise, of bright stars: no bias, pulls of width one."""
    image, x, y = field(flux)
    found = forced_psf(image, profile(), x, y)
    pulls = (found.flux - flux) / found.flux_error
    assert np.std(pulls) == pytest.approx(1.0, abs=0.2)
    assert abs(np.mean(found.flux - flux)) < 4 * np.mean(found.flux_error) / 10 + 0.01 * flux
    assert np.median(found.chi_square) == pytest.approx(1.0, abs=0.1)
    assert (found.bits == 0).all()
    np.testing.assert_allclose(found.usable, 1.0)


def test_flux_is_the_least_squares_solution() -> None:
    """As numpy solves it for one star."""
    image, x, y = field(5000.0)
    psf = profile()
    found = forced_psf(image, psf, x[:1], y[:1])
    column, row = round(x[0]), round(y[0])
    cut = np.s_[row - 15 : row + 16, column - 15 : column + 16]
    model = shifted_psf(psf, x[:1] - column, y[:1] - row)[0]
    root = np.sqrt(image.var[cut].astype(float))
    expected = np.linalg.lstsq((model / root).reshape(-1, 1), (image.sci[cut] / root).ravel())[0]
    assert found.flux[0] == pytest.approx(expected[0], rel=1e-6)


def test_masked_pixels_do_not_count() -> None:
    """Half a star is measured from its other half; less than half is not measured at all."""
    image, x, y = field(20_000.0)
    column, row = round(x[0]), round(y[0])
    image.sci[row, column + 1 :] = 1e6
    image.mask[row, column + 1 : column + 16] = MaskBit.HOT
    image.mask[round(y[1]) - 20 : round(y[1]) + 20, round(x[1]) - 20 : round(x[1]) + 20] = 1
    found = forced_psf(image, profile(), x[:3], y[:3])
    assert found.flux[0] == pytest.approx(20_000, rel=0.05)
    assert found.usable[0] < 1.0
    assert found.bits[0] == MaskBit.HOT
    assert np.isnan(found.flux[1])
    assert found.flux_error[0] > found.flux_error[2]


def test_places_at_and_beyond_the_border_are_answered() -> None:
    """With what is there, or with NaN."""
    image, _, _ = field(0.0)
    found = forced_psf(image, profile(), [0.0, -100.0, 479.0], [240.0, 240.0, 700.0])
    assert np.isfinite(found.flux[0])
    assert np.isnan(found.flux[1:]).all()


def test_profiles_move_by_fractions_of_a_pixel() -> None:
    """And keep sum and shape."""
    moved = shifted_psf(profile(), np.array([0.0, 0.4]), np.array([0.0, -0.3]))
    np.testing.assert_allclose(moved[0], profile(), atol=1e-12)
    y, x = np.mgrid[-15:16, -15:16]
    assert (moved[1] * x).sum() == pytest.approx(0.4, abs=0.02)
    assert (moved[1] * y).sum() == pytest.approx(-0.3, abs=0.02)


def test_noise_scale_is_one_without_correlation_and_more_with_it() -> None:
    """A smoothed image has less noise by pixel than its fluxes show."""
    from scipy.ndimage import uniform_filter

    image, _, _ = field(0.0)
    assert flux_noise(image, profile()).scale == pytest.approx(1.0, abs=0.1)
    smooth = Image(uniform_filter(image.sci, 3), image.var / 9, image.mask)
    scale = flux_noise(smooth, profile()).scale
    assert scale > 1.8
    plain = forced_psf(smooth, profile(), [100.0], [100.0])
    scaled = forced_psf(smooth, profile(), [100.0], [100.0], noise_scale=scale)
    assert scaled.flux_error[0] == pytest.approx(scale * plain.flux_error[0])


def test_what_cannot_be_measured_is_refused() -> None:
    """No variance, no centre, no empty place."""
    image, _, _ = field(0.0)
    with pytest.raises(ForcedError, match="without variance"):
        forced_psf(Image(image.sci), profile(), [1.0], [1.0])
    with pytest.raises(ForcedError, match="odd side"):
        forced_psf(image, np.ones((6, 6)) / 36, [1.0], [1.0])
    image.mask[:] = 1
    with pytest.raises(ForcedError, match="0 usable places"):
        flux_noise(image, profile())
