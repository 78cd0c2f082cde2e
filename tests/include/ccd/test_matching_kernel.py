"""Matching kernels: equal to what scipy computes, and to the kernel that made the image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve
from scipy.signal import convolve2d

from include.ccd import _kernels_difference as kernels
from include.ccd import _kernels_matching as matching
from include.ccd.difference import separable
from include.ccd.matching_kernel import (
    Basis,
    StampPair,
    fit_kernel,
    normal_equations,
    stamp_weights,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_basis_functions_have_sum_zero_but_the_first() -> None:
    """The sum of the kernel is one coefficient."""
    sums = Basis.between(3.0, 4.5).kernels().sum(axis=(1, 2))
    assert sums[0] == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(sums[1:], 0.0, atol=1e-6)


def test_basis_images_are_convolutions() -> None:
    """Each as scipy convolves the stamp with the whole function."""
    basis = Basis.between(3.0, 4.0)
    functions, half = basis.compiled(), basis.half_px
    image = rng().normal(100, 10, (60, 64))
    window = np.ascontiguousarray(image[17 - half : 26 + half, 21 - half : 37 + half])
    lines = np.empty((len(basis.filters), 9 + 2 * half, 16))
    found = np.empty((len(basis.pairs), 9, 16))
    matching.basis_images(window, functions, lines, found)
    for plane, function in zip(found, basis.kernels(), strict=True):
        expected = convolve(image, function, mode="nearest")[17:26, 21:37]
        np.testing.assert_allclose(plane, expected, atol=1e-9)


def test_normal_equations_are_weighted_sums_over_the_pixels_of_a_star() -> None:
    """As numpy sums them with whole arrays, at the border of the image, too."""
    basis, side = Basis.between(3.0, 4.0), 11
    sci = rng().normal(100, 10, (40, 44)).astype(np.float32)
    var = rng().uniform(90, 110, sci.shape).astype(np.float32)
    places = np.array([[5, 6], [20, 30], [34, 37]])
    target, weight = rng().normal(50, 9, (3, side, side)), rng().random((3, side, side))
    weight[:, 3, 4] = 0.0
    found = normal_equations(StampPair(sci, var, 95.0, places, target, weight), basis)
    functions = basis.kernels()
    planes = [convolve(sci - 95.0, each, mode="nearest", output=float) for each in functions]
    products = np.einsum("ayx,byx->abyx", functions, functions)
    for n, (y, x) in enumerate(places):
        cut = np.s_[y - 5 : y + 6, x - 5 : x + 6]
        images, w = np.array([plane[cut] for plane in planes]), weight[n]
        images -= (images * w).sum(axis=(1, 2), keepdims=True) / w.sum()
        data = target[n] - (target[n] * w).sum() / w.sum()
        matrix = np.einsum("ayx,byx,yx->ab", images, images, w)
        np.testing.assert_allclose(found.matrix[n], matrix, rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(
            found.vector[n], np.einsum("ayx,yx,yx->a", images, data, w), rtol=1e-9, atol=1e-6
        )
        assert found.square[n] == pytest.approx((w * data**2).sum())
        for a, b in ((0, 0), (2, 5), (20, 3)):
            spread = convolve(var, products[a, b], mode="nearest", output=float)[cut]
            assert found.excess[n, a, b] == pytest.approx((w * spread).sum(), rel=1e-6, abs=1e-6)


def test_matrices_of_stars_are_united_under_their_polynomials() -> None:
    """As einsum does it."""
    matrices, terms = rng().random((7, 5, 5)), rng().random((7, 3))
    out = np.empty((5, 3, 5, 3))
    matching.united(matrices, terms, out)
    expected = np.einsum("nij,np,nq->ipjq", matrices, terms, terms)
    np.testing.assert_allclose(out, expected, rtol=1e-12)


@pytest.mark.parametrize("taps", [5, 7, 9, 17])
@pytest.mark.parametrize(
    "block", [(4, 17, 6, 27), (0, 13, 0, 30), (20, 40, 31, 50), (0, 40, 0, 50)]
)
def test_blocks_are_convolved_as_by_scipy(taps: int, block: tuple[int, int, int, int]) -> None:
    """A kernel in separable terms is the kernel, within the image and at its border."""
    kernel = rng().normal(size=(taps, taps))
    image = rng().normal(size=(40, 50)).astype(np.float32)
    out = np.full(image.shape, np.nan, np.float32)
    kernels.convolve_block(image, separable(kernel[None], 0.0)[0], 0.5, block, out)
    y0, y1, x0, x1 = block
    expected = convolve(image - 0.5, kernel, mode="nearest", output=float)[y0:y1, x0:x1]
    np.testing.assert_allclose(out[y0:y1, x0:x1], expected, atol=1e-4)
    assert np.isfinite(out).sum() == (y1 - y0) * (x1 - x0)


def test_a_smooth_kernel_needs_few_terms_and_keeps_its_sum() -> None:
    """What is left out is small."""
    y, x = np.mgrid[-8:9, -8:9]
    kernel = np.exp(-(x**2 + y**2 + 0.3 * x * y) / 8.0)
    ((along_y, along_x),) = separable(kernel[None], 1e-3)
    again = np.einsum("ri,rj->ij", along_y, along_x)[::-1, ::-1]
    assert len(along_y) <= 4
    assert again.sum() == pytest.approx(kernel.sum(), rel=1e-6)
    np.testing.assert_allclose(again, kernel, atol=2e-3)


def test_masks_spread_into_squares() -> None:
    """Bits of neighbours add up; borders cut."""
    mask = np.zeros((20, 20), np.uint16)
    mask[5, 5], mask[6, 8], mask[0, 19] = 1, 4 | 8, 16
    for bits in (0xFFFF, 4):
        out = np.zeros_like(mask)
        kernels.smear_mask(mask, bits, 2, out)
        expected = np.zeros_like(mask)
        for y, x in np.argwhere(mask):
            expected[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] |= mask[y, x] & np.uint16(bits)
        np.testing.assert_array_equal(out, expected)


def test_holes_are_what_has_no_value_or_a_bad_one() -> None:
    """NaN, infinity, no variance, a bit that is not to be kept, NO_DATA beside one that is."""
    sci, var = np.ones((2, 40), np.float32), np.ones((2, 40), np.float32)
    mask = np.zeros((2, 40), np.uint16)
    sci[0, 3], sci[0, 4], var[0, 5], var[0, 6], var[0, 7] = np.nan, -np.inf, 0.0, np.nan, np.inf
    mask[1, 33:38] = 1, 4, 1 | 4, 16, 4 | 16
    expected = np.zeros((2, 40), bool)
    expected[0, 3:8] = True
    expected[1, [33, 36, 37]] = True
    assert kernels.count_holes(sci, var, mask, 4) == expected.sum()
    holes = np.empty((2, 40), bool)
    kernels.find_holes(sci, var, mask, 4, holes)
    np.testing.assert_array_equal(holes, expected)
    assert (mask[0, 3:8] == 16).all()


def test_holes_take_the_mean_of_their_neighbours() -> None:
    """A hole without any takes what it is told."""
    image = np.arange(49, dtype=np.float32).reshape(7, 7)
    holes = np.zeros((7, 7), bool)
    holes[3, 3] = True
    image[3, 3] = 1e6
    kernels.fill_holes(image, holes, 1, 0.0)
    assert image[3, 3] == pytest.approx(24.0)
    kernels.fill_holes(image, np.ones((7, 7), bool), 1, -5.0)
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
    half = 12
    variance = np.full(sharp.shape, max(noise**2, 1e-3), np.float32)
    cuts = np.array([target[y - half : y + half + 1, x - half : x + half + 1] for y, x in places])
    weight = np.full(cuts.shape, 1.0)
    stamps = StampPair(sharp, variance, 0.0, places, cuts, weight)
    kernel = fit_kernel(stamps, basis=basis, shape=(300, 300), degree=1, clip_sigma=5.0)
    assert float(kernel.scale(150, 0)) == pytest.approx(0.9, abs=0.01)
    assert float(kernel.scale(150, 299)) == pytest.approx(1.1, abs=0.01)
    np.testing.assert_allclose(kernel.at(149.5, 149.5), basis.kernels()[0], atol=8e-3)
    rows, columns = np.arange(50, 90), np.arange(300)
    expected = kernel.scale(rows[:, None].astype(float), columns.astype(float))
    np.testing.assert_allclose(kernel.scales(rows, columns), expected, rtol=1e-6)


def test_a_star_that_varies_is_put_aside() -> None:
    """It would tilt the flux scale."""
    sharp, target, places, basis = stars_and_kernel(5.0, 0.0)
    half = 12
    y, x = places[7]
    target[y - half : y + half + 1, x - half : x + half + 1] *= 3.0
    cuts = np.array([target[y - half : y + half + 1, x - half : x + half + 1] for y, x in places])
    variance = np.full(sharp.shape, 25.0, np.float32)
    stamps = StampPair(sharp, variance, 0.0, places, cuts, np.ones(cuts.shape))
    kernel = fit_kernel(stamps, basis=basis, shape=(300, 300), degree=1, clip_sigma=5.0)
    assert kernel.stamps_used < len(places)
    assert float(kernel.scale(150, 150)) == pytest.approx(1.0, abs=0.01)


def test_few_stars_allow_no_variation() -> None:
    """Eight stars determine no slope: the kernel is constant."""
    sharp, target, places, basis = stars_and_kernel(5.0, 0.0)
    half = 12
    places = places[:8]
    cuts = np.array([target[y - half : y + half + 1, x - half : x + half + 1] for y, x in places])
    variance = np.full(sharp.shape, 25.0, np.float32)
    stamps = StampPair(sharp, variance, 0.0, places, cuts, np.ones(cuts.shape))
    kernel = fit_kernel(stamps, basis=basis, shape=(300, 300), degree=1, clip_sigma=5.0)
    assert kernel.degree == 0
    empty = StampPair(sharp, variance, 0.0, places, cuts, 0 * cuts)
    with pytest.raises(ValueError, match="at least one star"):
        fit_kernel(empty, basis=basis, shape=(300, 300), degree=1, clip_sigma=5.0)
