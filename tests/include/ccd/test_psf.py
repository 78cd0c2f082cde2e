"""The profile of an image is that of its stars."""

from __future__ import annotations

import numpy as np
import pytest
import sep

from include.ccd.psf import Psf, fit_psf

SHAPE = (400, 400)


def stars_of(psf: Psf, *, seed: int = 1, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """An image without sky, noise 10, stars on a jittered grid; and its variance."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(SHAPE)
    values = np.zeros(SHAPE)
    for place in rng.permutation(49)[:count]:
        y0, x0 = 30 + 55 * np.array(divmod(place, 7)) + rng.uniform(-3, 3, 2)
        values += rng.lognormal(10.5, 0.5) * psf.at((y - y0) ** 2 + (x - x0) ** 2)
    variance = values + 100
    return (values + rng.normal(0, np.sqrt(variance))).astype("f4"), variance.astype("f4")


def fitted(values: np.ndarray, variance: np.ndarray, unusable: np.ndarray | None = None) -> Psf:
    if unusable is None:
        unusable = np.zeros(SHAPE, bool)
    stars = sep.extract(values, 10.0, err=10.0, mask=unusable)
    return fit_psf(values, variance=variance, unusable=unusable, stars=stars, assumed_fwhm_px=3.0)


@pytest.mark.parametrize("fwhm", [1.8, 2.9, 6.0])
@pytest.mark.parametrize("beta", [2.5, 3.0, 4.7])
def test_width_and_steepness_are_found(fwhm: float, beta: float) -> None:
    """FWHM to 1 %, and the light within two FWHM to 1 %."""
    truth = Psf.of_fwhm(fwhm, beta=beta)
    psf = fitted(*stars_of(truth))
    assert psf.stars > 20
    assert psf.fwhm_px == pytest.approx(fwhm, rel=0.01)
    within = truth.fraction_within(2 * fwhm)
    assert psf.fraction_within(2 * fwhm) == pytest.approx(within, rel=0.01)


def test_spoilt_stars_do_not_count() -> None:
    """Stars with a masked pixel are left out, whatever they look like."""
    values, variance = stars_of(Psf.of_fwhm(3.0))
    expected = fitted(values, variance)
    unusable = np.zeros(SHAPE, bool)
    unusable[:, 190] = unusable[190] = True
    values[unusable] = 1e5
    psf = fitted(values, variance, unusable)
    assert 0 < psf.stars < expected.stars
    assert psf.fwhm_px == pytest.approx(3.0, rel=0.01)


@pytest.mark.parametrize("count", [0, 2])
def test_without_stars_it_is_assumed(count: int) -> None:
    """Fewer than four stars tell nothing."""
    psf = fitted(*stars_of(Psf.of_fwhm(4.0), count=count))
    assert psf == Psf.of_fwhm(3.0)
    assert psf.stars == 0


@pytest.mark.parametrize("beta", [1.5, 3.0, 10.0])
def test_profile_has_unit_volume_and_its_width(beta: float) -> None:
    """Sum, half maximum and enclosed light of the profile are what they are called."""
    psf = Psf.of_fwhm(4.0, beta=beta)
    y, x = np.mgrid[-60:61, -60:61].astype(float)
    squared = x * x + y * y
    within = psf.at(squared)[squared <= 50**2].sum()
    assert within == pytest.approx(psf.fraction_within(50), rel=1e-3)
    assert psf.fwhm_px == pytest.approx(4.0)
    half, peak = psf.at(np.array([4.0, 0.0]))
    assert half == pytest.approx(peak / 2)
