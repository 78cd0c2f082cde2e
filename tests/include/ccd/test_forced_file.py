"""Forced photometry on a file is that on the image in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from include.ccd.forced import ForcedError, forced_psf
from include.ccd.forced_file import forced_in_file
from include.ccd.mask import MaskBit
from tests.star_fields import Stars, expose, render

SIZE, FLUX = 120, 20_000.0
X, Y = np.array([60.3, 2.4, 117.8]), np.array([61.7, 50.1, 118.6])


@pytest.fixture(scope="module")
def star() -> np.ndarray:
    """The profile of a star, of sum one."""
    plane = render(Stars(np.array([12.0]), np.array([12.0]), np.ones(1)), 25, fwhm=3.5)
    return (plane / plane.sum()).astype(np.float32)


@pytest.fixture
def kept(tmp_path, star):
    """A file with three stars, one of them with a bad pixel nearby, and the image in it."""
    image = expose(render(Stars(X, Y, np.full(3, FLUX)), SIZE, fwhm=3.5), sky=100, seed=1)
    image.sci -= np.float32(100)
    image.mask[50, 3] = MaskBit.COSMIC
    image.psf = star
    path = tmp_path / "difference.fits"
    with path.open("wb") as stream:
        image.write(stream, {})
    return path, image


def test_fluxes_are_those_of_the_whole_image(kept, star) -> None:
    """At the borders and beside bad pixels too."""
    path, image = kept
    ours = forced_in_file(path, X, Y, noise_scale=1.3)
    psf = star.astype(np.float64) / star.sum(dtype=np.float64)
    whole = forced_psf(image, psf, X, Y, noise_scale=1.3)
    for name in ("flux", "flux_error", "chi_square", "usable"):
        np.testing.assert_allclose(getattr(ours, name), getattr(whole, name), rtol=1e-6)
    np.testing.assert_array_equal(ours.bits, whole.bits)
    assert ours.flux[0] == pytest.approx(FLUX, abs=4 * ours.flux_error[0])


def test_beyond_the_image_nothing_is_usable(kept) -> None:
    """Above, below and beside it: no flux, and no failure."""
    found = forced_in_file(kept[0], np.array([60.0, 60.0, -500.0]), np.array([-500.0, 900.0, 60.0]))
    assert np.isnan(found.flux).all()
    assert (found.usable == 0).all()


def test_a_file_without_profile_is_refused(tmp_path, kept) -> None:
    """A calibrated image is none on which fluxes can be forced."""
    path = tmp_path / "plain.fits"
    with path.open("wb") as stream:
        replace(kept[1], psf=None).write(stream, {})
    with pytest.raises(ForcedError, match="no profile"):
        forced_in_file(path, X, Y)
