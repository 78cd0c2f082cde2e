"""Which of two lists of points in the plane are the same stars, when little else is known.

Notes
-----
Triangles of neighbouring bright stars are compared by their sides (Groth 1986, AJ 91, 1244;
Beroiz, Cabral and Sanchez 2020, Astronomy and Computing 32, 100384). As the scale is known to
some percent, the longest side counts too, not the ratios alone, and few triangles agree by
chance. A triangle in common gives a transformation; the one under which far more stars fall on
stars than chance would put there is right.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_RATIO_TOLERANCE: Final = 0.01
_BATCH: Final = 256
_MAX_PAIRS: Final = 20_000
_PAIRS_PER_TRIANGLE: Final = 24

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Affine:
    """target = matrix · source + shift, for points (n, 2)."""

    matrix: Array
    shift: Array

    def __call__(self, points: Array) -> Array:
        """The points transformed (n, 2)."""
        return np.asarray(points @ self.matrix.T + self.shift)

    @classmethod
    def fit(cls, source: Array, target: Array) -> Affine:
        """The least-squares transformation of at least three points."""
        terms = np.column_stack([source, np.ones(len(source))])
        found = np.linalg.lstsq(terms, target, rcond=None)[0]
        return cls(found[:2].T, found[2])

    def inverse(self) -> Affine:
        """The transformation back, from target to source."""
        back = np.linalg.inv(self.matrix)
        return Affine(back, -back @ self.shift)

    @property
    def scale(self) -> float:
        """Units of the target per unit of the source."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))


@dataclass(frozen=True, slots=True)
class Triangles:
    """Triangles of neighbouring points.

    Attributes
    ----------
    corners : int (t, 3)
        Points in an order that does not depend on place, rotation, scale or parity: opposite
        the longest side, the middle one, the shortest.
    sides : float64 (t, 3)
        Logarithms of the longest side, and of the middle and the shortest over it.
    """

    corners: Array
    sides: Array

    @classmethod
    def of(cls, points: Array, *, neighbours: int) -> Triangles:
        """All triangles of each point with two of its nearest neighbours."""
        from scipy.spatial import KDTree

        near = np.asarray(KDTree(points).query(points, k=min(neighbours + 1, len(points)))[1])
        combinations = list(itertools.combinations(range(near.shape[1]), 3))
        found = np.sort(near[:, np.array(combinations)].reshape(-1, 3), axis=1)
        # One number for each triangle is sorted much faster than three.
        size = (len(points),) * 3
        unique = np.unique(np.ravel_multi_index(tuple(found.T), size))
        corners = np.stack(np.unravel_index(unique, size), axis=1)
        opposite = np.stack(
            [
                np.linalg.norm(points[corners[:, i]] - points[corners[:, j]], axis=1)
                for i, j in ((1, 2), (0, 2), (0, 1))
            ],
            axis=1,
        )
        order = np.argsort(-opposite, axis=1)
        corners = np.take_along_axis(corners, order, axis=1)
        lengths = np.take_along_axis(opposite, order, axis=1)
        lengths = np.maximum(lengths, 1e-12)
        sides = np.log(lengths)
        sides[:, 1:] -= sides[:, :1]
        # Nearly isosceles or nearly flat triangles do not tell their corners apart.
        clear = (sides[:, 1] < -0.03) & (sides[:, 2] - sides[:, 1] < -0.03) & (sides[:, 2] > -2.5)
        return cls(corners[clear], sides[clear])


@dataclass(frozen=True, slots=True)
class Match:
    """A transformation and what it brings together.

    Attributes
    ----------
    transform : Affine
        From the source to the target.
    count : int
        Source points within the radius of a target point.
    expected : float
        How many chance would bring there.
    """

    transform: Affine
    count: int
    expected: float


def match_triangles(
    source: Array,
    target: Array,
    *,
    scale_tolerance: float,
    radius: float,
    area: float,
    neighbours: int = 5,
    min_count: int = 6,
) -> Match | None:
    """The transformation that brings the most source points onto target points.

    Parameters
    ----------
    source, target : float64 (n, 2), (m, 2)
        Bright stars; the units agree up to `scale_tolerance`.
    scale_tolerance : float
        Relative.
    radius : float
        How near is the same, in units of the target.
    area : float
        Of the target points, for the expectation by chance.
    neighbours : int
        Triangles are made of a point and this many nearest neighbours.
    min_count : int
        At least so many points, and twice as many as by chance and five, must agree.

    Returns
    -------
    Match or None
        None when no transformation is convincing.
    """
    from scipy.spatial import KDTree

    if min(len(source), len(target)) < max(3, min_count):
        return None
    pairs = _similar(
        Triangles.of(source, neighbours=neighbours),
        Triangles.of(target, neighbours=neighbours),
        scale_tolerance,
    )
    tree = KDTree(target)
    density = len(target) / area
    expected = len(source) * min(1.0, density * np.pi * radius**2)
    best: Match | None = None
    for start in range(0, len(pairs[0]), _BATCH):
        batch = slice(start, start + _BATCH)
        matrix, shift = _similarities(source[pairs[0][batch]], target[pairs[1][batch]])
        sane = np.abs(np.log(np.sqrt(np.abs(np.linalg.det(matrix))))) <= scale_tolerance
        moved = np.einsum("bij,nj->bni", matrix, source) + shift[:, None]
        near = np.asarray(tree.query(moved, distance_upper_bound=radius)[0]) < radius
        counts = near.sum(axis=1) * sane
        winner = int(np.argmax(counts))
        if best is None or counts[winner] > best.count:
            transform = Affine(matrix[winner], shift[winner])
            best = Match(transform, int(counts[winner]), float(expected))
        if best.count >= len(source) // 2 and _convincing(best, min_count):
            break
    return best if best is not None and _convincing(best, min_count) else None


def _convincing(match: Match, min_count: int) -> bool:
    return match.count >= max(min_count, 2.0 * match.expected + 5.0)


def _similar(source: Triangles, target: Triangles, scale_tolerance: float) -> tuple[Array, Array]:
    """Corners of the triangles of either list that agree, the most alike first."""
    from scipy.spatial import KDTree

    if not len(source.sides) or not len(target.sides):
        return np.empty((0, 3), np.int64), np.empty((0, 3), np.int64)
    unit = np.array([max(scale_tolerance, _RATIO_TOLERANCE), _RATIO_TOLERANCE, _RATIO_TOLERANCE])
    count = min(_PAIRS_PER_TRIANGLE, len(target.sides))
    ranks = np.arange(1, count + 1)
    tree = KDTree(target.sides / unit)
    found = tree.query(source.sides / unit, k=ranks, distance_upper_bound=1.5)
    distance, index = np.asarray(found[0]), np.asarray(found[1])
    which, rank = np.nonzero(np.isfinite(distance))
    order = np.argsort(distance[which, rank], kind="stable")[:_MAX_PAIRS]
    return source.corners[which[order]], target.corners[index[which, rank][order]]


def _similarities(source: Array, target: Array) -> tuple[Array, Array]:
    """Matrix (b, 2, 2) and shift (b, 2) that turn triangles (b, 3, 2) into others.

    Rotation, scale and, if the corners run the other way round, a reflection.
    """
    middle, goal = source.mean(axis=1), target.mean(axis=1)
    s, t = (source - middle[:, None], target - goal[:, None])
    turned = np.sign(_cross(s)) != np.sign(_cross(t))
    s = s.copy()
    s[turned, :, 0] *= -1.0
    a = s[..., 0] + 1j * s[..., 1]
    b = t[..., 0] + 1j * t[..., 1]
    factor = (b * a.conj()).sum(axis=1) / np.maximum((a * a.conj()).real.sum(axis=1), 1e-300)
    matrix = np.empty((len(source), 2, 2))
    matrix[:, 0, 0], matrix[:, 0, 1] = factor.real, -factor.imag
    matrix[:, 1, 0], matrix[:, 1, 1] = factor.imag, factor.real
    matrix[turned, :, 0] *= -1.0
    return matrix, goal - np.einsum("bij,bj->bi", matrix, middle)


def _cross(triangles: Array) -> Array:
    one, two = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return np.asarray(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])
