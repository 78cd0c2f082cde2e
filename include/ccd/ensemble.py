"""How bright stars are on many images of a field, each image against all comparison stars.

Inhomogeneous ensemble photometry after Honeycutt (1992, PASP 104, 435): every image may lack some
stars, every star some images; the brightness of the stars and the offsets of the images are found
together, in one weighted least-squares solution. Stars that vary more than others of their
brightness are put out of the ensemble, one solution after another, as are single values that
disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.errors import CcdError
from include.ccd.robust import MAD_TO_SIGMA
from include.ccd.targets import LightCurves

_ROUNDS: Final = 20
_SMALLEST_VARIANCE: Final = 1e-12
_NOISE_ROUNDS: Final = 30
_SETTLED: Final = 0.02

Array = npt.NDArray[Any]


class EnsembleError(CcdError):
    """Too few comparison stars, or images without any in common."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """mag[image, star] = star_mag[star] + offset[image], but for noise and variation.

    Attributes
    ----------
    offset, offset_error : float64 (images,)
        Of the images, in magnitudes: how much fainter everything looked; their weighted mean is
        0. NaN where no comparison star was measured, or none that ties the image to the others.
    star_mag : float64 (stars,)
        Mean magnitude of every star, those that were no comparison too; NaN without a value.
    scatter : float64 (stars,)
        Robust standard deviation of a star about its mean, after the offsets.
    comparison : bool (stars,)
        The ensemble.
    extra_mag : float
        Scatter beyond the stated errors that is common to the ensemble: part of all weights.
    """

    offset: Array
    offset_error: Array
    star_mag: Array
    scatter: Array
    comparison: npt.NDArray[np.bool_]
    extra_mag: float


def solve_ensemble(
    mag: Array, mag_error: Array, candidates: Array, *, settings: LightCurves
) -> Ensemble:
    """Offsets of images and brightness of stars from all that was measured.

    Parameters
    ----------
    mag, mag_error : float64 (images, stars)
        NaN where a star was not measured.
    candidates : bool (stars,)
        May be comparison stars: no target, no star that is saturated or blended.
    settings : LightCurves

    Raises
    ------
    EnsembleError
        Fewer comparison stars than `settings.min_comparisons` are left.

    Notes
    -----
    Weights are 1/(σ² + s²), with σ the stated error and s the scatter beyond it that gives the
    ensemble's residuals the width they should have (flat field, scintillation): a bright star
    does not decide alone. A star is put out when its scatter over √(σ² + s²), robust, is more
    than `settings.reject_ratio` times that of the median star.
    """
    mag, error = np.asarray(mag, np.float64), np.asarray(mag_error, np.float64)
    known = np.isfinite(mag) & np.isfinite(error) & (error > 0)
    chosen = np.asarray(candidates, np.bool_).copy()
    chosen &= known.mean(axis=0) >= settings.min_presence
    chosen &= _typical(error, known) <= settings.max_error_mag
    extra2 = 0.0
    used = known
    for _ in range(_ROUNDS):
        _require(chosen, settings)
        weight = np.where(used, 1.0 / np.maximum(error**2 + extra2, _SMALLEST_VARIANCE), 0.0)
        offset, offset_error = solve_offsets(mag, weight * chosen)
        star_mag, scatter = _levels(mag - offset[:, None], known)
        residual = mag - offset[:, None] - star_mag
        before = extra2
        extra2 = _extra_variance(residual[:, chosen], error[:, chosen], used[:, chosen])
        ratio = scatter / np.sqrt(_typical(error, known) ** 2 + extra2)
        kept = chosen & (ratio <= settings.reject_ratio * np.median(ratio[chosen]))
        spread = np.maximum(scatter, np.sqrt(extra2))
        inside = known & (np.abs(residual) <= settings.clip_sigma * np.hypot(error, spread))
        settled = abs(extra2 - before) <= _SETTLED * (extra2 + _SMALLEST_VARIANCE)
        unchanged = np.array_equal(kept, chosen) and np.array_equal(inside[:, kept], used[:, kept])
        if unchanged and settled:
            break
        chosen, used = kept, inside
    return Ensemble(offset, offset_error, star_mag, scatter, chosen, float(np.sqrt(extra2)))


def solve_offsets(mag: Array, weight: Array) -> tuple[Array, Array]:
    """Offsets of the images and their errors, the brightness of the stars eliminated.

    Parameters
    ----------
    mag, weight : float64 (images, stars)
        A weight of 0 leaves a value out, whatever it is.

    Returns
    -------
    offset, offset_error : float64 (images,)
        Weighted mean 0. NaN for images that no star in common ties to most others.

    Notes
    -----
    The normal equations of Honeycutt (1992), eq. 3, with the stars eliminated: a matrix of images
    by images, singular as a constant may go from stars to images; that is fixed by the mean.
    """
    tied = _tied(weight)
    offset = np.full(len(mag), np.nan)
    offset_error = offset.copy()
    weight = weight[tied]
    stars = weight.sum(axis=0) > 0
    weight, values = weight[:, stars], np.where(weight[:, stars] > 0, mag[tied][:, stars], 0.0)
    per_star, per_image = weight.sum(axis=0), weight.sum(axis=1)
    share = weight / per_star
    matrix = np.diag(per_image) - share @ weight.T
    right = (weight * (values - (share * values).sum(axis=0))).sum(axis=1)
    # The constant is tied to the weighted mean: the matrix becomes regular, errors its own.
    mean = per_image / per_image.sum()
    inverse = np.linalg.inv(matrix + per_image.sum() * np.outer(mean, mean))
    solution = inverse @ right
    offset[tied] = solution - mean @ solution
    freedom = np.diag(inverse) - 1.0 / per_image.sum()
    offset_error[tied] = np.sqrt(np.maximum(freedom, 0.0))
    return offset, offset_error


def _tied(weight: Array) -> Array:
    """Images (index) of the largest set in which stars in common lead from each to every other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    images, stars = np.nonzero(weight)
    size = sum(weight.shape)
    edges = coo_array((np.ones(len(images)), (images, weight.shape[0] + stars)), (size, size))
    _, label = connected_components(edges, directed=False)
    counts = np.bincount(label[images], minlength=1)
    return np.flatnonzero((label[: len(weight)] == np.argmax(counts)) & (weight.sum(axis=1) > 0))


def _require(chosen: Array, settings: LightCurves) -> None:
    if chosen.sum() < settings.min_comparisons:
        raise EnsembleError(
            f"{int(chosen.sum())} of {len(chosen)} stars can be comparison stars; "
            f"{settings.min_comparisons} are needed"
        )


def _typical(error: Array, known: Array) -> Array:
    """Median error of each star; infinite without a value."""
    return _median(np.where(known, error, np.nan), np.inf)


def _levels(mag: Array, known: Array) -> tuple[Array, Array]:
    """Median of each star over the images, and robust scatter about it."""
    values = np.where(known, mag, np.nan)
    middle = _median(values, np.nan)
    return middle, MAD_TO_SIGMA * _median(np.abs(values - middle), np.nan)


def _median(values: Array, otherwise: float) -> Array:
    """Median of each column's finite values; `otherwise` where there is none."""
    out = np.full(values.shape[1], otherwise)
    some = np.isfinite(values).any(axis=0)
    out[some] = np.nanmedian(values[:, some], axis=0)
    return out


def _extra_variance(residual: Array, error: Array, used: Array) -> float:
    """The variance that, added to all, gives normalised residuals their median width."""
    residual, error = residual[used], error[used]
    finite = np.isfinite(residual)
    square, variance = residual[finite] ** 2, error[finite] ** 2
    low, high = 0.0, float(np.median(square)) * MAD_TO_SIGMA**2 + _SMALLEST_VARIANCE
    for _ in range(_NOISE_ROUNDS):
        middle = 0.5 * (low + high)
        width2 = float(np.median(square / np.maximum(variance + middle, _SMALLEST_VARIANCE)))
        low, high = (middle, high) if width2 * MAD_TO_SIGMA**2 > 1.0 else (low, middle)
    return high if low > 0.0 else 0.0
