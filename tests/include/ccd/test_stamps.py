"""Stamps: bright clean stars all over the image, and the width of a typical one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import shift

from include.ccd.stamps import (
    cut,
    find_stamps,
    fwhm_px,
    spline_shifts,
    steady_stars,
    typical_star,
)
from tests.star_fields import Stars, expose, render


def grid_of_stars(fwhm: float, *, offset: float = 0.0):
    y, x = np.mgrid[40:400:60, 40:400:60].reshape(2, -1) + offset
    stars = Stars(x.astype(float), y.astype(float), np.full(x.size, 50_000.0))
    return expose(render(stars, 440, fwhm=fwhm), sky=300, seed=1), stars


def test_every_star_alone_in_its_cell_is_found() -> None:
    """At the pixel of its peak."""
    image, stars = grid_of_stars(3.0)
    found = find_stamps(image.sci, image.var, image.mask, cell_px=55, margin_px=20, snr=20)
    expected = {(int(y), int(x)) for y, x in zip(stars.y, stars.x, strict=True)}
    assert {tuple(place) for place in found.tolist()} <= expected
    assert len(found) >= 30


def test_stars_on_bad_pixels_or_at_the_border_are_left_out() -> None:
    """A masked pixel three pixels away is enough."""
    image, _ = grid_of_stars(3.0)
    image.mask[103, 103] = 1
    found = find_stamps(image.sci, image.var, image.mask, cell_px=55, margin_px=50, snr=20)
    assert (100, 100) not in {tuple(place) for place in found.tolist()}
    assert found.min() >= 50
    assert found.max() < 390


def test_noise_alone_has_no_stamps() -> None:
    """Nothing stands out of it by 20 sigma."""
    image = expose(np.zeros((300, 300), np.float32), sky=300, seed=1)
    assert not len(find_stamps(image.sci, image.var, image.mask, cell_px=64, margin_px=20, snr=20))


def test_cuts_are_centred() -> None:
    """A square of odd side around each pixel."""
    plane = np.arange(400.0).reshape(20, 20)
    squares = cut(plane, np.array([[5, 7], [12, 10]]), 2)
    np.testing.assert_array_equal(squares[0], plane[3:8, 5:10])
    np.testing.assert_array_equal(squares[1], plane[10:15, 8:13])


@pytest.mark.parametrize("sigma", [1.0, 1.7, 3.0])
def test_width_of_a_gaussian_is_its_own(sigma: float) -> None:
    """To a percent."""
    y, x = np.mgrid[-12:13, -12:13]
    star = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    assert fwhm_px(star) == pytest.approx(2.3548 * sigma, rel=0.01)


def test_typical_star_ignores_a_neighbour_and_the_sky() -> None:
    """The median of many is one star of sum 1 on nothing."""
    image, stars = grid_of_stars(3.5, offset=0.4)
    places = np.stack([np.round(stars.y), np.round(stars.x)], axis=1).astype(int)
    image.sci[44:46, 48:50] += 5e4
    star = typical_star(image.sci, places, half_px=12)
    assert star.sum() == pytest.approx(1.0)
    assert abs(star[0]).max() < 1e-3
    y, x = np.mgrid[-12:13, -12:13]
    near = np.hypot(y, x) < 6
    assert abs((star * x)[near].sum()) < 0.02
    assert abs((star * y)[near].sum()) < 0.02


def test_a_star_that_varies_is_not_steady() -> None:
    """Though it is the brightest of few, and the other image was taken through cloud."""
    rng = np.random.default_rng(5)
    x, y = rng.permutation(np.arange(30, 270, 30)) + 0.3, np.arange(30, 270, 30) + 0.4
    flux = np.array([9e4, 4e4, 3e4, 2e4, 9e3, 6e3, 5e3, 4e3])
    changed = flux * np.where(np.arange(8) == 0, 1.3, 1.0)
    images = [
        expose(0.7**n * render(Stars(x, y, each), 300, fwhm=3.0 + n), sky=300, seed=n)
        for n, each in enumerate((flux, changed))
    ]
    places = np.column_stack([y, x]).astype(np.int64)
    planes = [(image.sci, image.var) for image in images]
    steady = steady_stars(*planes, places, clip_sigma=4.0)
    assert steady.tolist() == [False, *[True] * 7]


def test_shifts_are_those_of_a_cubic_spline() -> None:
    """As scipy shifts a star along both axes."""
    y, x = np.mgrid[-12:13, -12:13]
    star = np.exp(-((x - 0.6) ** 2 + (y + 0.3) ** 2) / (2 * 1.4**2))
    along_y, along_x = (spline_shifts(np.array([offset]), 25)[0] for offset in (-0.3, 0.6))
    found = along_y @ star @ along_x.T
    np.testing.assert_allclose(found, shift(star, (0.3, -0.6), order=3, mode="nearest"), atol=1e-6)
    np.testing.assert_allclose(spline_shifts(np.zeros(1), 9)[0], np.eye(9), atol=1e-12)
