"""Compiled normal equations of matching kernels, star by star."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from include.ccd._kernels_difference import add_shifts, cut_window

# Values are finite here: masked pixels were filled before. Sums may then be reordered and fused.
_FAST: Final = {"contract", "reassoc", "nsz"}
# Rows of stars are continued with zeros to a multiple of this: loops then have no remainder.
_ALIGN_PX: Final = 32

Array = npt.NDArray[Any]


class SharpImage(NamedTuple):
    """The image that takes the kernel: values and variances (float32), and its level."""

    sci: Array
    var: Array
    level: float


class Functions(NamedTuple):
    """What a kernel is a sum of: `include.ccd.matching_kernel.Basis`, and its planes.

    `reverse` (f, 2h + 1) and `turned` (b, (2h + 1)²) are in reverse order; `taps` (f, 2) says
    where a one-dimensional function is not 0.
    """

    reverse: Array
    taps: Array
    pairs: Array
    even: Array
    turned: Array


class Star(NamedTuple):
    """One star in the image that takes no kernel: its values and weights (side, columns)."""

    target: Array
    weight: Array


class Normal(NamedTuple):
    """Normal equations of single stars, background projected out.

    `matrix` (n, b, b), `vector` (n, b), `square` (n,): of the basis images, and of the target;
    `excess` (n, b, b): what the noise of the sharp image adds to the matrix.
    """

    matrix: Array
    excess: Array
    vector: Array
    square: Array


class _Room(NamedTuple):
    """Memory for one star: windows of both planes, lines by filter, images by function."""

    sci: Array
    var: Array
    lines: Array
    images: Array
    lagged: Array


@njit(nogil=True, cache=True)
def _padded_columns(side: int) -> int:
    """A side, rounded up so that loops have no remainder."""
    return (side + _ALIGN_PX - 1) // _ALIGN_PX * _ALIGN_PX


@njit(nogil=True, cache=True, fastmath=_FAST)
def basis_images(window: Array, functions: Functions, lines: Array, out: Array) -> None:
    """One star convolved with every function.

    Parameters
    ----------
    window : float64 (side + 2h, columns + 2h)
    functions : Functions
    lines : float64 (f, side + 2h, columns)
        Room.
    out : float64 (b, side, columns)
    """
    for f in range(lines.shape[0]):
        low, high = functions.taps[f]
        weights = functions.reverse[f, low:high]
        for y in range(lines.shape[1]):
            lines[f, y] = 0.0
            add_shifts(window[y, low:], weights, 1, lines[f, y])
    for b in range(out.shape[0]):
        along_y, along_x = functions.pairs[b]
        low, high = functions.taps[along_y]
        weights = functions.reverse[along_y, low:high]
        # All rows in one: they are as far from one another as pixels of a column.
        columns = lines.shape[2]
        image = out[b].reshape(-1)
        image[:] = 0.0
        add_shifts(lines[along_x].reshape(-1)[low * columns :], weights, columns, image)
        if functions.even[b] != 0.0:
            first = out[0].reshape(-1)
            for k in range(image.size):
                image[k] -= functions.even[b] * first[k]


@njit(nogil=True, cache=True, fastmath=_FAST)
def _lagged_sums(window: Array, weight: Array, out: Array) -> None:
    """Sum of weight × variance under every shift that a kernel applies, in reverse order.

    Parameters
    ----------
    window : float64 (side + 2h, at least side + columns)
    weight : float64 (side, columns)
    out : float64 (2h + 1, columns)
        Of which the first 2h + 1 columns count.
    """
    side = weight.shape[0]
    for j in range(out.shape[0]):
        out[j] = 0.0
        for y in range(side):
            add_shifts(window[y + j], weight[y, :side], 1, out[j])


@njit(nogil=True, cache=True, fastmath=_FAST)
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    return total


@njit(nogil=True, cache=True, fastmath=_FAST)
def _weighted_products(rows: Array, weight: Array, out: Array) -> None:
    """Sums over k of rows[i, k] weight[k] rows[j, k], for all i and j (float64).

    Small products one after the other, where a threaded BLAS would mostly wait.
    """
    count, size = rows.shape
    weighted = np.empty(size)
    for i in range(count):
        row = rows[i]
        for k in range(size):
            weighted[k] = row[k] * weight[k]
        fours = i + (count - i) // 4 * 4
        for j in range(i, fours, 4):
            r0, r1, r2, r3 = rows[j], rows[j + 1], rows[j + 2], rows[j + 3]
            s0 = s1 = s2 = s3 = 0.0
            for k in range(size):
                s0 += weighted[k] * r0[k]
                s1 += weighted[k] * r1[k]
                s2 += weighted[k] * r2[k]
                s3 += weighted[k] * r3[k]
            out[i, j], out[i, j + 1], out[i, j + 2], out[i, j + 3] = s0, s1, s2, s3
        for j in range(fours, count):
            out[i, j] = _dot(weighted, rows[j])
        for j in range(i):
            out[i, j] = out[j, i]


@njit(nogil=True, cache=True, fastmath=_FAST)
def _project_out(images: Array, star: Star, normal: Normal, n: int) -> None:
    """Take from the sums of a star what a constant of its own explains."""
    weight, target = star.weight.reshape(-1), star.target.reshape(-1)
    total = max(weight.sum(), 1e-300)
    level = _dot(weight, target) / total
    weighted = weight * (target - level)
    normal.square[n] = _dot(weighted, target)
    sums = np.empty(images.shape[0])
    for i in range(images.shape[0]):
        sums[i] = _dot(images[i], weight)
        normal.vector[n, i] = _dot(images[i], weighted)
    for i in range(sums.size):
        for j in range(sums.size):
            normal.matrix[n, i, j] -= sums[i] * sums[j] / total


@njit(nogil=True, cache=True)
def _room(functions: Functions, side: int) -> _Room:
    columns, taps = _padded_columns(side), functions.reverse.shape[1]
    wide = _padded_columns(taps)
    height = side + taps - 1
    return _Room(
        np.empty((height, columns + taps - 1)),
        np.empty((height, side + wide - 1)),
        np.empty((functions.reverse.shape[0], height, columns)),
        np.empty((functions.pairs.shape[0], side, columns)),
        np.empty((taps, wide)),
    )


@njit(nogil=True, cache=True)
def _padded(square: Array, columns: int) -> Array:
    out = np.zeros((square.shape[0], columns))
    out[:, : square.shape[1]] = square
    return out


@njit(nogil=True, cache=True)
def normal_equations(
    sharp: SharpImage, stars: Star, corners: Array, functions: Functions, normal: Normal
) -> None:
    """Fill in the normal equations of every star.

    Parameters
    ----------
    sharp : SharpImage
    stars : Star
        All of them, each plane (n, side, side).
    corners : int (n, 2)
        First pixel (y, x) of each.
    functions : Functions
    normal : Normal
    """
    side, taps = stars.target.shape[1], functions.reverse.shape[1]
    columns = _padded_columns(side)
    room = _room(functions, side)
    size = functions.pairs.shape[0]
    turned = np.empty(taps * taps)
    for n in range(corners.shape[0]):
        corner = corners[n, 0] - taps // 2, corners[n, 1] - taps // 2
        star = Star(_padded(stars.target[n], columns), _padded(stars.weight[n], columns))
        cut_window(sharp.sci, sharp.level, corner, room.sci)
        basis_images(room.sci, functions, room.lines, room.images)
        images = room.images.reshape(size, -1)
        _weighted_products(images, star.weight.reshape(-1), normal.matrix[n])
        _project_out(images, star, normal, n)
        cut_window(sharp.var, 0.0, corner, room.var)
        _lagged_sums(room.var, star.weight, room.lagged)
        for j in range(taps):
            turned[j * taps : (j + 1) * taps] = room.lagged[j, :taps]
        _weighted_products(functions.turned, turned, normal.excess[n])


@njit(nogil=True, cache=True, fastmath=_FAST)
def united(matrices: Array, weights: Array, out: Array) -> None:
    """Sum over n of matrices[n, i, j] weights[n, p] weights[n, q] as out[i, p, j, q] (float64).

    By hand: a threaded BLAS would mostly wait.
    """
    size, terms = matrices.shape[1], weights.shape[1]
    line = np.empty(size)
    for i in range(size):
        for p in range(terms):
            for q in range(terms):
                line[:] = 0.0
                for n in range(matrices.shape[0]):
                    factor, row = weights[n, p] * weights[n, q], matrices[n, i]
                    for j in range(size):
                        line[j] += factor * row[j]
                out[i, p, :, q] = line
