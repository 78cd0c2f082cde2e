"""What changed between two aligned images, with its variance: their PSF-matched difference."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_difference as kernels
from include.ccd.comparing import Differencing
from include.ccd.errors import CcdError
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.matching_kernel import (
    Basis,
    MatchingKernel,
    StampPair,
    exponents,
    fit_kernel,
    polynomial,
    stamp_weights,
)
from include.ccd.robust import MAD_TO_SIGMA, median
from include.ccd.stamps import SIGMA_TO_FWHM, cut, find_stamps, fwhm_px, steady_stars, typical_star

Array = npt.NDArray[Any]
Factors = tuple[Array, Array]
Which = Literal["science", "reference"]

_TILE_PX: Final = 128
_SMALLEST_TILE_PX: Final = 32
_TILES: Final = 16
_FILL_PX: Final = 2
_STAR_HALF_PX: Final = 12
_HOLE_LEFT_OUT: Final = 0.05
_BLOOM_LEFT_OUT: Final = 0.005
_IMAGE_TOLERANCE: Final = 1e-3
_VARIANCE_TOLERANCE: Final = 1e-2
_VARIANCE_LEFT_OUT: Final = 1e-3
_LEVEL_PIXELS: Final = 2**17
_ALL_BITS: Final = 0xFFFF
_MESH_PX: Final = 128
_THIN: Final = 2
_MESH_CLIP_SIGMA: Final = 4.0
_MESH_ROUNDS: Final = 3
_KEEP_VALUE: Final = np.uint16(MaskBit.SATURATED | MaskBit.INTERPOLATED)


class DifferenceError(CcdError):
    """Two images cannot be subtracted from one another."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference image and how it came to be.

    Attributes
    ----------
    image : Image
        Science minus reference on the flux scale of the science image; its stars have the width
        of the broader of the two. Variances are those of single pixels: neighbours are
        correlated through the kernel.
    kernel : MatchingKernel
    convolved : {'science', 'reference'}
        The image that took the kernel.
    psf : float64 (25, 25)
        A typical star of the image that did not, of sum 1: what something new looks like.
    """

    image: Image
    kernel: MatchingKernel
    convolved: Which
    psf: npt.NDArray[np.float64]

    def flux_ratio(self, y: Array | float, x: Array | float) -> Array:
        """Flux of a star in the science image over that in the reference, at pixels."""
        scale = self.kernel.scale(y, x)
        return scale if self.convolved == "reference" else 1.0 / scale

    def on_reference_scale(self) -> Image:
        """The difference as the reference would have seen it; differences then compare."""
        image = self.image
        assert image.var is not None
        sci, var = np.empty_like(image.sci), np.empty_like(image.var)
        for y0, y1 in _edges(sci.shape[0], _TILE_PX):
            factor = self.kernel.scales(np.arange(y0, y1), np.arange(sci.shape[1]))
            if self.convolved == "reference":
                factor = 1.0 / factor
            np.multiply(image.sci[y0:y1], factor, out=sci[y0:y1])
            np.multiply(image.var[y0:y1], factor * factor, out=var[y0:y1])
        return replace(image, sci=sci, var=var)


@dataclass(frozen=True, slots=True)
class _Frame:
    """An image without holes, its sky, and what its stars look like."""

    sci: Array
    var: Array
    mask: Array
    level: float
    star: Array
    fwhm_px: float


def subtract(
    science: Image, reference: Image, *, differencing: Differencing, threads: int = 1
) -> Difference:
    """The difference of two images of the same pixels on the sky.

    The sharper image is convolved with a kernel that varies over the field
    (`include.ccd.matching_kernel`, after Alard and Lupton) and taken from the other one. What is
    left of the background, a polynomial through clipped medians of cells, is subtracted, too.

    Parameters
    ----------
    science, reference : Image
        With variance, aligned to a fraction of a pixel, of one shape. The reference may be on
        another flux scale.
    differencing : Differencing
    threads : int
        For the convolution.

    Returns
    -------
    Difference
        A pixel is masked as in the science image and as in the reference, and around masked
        pixels of the convolved one as far as they contribute; NO_DATA where the kernel reaches
        over the border. No value is NaN.

    Raises
    ------
    DifferenceError
        No variance, different shapes, or too few stars in common.
    """
    _require_alike(science, reference)
    frames, places = _prepare(science, reference, differencing)
    convolved = _which(frames, differencing)
    sharp = frames[convolved]
    broad = frames["reference" if convolved == "science" else "science"]
    kernel = fit_kernel(
        _stamps(sharp, broad, places, differencing.stamp_half_px),
        basis=Basis.between(sharp.fwhm_px, broad.fwhm_px),
        shape=(int(sharp.sci.shape[0]), int(sharp.sci.shape[1])),
        degree=differencing.kernel_degree,
        clip_sigma=differencing.clip_sigma,
    )
    sci, var = _subtract_matched(sharp, broad, kernel, threads)
    if convolved == "science":
        _to_science_scale(sci, var, kernel)
    mask = _mask(sharp.mask, broad.mask, kernel)
    image = Image(sci, var, mask, unit=science.unit)
    offset = _take_background(image, differencing.background_degree)
    image.cards = {"DIFFCONV": (convolved, "image that took the kernel")}
    image.metrics = _metrics(image, kernel, frames) | {"difference_offset": offset}
    return Difference(image, kernel, convolved, broad.star)


def _require_alike(science: Image, reference: Image) -> None:
    if science.sci.shape != reference.sci.shape:
        raise DifferenceError(
            f"science is {science.sci.shape}, reference {reference.sci.shape}: align them first"
        )
    if science.var is None or reference.var is None:
        raise DifferenceError("both images need a variance plane")


def _prepare(
    science: Image, reference: Image, differencing: Differencing
) -> tuple[dict[Which, _Frame], Array]:
    """Both images without holes, with a typical star each, and the stars in common."""
    filled: dict[Which, _Frame] = {"science": _filled(science), "reference": _filled(reference)}
    sci, var = filled["reference"].sci, filled["reference"].var
    places = find_stamps(
        sci,
        var,
        filled["reference"].mask | filled["science"].mask,
        cell_px=min(differencing.stamp_cell_px, max(16, min(sci.shape) // 6)),
        margin_px=max(differencing.stamp_half_px, _STAR_HALF_PX) + 2,
        snr=differencing.stamp_snr,
    )
    if len(places) < differencing.min_stamps:
        raise DifferenceError(
            f"{len(places)} stars stand out by {differencing.stamp_snr:g} sigma, "
            f"{differencing.min_stamps} are needed"
        )
    one, other = filled["science"], filled["reference"]
    planes = (one.sci, one.var), (other.sci, other.var)
    steady = steady_stars(*planes, places, clip_sigma=differencing.clip_sigma)
    if steady.sum() >= differencing.min_stamps:
        places = places[steady]
    return {name: _with_star(frame, places) for name, frame in filled.items()}, places


def _with_star(frame: _Frame, places: Array) -> _Frame:
    star = typical_star(frame.sci, places, half_px=_STAR_HALF_PX)
    return replace(frame, star=star, fwhm_px=fwhm_px(star))


def _filled(image: Image) -> _Frame:
    """Values, variances and mask, with holes closed by their neighbours; stars are not seen yet."""
    sci, var = (np.ascontiguousarray(plane, np.float32) for plane in (image.sci, image.var))
    mask = np.zeros(sci.shape, np.uint16) if image.mask is None else image.mask
    step = max(1, round(np.sqrt(sci.size / _LEVEL_PIXELS)))
    level, noise = _levels(*(plane[::step, ::step] for plane in (sci, var, mask)))
    # What was interpolated or saturated has a value that is better than that of neighbours.
    if kernels.count_holes(sci, var, mask, int(_KEEP_VALUE)):
        sci, var, mask = sci.copy(), var.copy(), mask.copy()
        holes = np.empty(sci.shape, np.bool_)
        kernels.find_holes(sci, var, mask, int(_KEEP_VALUE), holes)
        kernels.fill_holes(sci, holes, _FILL_PX, level)
        kernels.fill_holes(var, holes, _FILL_PX, noise)
    return _Frame(sci, var, mask, level, np.empty(0), np.nan)


def _levels(sci: Array, var: Array, mask: Array) -> tuple[float, float]:
    """Medians of the usable values and of their variances."""
    usable = (mask == 0) & np.isfinite(sci) & np.isfinite(var) & (var > 0)
    if not usable.any():
        raise DifferenceError("an image has no usable pixel")
    return float(median(sci[usable])), float(median(var[usable]))


def _which(frames: dict[Which, _Frame], differencing: Differencing) -> Which:
    if differencing.convolve != "sharper":
        return differencing.convolve
    sharper = frames["science"].fwhm_px < frames["reference"].fwhm_px
    return "science" if sharper else "reference"


def _stamps(sharp: _Frame, broad: _Frame, places: Array, half: int) -> StampPair:
    sigma2 = max(broad.fwhm_px**2 - sharp.fwhm_px**2, SIGMA_TO_FWHM**2) / SIGMA_TO_FWHM**2
    # The sum of the squares of a Gaussian kernel: what is left of the noise of the sharper one.
    left = 1.0 / (4.0 * np.pi * sigma2)
    variances = cut(broad.var, places, half) + left * cut(sharp.var, places, half)
    unusable = (cut(broad.mask, places, half) | cut(sharp.mask, places, half)) != 0
    weight = stamp_weights(variances, unusable)
    target = cut(broad.sci, places, half).astype(np.float64) - broad.level
    return StampPair(sharp.sci, sharp.var, sharp.level, places, target, weight)


def _subtract_matched(
    sharp: _Frame, broad: _Frame, kernel: MatchingKernel, threads: int
) -> tuple[Array, Array]:
    """The broader image less the sharper one after the kernel, and the variance.

    The kernel is constant within a tile.
    """
    sci, var = np.empty(kernel.shape, np.float32), np.empty(kernel.shape, np.float32)
    tile = min(max(min(kernel.shape) // _TILES, _SMALLEST_TILE_PX), _TILE_PX)
    rows, columns = (_edges(side, tile) for side in kernel.shape)
    factors = _tile_factors(kernel, rows, columns)

    def band(number: int) -> None:
        y0, y1 = rows[number]
        for n, (x0, x1) in enumerate(columns, number * len(columns)):
            for_values, for_variances = factors[n]
            block = (y0, y1, x0, x1)
            kernels.convolve_block(sharp.sci, for_values, sharp.level, block, sci)
            kernels.convolve_block(sharp.var, for_variances, 0.0, block, var)
        values, spread = sci[y0:y1], var[y0:y1]
        np.subtract(broad.sci[y0:y1], values, out=values)
        values -= np.float32(broad.level)
        np.maximum(spread, 0.0, out=spread)
        spread += broad.var[y0:y1]

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(band, range(len(rows))))
    return sci, var


def _tile_factors(
    kernel: MatchingKernel, rows: list[tuple[int, int]], columns: list[tuple[int, int]]
) -> list[tuple[Factors, Factors]]:
    """The kernel and its square in the middle of each tile, row by row."""
    middles = np.array([(sum(y) / 2, sum(x) / 2) for y, x in product(rows, columns)])
    local = kernel.at_places(middles)
    squares = local**2
    half = kernel.basis.half_px
    reach = max(_reach(square, _VARIANCE_LEFT_OUT) for square in squares)
    inner = slice(half - reach, half + reach + 1)
    for_values = separable(local, _IMAGE_TOLERANCE)
    for_variances = separable(squares[:, inner, inner], _VARIANCE_TOLERANCE)
    return list(zip(for_values, for_variances, strict=True))


def separable(many: Array, tolerance: float) -> list[Factors]:
    """Each of many kernels (n, 2h + 1, 2h + 1) as a sum of products of one-dimensional factors.

    Factors (r, 2h + 1) along y and x are in reverse order. Terms are left out below `tolerance`
    times the first; what is left keeps the sum.
    """
    left, values, right = np.linalg.svd(many[:, ::-1, ::-1])
    ranks = np.count_nonzero(values > tolerance * values[:, :1], axis=1)
    along_y = left.swapaxes(1, 2) * values[:, :, None]
    sums = along_y.sum(axis=2) * right.sum(axis=2)
    sums[np.arange(sums.shape[1]) >= ranks[:, None]] = 0.0
    along_y *= (many.sum(axis=(1, 2)) / sums.sum(axis=1))[:, None, None]
    planes = (np.ascontiguousarray(each, np.float32) for each in (along_y, right))
    return [(y[:rank], x[:rank]) for y, x, rank in zip(*planes, ranks, strict=True)]


def _edges(size: int, step: int) -> list[tuple[int, int]]:
    return list(pairwise([*range(0, size, step), size]))


def _reach(kernel: Array, left_out: float) -> int:
    """Half-width of the square that holds all but a part of the sum of the absolute kernel."""
    half = int(kernel.shape[0]) // 2
    weights = np.abs(kernel)
    for reach in range(half + 1):
        inner = slice(half - reach, half + reach + 1)
        if weights[inner, inner].sum() >= (1.0 - left_out) * weights.sum():
            return int(reach)
    return int(half)


def _to_science_scale(sci: Array, var: Array, kernel: MatchingKernel) -> None:
    """Turn reference minus matched science into science minus reference, in place."""
    for y0, y1 in _edges(sci.shape[0], _TILE_PX):
        factor = -1.0 / kernel.scales(np.arange(y0, y1), np.arange(sci.shape[1]))
        sci[y0:y1] *= factor
        var[y0:y1] *= factor * factor


def _mask(sharp: Array, broad: Array, kernel: MatchingKernel) -> Array:
    half = kernel.basis.half_px
    middle = kernel.at(kernel.shape[0] / 2, kernel.shape[1] / 2)
    mask = broad.copy()
    # A closed hole is nearly right; the light missing from a saturated star is not.
    kernels.smear_mask(sharp, _ALL_BITS, _reach(middle, _HOLE_LEFT_OUT), mask)
    kernels.smear_mask(sharp, int(MaskBit.SATURATED), _reach(middle, _BLOOM_LEFT_OUT), mask)
    for border in (np.s_[:half], np.s_[-half:], np.s_[:, :half], np.s_[:, -half:]):
        mask[border] |= np.uint16(MaskBit.NO_DATA)
    return mask


def _take_background(image: Image, degree: int) -> float:
    """Subtract the polynomial through the medians of cells, in place; its mean, as a number."""
    ny, nx = image.sci.shape
    middles, medians = _mesh(image)
    if len(medians) < (degree + 1) * (degree + 2):
        degree = 0
    terms = polynomial(middles[:, 0] / ny - 0.5, middles[:, 1] / nx - 0.5, degree)
    kept = np.ones(len(medians), np.bool_)
    for _ in range(_MESH_ROUNDS):
        found = np.linalg.lstsq(terms[kept], medians[kept], rcond=None)[0]
        off = np.abs(medians - terms @ found)
        kept = off <= _MESH_CLIP_SIGMA * MAD_TO_SIGMA * float(median(off)) + 1e-12
    rows, columns = ((np.arange(side) + 0.5) / side - 0.5 for side in (ny, nx))
    along_y = np.stack([rows**j for j in range(degree + 1)], axis=1)
    # All terms of one power of y are one function of x.
    along_x = np.zeros((degree + 1, nx))
    for (j, i), factor in zip(exponents(degree), found, strict=True):
        along_x[j] += factor * columns**i
    kernels.subtract_polynomial(image.sci, along_y.astype(np.float32), along_x.astype(np.float32))
    return float((terms @ found).mean())


def _mesh(image: Image) -> tuple[Array, Array]:
    """Middles (n, 2) and medians (n,) of the cells that are mostly unmasked."""
    assert image.mask is not None
    middles, medians = [], []
    rows, columns = (_edges(side, _MESH_PX) for side in image.sci.shape)
    for (y0, y1), (x0, x1) in product(rows, columns):
        cell = np.s_[y0:y1:_THIN, x0:x1:_THIN]
        values = image.sci[cell][image.mask[cell] == 0]
        if values.size >= (_MESH_PX // _THIN) ** 2 // 4:
            middles.append(((y0 + y1) / 2, (x0 + x1) / 2))
            medians.append(float(median(values)))
    if not medians:
        raise DifferenceError("hardly anything of the difference is unmasked")
    return np.array(middles), np.array(medians)


def _metrics(image: Image, kernel: MatchingKernel, frames: dict[Which, _Frame]) -> dict[str, float]:
    assert image.var is not None
    assert image.mask is not None
    ratio = image.sci[::3, ::3] / np.sqrt(image.var[::3, ::3])
    ratio = ratio[image.mask[::3, ::3] == 0]
    width = MAD_TO_SIGMA * float(median(np.abs(ratio - median(ratio))))
    ny, nx = kernel.shape
    return {
        "difference_width_sigma": width,
        "kernel_scale": float(kernel.scale(ny / 2, nx / 2)),
        "kernel_chi_square": kernel.chi_square,
        "kernel_stamps": float(kernel.stamps_used),
        "fwhm_science_px": frames["science"].fwhm_px,
        "fwhm_reference_px": frames["reference"].fwhm_px,
    }
