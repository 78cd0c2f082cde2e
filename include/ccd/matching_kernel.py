"""The kernel that turns one image's stars into another's, different at each place.

Notes
-----
Alard and Lupton 1998 (ApJ 503, 325) and Alard 2000 (A&AS 144, 363): the kernel is a sum of
Gaussians times polynomials whose coefficients are polynomials of the position, found by linear
least squares on stamps around bright stars. Three things differ. The background of each stamp
is a constant of its own that is projected out, so that kernel and background cannot mimic each
other. The basis has the innermost pixels in addition, which take what Gaussians cannot (a kernel
narrower than a pixel). And what the noise of the sharper image adds to the normal equations is
taken off again (Fuller 1987, Measurement Error Models, section 3.1): least squares would prefer
a kernel that is too smooth, because it makes less noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_matching as kernels
from include.ccd._kernels_matching import Functions, Normal
from include.ccd.robust import MAD_TO_SIGMA
from include.ccd.stamps import SIGMA_TO_FWHM

DEGREES: Final = (3, 2, 0)
WIDTHS: Final = (0.7, 1.5, 3.0)
_CORE_PX: Final = 1
_NARROWEST_SIGMA_PX: Final = 0.9
_REACH_SIGMAS: Final = 6.0
_HALF_WIDTHS_PX: Final = (6, 14)
_RIDGE: Final = 1e-10
_MAX_ROUNDS: Final = 6
_SMOOTH_PX: Final = 5
_MOST_NOISE: Final = 0.95

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Basis:
    """Separable functions whose sum is the kernel; all but the first have sum 0.

    Attributes
    ----------
    filters : float64 (f, 2h + 1)
        One-dimensional functions.
    pairs : int64 (b, 2)
        The filters along y and x that make each function.
    even : float64 (b,)
        How much of the first function is taken off each to make its sum 0.
    """

    filters: Array
    pairs: Array
    even: Array

    @property
    def half_px(self) -> int:
        """The half-width h of the kernel."""
        return int(self.filters.shape[1]) // 2

    @classmethod
    def between(cls, sharp_fwhm_px: float, broad_fwhm_px: float) -> Basis:
        """The basis suited to turning stars of one width into stars of another."""
        missing = np.sqrt(max(broad_fwhm_px**2 - sharp_fwhm_px**2, 0.0)) / SIGMA_TO_FWHM
        sigma = max(missing, _NARROWEST_SIGMA_PX)
        half = int(np.clip(np.ceil(_REACH_SIGMAS * sigma), *_HALF_WIDTHS_PX))
        at = np.arange(-half, half + 1, dtype=np.float64)
        filters: list[Array] = []
        pairs: list[tuple[int, int]] = []
        for width, degree in zip(WIDTHS, DEGREES, strict=True):
            first = len(filters)
            scaled = at / (width * sigma)
            filters += [np.exp(-0.5 * scaled**2) * scaled**n for n in range(degree + 1)]
            pairs += [
                (first + j, first + i) for j in range(degree + 1) for i in range(degree + 1 - j)
            ]
        first = len(filters)
        side = 2 * _CORE_PX + 1
        filters += [(at == place).astype(np.float64) for place in range(-_CORE_PX, _CORE_PX + 1)]
        pairs += [(first + j, first + i) for j in range(side) for i in range(side)]
        table = np.array(filters)
        sums = table.sum(axis=1)
        norm = np.where(np.abs(sums) > 1e-9, sums, np.abs(table).sum(axis=1))
        table /= norm[:, None]
        order = np.array(pairs, np.int64)
        totals = table.sum(axis=1)[order].prod(axis=1).round(9)
        totals[0] = 0.0
        return cls(table, order, totals)

    def kernels(self) -> Array:
        """The functions (b, 2h + 1, 2h + 1) float64."""
        along = self.filters[self.pairs]
        planes = along[:, 0, :, None] * along[:, 1, None, :]
        return np.asarray(planes - self.even[:, None, None] * planes[0])

    def compiled(self) -> Functions:
        """As the compiled passes take it."""
        reverse = np.ascontiguousarray(self.filters[:, ::-1])
        used = reverse != 0.0
        taps = [(row.argmax(), row.size - row[::-1].argmax()) for row in used]
        turned = self.kernels()[:, ::-1, ::-1].reshape(len(self.pairs), -1)
        return Functions(
            reverse, np.array(taps, np.int64), self.pairs, self.even, np.ascontiguousarray(turned)
        )


@dataclass(frozen=True, slots=True)
class MatchingKernel:
    """A kernel for every place of an image.

    Attributes
    ----------
    basis : Basis
    coefficients : float64 (b, p)
        Of each function, as a polynomial of the position scaled to ± 1.
    shape : tuple of int
        (ny, nx) of the image.
    degree : int
        Of the polynomials.
    stamps_used : int
        Stars that determined it.
    chi_square : float
        Median over them of χ² per pixel.
    """

    basis: Basis
    coefficients: Array
    shape: tuple[int, int]
    degree: int
    stamps_used: int
    chi_square: float

    def at(self, y: float, x: float) -> Array:
        """The kernel at a pixel (2h + 1, 2h + 1) float64."""
        return np.asarray(self.at_places(np.array([[y, x]]))[0])

    def at_places(self, places: Array) -> Array:
        """The kernels (n, 2h + 1, 2h + 1) float64 at pixels (n, 2), as rows (y, x)."""
        functions = self.basis.kernels()
        # By einsum, not as a matrix product: for so small ones BLAS wakes threads in vain.
        planes = np.einsum("bp,bk->pk", self.coefficients, functions.reshape(len(functions), -1))
        terms = _terms(self.shape, self.degree, places)
        local = np.einsum("np,pk->nk", terms, planes)
        return np.asarray(local.reshape(-1, *functions.shape[1:]))

    def scale(self, y: Array | float, x: Array | float) -> Array:
        """Sum of the kernel at pixels: flux of a star in the matched image over that in this."""
        places = np.stack(np.broadcast_arrays(y, x), axis=-1).reshape(-1, 2)
        values = _terms(self.shape, self.degree, places) @ self.coefficients[0]
        return np.asarray(values.reshape(np.broadcast(y, x).shape))

    def scales(self, rows: Array, columns: Array) -> npt.NDArray[np.float32]:
        """As `scale`, at all pixels of some rows and columns (len(rows), len(columns))."""
        y, x = (
            2.0 * np.asarray(at, np.float64) / max(side - 1, 1) - 1.0
            for at, side in zip((rows, columns), self.shape, strict=True)
        )
        # All terms of one power of y are one function of x.
        along_x = np.zeros((self.degree + 1, len(x)))
        for (j, i), factor in zip(exponents(self.degree), self.coefficients[0], strict=True):
            along_x[j] += factor * x**i
        total = np.broadcast_to(along_x[0].astype(np.float32), (len(y), len(x))).copy()
        for j in range(1, self.degree + 1):
            total += (y**j).astype(np.float32)[:, None] * along_x[j].astype(np.float32)
        return total


def exponents(degree: int) -> list[tuple[int, int]]:
    """Powers (of y, of x) of the monomials 1, x, y, x², … up to a total degree."""
    return [(j, total - j) for total in range(degree + 1) for j in range(total + 1)]


def polynomial(y: Array, x: Array, degree: int) -> Array:
    """The monomials of `exponents` as the last axis."""
    return np.stack([y**j * x**i for j, i in exponents(degree)], axis=-1)


def _terms(shape: tuple[int, int], degree: int, places: Array) -> Array:
    y, x = (2.0 * places[:, n] / max(shape[n] - 1, 1) - 1.0 for n in (0, 1))
    return polynomial(y, x, degree)


@dataclass(frozen=True, slots=True)
class StampPair:
    """The same stars in two images.

    Attributes
    ----------
    sci, var : float32 (ny, nx)
        The sharper image and its variance.
    level : float
        Sky of the sharper image.
    places : int (n, 2)
        Pixels (y, x) of the stars.
    target, weight : float64 (n, side, side)
        The stars in the other image; one over the variance of the difference, 0 where a pixel
        does not count.
    """

    sci: Array
    var: Array
    level: float
    places: Array
    target: Array
    weight: Array


def stamp_weights(variances: Array, unusable: Array) -> Array:
    """One over the smoothed variance (n, side, side), 0 where pixels are unusable.

    A variance that follows the noise of its own pixel would make values too low count more.
    """
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(variances.astype(np.float64), size=(0, _SMOOTH_PX, _SMOOTH_PX))
    known = (smooth > 0) & ~unusable
    return np.divide(1.0, smooth, out=np.zeros_like(smooth), where=known)


def fit_kernel(
    stamps: StampPair, *, basis: Basis, shape: tuple[int, int], degree: int, clip_sigma: float
) -> MatchingKernel:
    """The kernel that makes the stars of the sharper image look like those of the other.

    Parameters
    ----------
    stamps : StampPair
    basis : Basis
    shape : tuple of int
        (ny, nx) of the images.
    degree : int
        Of the variation over the image; lowered when the stars are too few for it.
    clip_sigma : float
        Stars whose χ² lies so far above the median are put aside, again and again.

    Raises
    ------
    ValueError
        Without any star.
    """
    normal = normal_equations(stamps, basis)
    pixels = np.count_nonzero(stamps.weight, axis=(1, 2))
    usable = pixels > 0
    if not usable.any():
        raise ValueError("a kernel needs at least one star")
    while degree > 0 and usable.sum() < 3 * (degree + 1) * (degree + 2) // 2:
        degree -= 1
    terms = _terms(shape, degree, stamps.places)
    kept = usable
    for _ in range(_MAX_ROUNDS):
        coefficients = _solve(normal, terms, kept)
        chi = _chi_squares(normal, terms @ coefficients.T) / np.maximum(pixels, 1)
        centre = float(np.median(chi[kept]))
        spread = MAD_TO_SIGMA * float(np.median(np.abs(chi[kept] - centre)))
        inside = usable & (chi <= centre + clip_sigma * max(spread, 1e-3 * abs(centre)))
        if np.array_equal(inside, kept) or inside.sum() < 2 * terms.shape[1]:
            break
        kept = inside
    return MatchingKernel(basis, coefficients, shape, degree, int(kept.sum()), centre)


def normal_equations(stamps: StampPair, basis: Basis) -> Normal:
    """The normal equations of each star alone."""
    count, side = stamps.target.shape[:2]
    size = len(basis.pairs)
    square, line = (count, size, size), (count, size)
    normal = Normal(np.empty(square), np.empty(square), np.empty(line), np.empty(count))
    kernels.normal_equations(
        kernels.SharpImage(stamps.sci, stamps.var, stamps.level),
        kernels.Star(stamps.target, stamps.weight),
        stamps.places - side // 2,
        basis.compiled(),
        normal,
    )
    return normal


def _solve(normal: Normal, terms: Array, kept: Array) -> Array:
    """Coefficients (b, p): with stamps small, a kernel's polynomial is constant within each."""
    from scipy.linalg import eigh, solve

    p = terms[kept]
    size = normal.vector.shape[1] * p.shape[1]
    full, noise = (_united(each[kept], p).reshape(size, size) for each in normal[:2])
    right = np.einsum("si,sp->ip", normal.vector[kept], p).reshape(size)
    # Scaled to a unit diagonal, the ridge is far below the noise and far above rounding.
    diagonal = np.sqrt(np.maximum(np.diag(full), 1e-300))
    scaled = full / diagonal[:, None] / diagonal + _RIDGE * np.eye(size)
    noise = noise / diagonal[:, None] / diagonal
    share = eigh(noise, scaled, eigvals_only=True, subset_by_index=[size - 1, size - 1])[0]
    scaled -= noise * min(1.0, _MOST_NOISE / max(float(share), 1e-9))
    solution = solve(scaled, right / diagonal, assume_a="sym") / diagonal
    return np.asarray(solution.reshape(-1, p.shape[1]))


def _united(matrices: Array, terms: Array) -> Array:
    """Normal equations of all stars (b, p, b, p) of those of each (n, b, b)."""
    size, count = matrices.shape[1], terms.shape[1]
    out = np.empty((size, count, size, count))
    kernels.united(matrices, terms, out)
    return out


def _chi_squares(normal: Normal, local: Array) -> Array:
    """χ² of each stamp under its local coefficients (s, b)."""
    quadratic = np.einsum("si,sij,sj->s", local, normal.matrix, local, optimize=True)
    linear = np.einsum("si,si->s", local, normal.vector)
    return np.asarray(normal.square - 2.0 * linear + quadratic)
