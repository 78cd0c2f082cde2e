"""Matching kernels: equal to what scipy computes, and to the kernel that made the image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve
from scipy.signal import convolve2d

from include.ccd import _kernels_difference as kernels
from include.ccd.difference import separable
from include.ccd.matching_kernel import Basis, StampPair, fit_kernel, stamp_weights


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def padded(image: np.ndarray, half: int) -> np.ndarray:
    return np.pad(image, half, mode="edge")


def test_basis_functions_have_sum_zero_but_the_first() -> None:
    """The sum of the kernel is one coefficient."""
    sums = Basis.between(3.0, 4.5).kernels().sum(axis=(1, 2))
    assert sums[0] == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(sums[1:], 0.0, atol=1e-6)


def test_basis_images_are_convolutions() -> None:
    """Each as scipy convolves the stamp with the whole function."""
    basis = Basis.between(3.0, 4.0)
    image = rng().normal(100, 10, (60, 64)).astype(np.float32)
    found = basis.images(padded(image, basis.half_px), (17, 21), 9)
    for plane, function in zip(found, basis.kernels(), strict=True):
        expected = convolve(image.astype(float), function, mode="nearest")[17:26, 21:30]
        np.testing.assert_allclose(plane, expected, atol=1e-6)


@pytest.mark.parametrize("size", [5, 8, 17])
def test_blocks_are_convolved_as_by_scipy(size: int) -> None:
    """A kernel in separable terms is the kernel, for any number of taps."""
    taps = size if size % 2 else size + 1
    half = taps // 2
    kernel = rng().normal(size=(taps, taps))
    image = rng().normal(size=(40, 50)).astype(np.float32)
    out = np.empty((13, 21), np.float32)
    factors = separable(kernel, 0.0)
    kernels.convolve_block(padded(image, half), *factors, (4, 6), out)
    expected = convolve(image.astype(float), kernel, mode="nearest")[4:17, 6:27]
    np.testing.assert_allclose(out, expected, atol=1e-3)


def test_a_smooth_kernel_needs_few_terms_and_keeps_its_sum() -> None:
    """What is left out is small."""
    y, x = np.mgrid[-8:9, -8:9]
    kernel = np.exp(-(x**2 + y**2 + 0.3 * x * y) / 8.0)
    along_y, along_x = separable(kernel, 1e-3)
    again = np.einsum("ri,rj->ij", along_y, along_x)[::-1, ::-1]
    assert len(along_y) <= 4
    assert again.sum() == pytest.approx(kernel.sum(), rel=1e-6)
    np.testing.assert_allclose(again, kernel, atol=2e-3)


def test_masks_spread_into_squares() -> None:
    """Bits of neighbours add up; borders cut."""
    mask = np.zeros((20, 20), np.uint16)
    mask[5, 5], mask[6, 8], mask[0, 19] = 1, 4, 16
    out = np.zeros_like(mask)
    kernels.smear_mask(mask, 2, out)
    expected = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        expected[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] |= mask[y, x]
    np.testing.assert_array_equal(out, expected)


def test_holes_take_the_mean_of_their_neighbours() -> None:
    """A hole without any takes what it is told."""
    image = np.arange(49, dtype=np.float32).reshape(7, 7)
    holes = np.zeros((7, 7), np.uint16)
    holes[3, 3] = 1
    image[3, 3] = 1e6
    kernels.fill_masked(image, holes, 1, 1, 0.0)
    assert image[3, 3] == pytest.approx(24.0)
    kernels.fill_masked(image, np.ones((7, 7), np.uint16), 1, 1, -5.0)
    assert (image == -5.0).all()


def test_smoothed_weights_do_not_follow_single_pixels() -> None:
    """And are 0 where a pixel is unusable."""
    variances = np.full((1, 11, 11), 100.0)
    variances[0, 5, 5] = 350.0
    unusable = np.zeros((1, 11, 11), bool)
    unusable[0, 0, 0] = True
    weight = stamp_weights(variances, unusable)
    assert weight[0, 5, 5] == pytest.approx(1 / 110.0)
    assert weight[0, 0, 0] == 0.0


def stars_and_kernel(noise: float, slope: float):
    """Stars, the same under a kernel that grows along x, and what describes them."""
    y, x = np.mgrid[:300, :300]
    places = np.array([(j, i) for j in range(40, 270, 44) for i in range(40, 270, 44)])
    sharp = np.zeros((300, 300))
    for j, i in places:
        sharp += 5e4 * np.exp(-((y - j - 0.3) ** 2 + (x - i + 0.2) ** 2) / (2 * 1.3**2))
    basis = Basis.between(3.06, 4.3)
    true = basis.kernels()[0]
    target = (1 + slope * (2 * x / 299 - 1)) * convolve2d(sharp, true, mode="same")
    noisy = (sharp + rng().normal(0, noise, sharp.shape)).astype(np.float32)
    return noisy, target + 250.0, places, basis


@pytest.mark.parametrize("noise", [0.0, 60.0])
def test_kernel_is_found_again(noise: float) -> None:
    """With its variation over the field, under a background, and with noise in the sharp image."""
    sharp, target, places, basis = stars_and_kernel(noise, 0.1)
    half, h = 12, basis.half_px
    variance = np.full(sharp.shape, max(noise**2, 1e-3), np.float32)
    cuts = np.array([target[y - half : y + half + 1, x - half : x + half + 1] for y, x in places])
    weight = np.full(cuts.shape, 1.0)
    stamps = StampPair(padded(sharp, h), padded(variance, h), places, cuts, weight)
    kernel = fit_kernel(stamps, basis=basis, shape=(300, 300), degree=1, clip_sigma=5.0)
    assert float(kernel.scale(150, 0)) == pytest.approx(0.9, abs=0.01)
    assert float(kernel.scale(150, 299)) == pytest.approx(1.1, abs=0.01)
    np.testing.assert_allclose(kernel.at(149.5, 149.5), basis.kernels()[0], atol=8e-3)


def test_a_star_that_varies_is_put_aside() -> None:
    """It would tilt the flux scale."""
    sharp, target, places, basis = stars_and_kernel(5.0, 0.0)
    half, h = 12, basis.half_px
    y, x = places[7]
    target[y - half : y + half + 1, x - half : x + half + 1] *= 3.0
    cuts = np.array([target[y - half : y + half + 1, x - half : x + half + 1] for y, x in places])
    variance = np.full(sharp.shape, 25.0, np.float32)
    stamps = StampPair(padded(sharp, h), padded(variance, h), places, cuts, np.ones(cuts.shape))
    kernel = fit_kernel(stamps, basis=basis, shape=(300, 300), degree=1, clip_sigma=5.0)
    assert kernel.stamps_used < len(places)
    assert float(kernel.scale(150, 150)) == pytest.approx(1.0, abs=0.01)


def test_few_stars_allow_no_variation() -> None:
    """Eight stars determine no slope: the kernel is constant."""
    sharp, target, places, basis = stars_and_kernel(5.0, 0.0)
    half, h = 12, basis.half_px
    places = places[:8]
    cuts = np.array([target[y - half : y + half + 1, x - half : x + half + 1] for y, x in places])
    variance = np.full(sharp.shape, 25.0, np.float32)
    stamps = StampPair(padded(sharp, h), padded(variance, h), places, cuts, np.ones(cuts.shape))
    kernel = fit_kernel(stamps, basis=basis, shape=(300, 300), degree=1, clip_sigma=5.0)
    assert kernel.degree == 0
    empty = StampPair(stamps.padded, stamps.padded_var, places, cuts, 0 * cuts)
    with pytest.raises(ValueError, match="at least one star"):
        fit_kernel(empty, basis=basis, shape=(300, 300), degree=1, clip_sigma=5.0)
