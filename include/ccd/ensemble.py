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

_ROUNDS: Final = 30
_SMALLEST_VARIANCE: Final = 1e-12
_SETTLED: Final = 0.02
_MOST_LEVERAGE: Final = 0.9
_ALIKE: Final = 11

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
        Median magnitude of every star, those that were no comparison too; NaN without a value.
    scatter : float64 (stars,)
        Robust standard deviation of a star about it, after the offsets.
    excess : float64 (stars,)
        What of the scatter the stated errors leave unexplained.
    comparison : bool (stars,)
        The ensemble.
    """

    offset: Array
    offset_error: Array
    star_mag: Array
    scatter: Array
    excess: Array
    comparison: npt.NDArray[np.bool_]

    def excess_at(self, mag: float) -> float:
        """Median excess of the comparison stars nearest in brightness."""
        stars = np.flatnonzero(self.comparison)
        nearest = stars[np.argsort(np.abs(self.star_mag[stars] - mag))[:_ALIKE]]
        return float(np.median(self.excess[nearest]))


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
    Weights are 1/(σ² + s²), with σ the stated error and s the star's own scatter beyond it (flat
    field, scintillation, neighbours). As a star pulls the offsets towards itself, its scatter is
    taken over √(1 − h), h being its part of the weight: none decides alone. A star is put out when
    it scatters more than `settings.reject_ratio` times as much as those of its brightness.
    """
    mag, error = np.asarray(mag, np.float64), np.asarray(mag_error, np.float64)
    known = np.isfinite(mag) & np.isfinite(error) & (error > 0)
    typical = _median(np.where(known, error, np.nan), np.inf)
    chosen = np.asarray(candidates, np.bool_) & (typical <= settings.max_error_mag)
    chosen &= known.mean(axis=0) >= settings.min_presence
    used, excess = known, np.zeros(mag.shape[1])
    for _ in range(_ROUNDS):
        _require(chosen, settings)
        weight = np.where(used, 1.0 / (error**2 + excess**2 + _SMALLEST_VARIANCE), 0.0) * chosen
        offset, offset_error = solve_offsets(mag, weight)
        star_mag, scatter = _levels(mag - offset[:, None], known)
        before = excess
        own = scatter / np.sqrt(1.0 - _leverage(weight))
        excess = np.sqrt(np.maximum(own**2 - typical**2, 0.0), where=chosen, out=np.zeros_like(own))
        kept = chosen & (scatter <= settings.reject_ratio * _usual(star_mag, scatter, chosen))
        spread = np.hypot(error, np.where(chosen, excess, 0.0))
        inside = np.abs(mag - offset[:, None] - star_mag) <= settings.clip_sigma * spread
        settled = np.allclose(excess[chosen], before[chosen], rtol=_SETTLED, atol=1e-5)
        if settled and np.array_equal(kept, chosen):
            break
        chosen, used = kept, known & inside
    return Ensemble(offset, offset_error, star_mag, scatter, excess, chosen)


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


def _leverage(weight: Array) -> Array:
    """Part that each star has in the weight of an image, the mean over those that have any."""
    whole = weight.sum(axis=1, keepdims=True)
    seen = whole[:, 0] > 0
    share = (weight[seen] / whole[seen]).mean(axis=0)
    return np.asarray(np.minimum(share, _MOST_LEVERAGE))


def _usual(star_mag: Array, scatter: Array, chosen: Array) -> Array:
    """Running median of the scatter of the chosen stars in order of brightness, at each star."""
    from scipy.ndimage import median_filter

    stars = np.flatnonzero(chosen)
    stars = stars[np.argsort(star_mag[stars], kind="stable")]
    width = min(_ALIKE, len(stars))
    usual = median_filter(scatter[stars], size=width, mode="mirror")
    return np.asarray(np.interp(star_mag, star_mag[stars], usual))


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
