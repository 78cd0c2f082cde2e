"""Limits and sky brightness from a zero point."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.photometric_depth import limiting_mag, noise_pixels, sky_mag_per_arcsec2
from include.ccd.psf import Psf

PSF = Psf.of_fwhm(4.0, beta=3.0)


def test_noise_pixels_are_those_of_the_profile() -> None:
    """One over the sum of squares of a finely sampled profile."""
    y, x = np.mgrid[-60:61, -60:61] * 1.0
    profile = PSF.at(x**2 + y**2)
    assert noise_pixels(PSF.alpha_px, PSF.beta) == pytest.approx(1 / (profile**2).sum(), rel=1e-2)


def test_the_limit_is_where_the_profile_flux_is_five_times_its_noise() -> None:
    """Checked with the optimal weights on noise of 10 electrons a pixel."""
    y, x = np.mgrid[-30:31, -30:31] * 1.0
    profile = PSF.at(x**2 + y**2)
    noise_e = 10.0 / np.sqrt((profile**2).sum())
    expected = 25.0 - 2.5 * np.log10(5 * noise_e / 60.0)
    found = limiting_mag(
        25.0, background_rms=10.0, psf=(PSF.alpha_px, PSF.beta), exptime_s=60.0, sigma=5.0
    )
    assert found == pytest.approx(expected, abs=0.01)


def test_the_sky_is_counted_per_square_arcsecond() -> None:
    """600 electrons in 60 s on pixels of half an arcsecond: 40 a second and square arcsecond."""
    found = sky_mag_per_arcsec2(25.0, background=600.0, exptime_s=60.0, scale_arcsec_per_px=0.5)
    assert found == pytest.approx(25.0 - 2.5 * np.log10(40.0))


@pytest.mark.parametrize("nothing", [None, 0.0, -3.0])
def test_without_noise_or_sky_there_is_no_number(nothing) -> None:
    """None, and no error."""
    psf = (PSF.alpha_px, PSF.beta)
    assert limiting_mag(25.0, background_rms=nothing, psf=psf, exptime_s=60.0, sigma=5.0) is None
    assert (
        sky_mag_per_arcsec2(25.0, background=nothing, exptime_s=60.0, scale_arcsec_per_px=0.5)
        is None
    )
