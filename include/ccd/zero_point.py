"""Which magnitude a star of flux 1 has: the zero point of an image, with its colour term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.errors import CcdError
from include.ccd.measuring import Photometry
from include.ccd.robust import mad_std

MAG_PER_E_FOLD: Final = 1.0857362047581294  # 2.5 / ln 10
_ROUNDS: Final = 20
_START_SIGMA: Final = 5.0
_SMALLEST_VARIANCE: Final = 1e-12
_MEDIAN_CHI_SQUARE: Final = 0.4549364231195728  # of one degree of freedom

Array = npt.NDArray[Any]


class ZeroPointError(CcdError):
    """Too few stars of known magnitude for a zero point."""


@dataclass(frozen=True, slots=True)
class ZeroPoint:
    """magnitude = zero_point_mag + colour_term × (colour − colour_pivot) − 2.5 log₁₀ flux.

    Attributes
    ----------
    zero_point_mag, zero_point_error_mag : float
        For a star of the colour `colour_pivot`.
    colour_term, colour_term_error : float
        0 when none was fitted.
    colour_pivot : float
        Mean colour of the stars used, so that the two errors are independent.
    scatter_mag : float
        Beyond the stated errors, of one star: what flat field, sky and catalogue leave.
    stars_used, stars_clipped : int
    """

    zero_point_mag: float
    zero_point_error_mag: float
    colour_term: float
    colour_term_error: float
    colour_pivot: float
    scatter_mag: float
    stars_used: int
    stars_clipped: int

    def magnitude(self, flux: Array, colour: Array | float = np.nan) -> Array:
        """Magnitudes of fluxes; of the colour of the pivot where it is unknown (NaN)."""
        offset = np.nan_to_num(np.asarray(colour, np.float64) - self.colour_pivot, nan=0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            instrumental = -2.5 * np.log10(np.asarray(flux, np.float64))
        return np.asarray(self.zero_point_mag + self.colour_term * offset + instrumental)


def find_zero_point(
    flux: Array,
    flux_error: Array,
    mag: Array,
    mag_error: Array,
    colour: Array,
    *,
    photometry: Photometry,
) -> ZeroPoint:
    """The zero point from stars whose magnitudes are known.

    Parameters
    ----------
    flux, flux_error : float64 (n,)
        Measured, in one unit.
    mag, mag_error, colour : float64 (n,)
        Of the same stars in the catalogue; NaN where unknown. An unknown error counts as 0, and
        a star of unknown colour is used only without colour term.
    photometry : Photometry

    Raises
    ------
    ZeroPointError
        Too few stars remain.

    Notes
    -----
    Weighted least squares with clipping about the fit. The weights are 1/(σ² + s²) with σ from
    flux and catalogue and s the scatter that makes χ² equal to the degrees of freedom, found in
    the same rounds; so a bright star that is wrong for another reason cannot dominate.
    """
    stars = _Stars.of((flux, flux_error), (mag, mag_error, colour), photometry)
    terms = stars.terms(photometry)
    if stars.coloured(photometry):
        stars = stars.pick(np.isfinite(stars.colour))
        terms = stars.terms(photometry)
    return _fit(stars, terms, photometry)


@dataclass(frozen=True, slots=True)
class _Stars:
    offset: Array
    variance: Array
    colour: Array

    @classmethod
    def of(
        cls,
        measured: tuple[Array, Array],
        known: tuple[Array, Array, Array],
        photometry: Photometry,
    ) -> _Stars:
        """Of flux with error, and of magnitude with error and colour."""
        flux, error = (np.asarray(each, np.float64) for each in measured)
        mag, mag_error, colour = (np.asarray(each, np.float64) for each in known)
        with np.errstate(divide="ignore", invalid="ignore"):
            offset = mag + 2.5 * np.log10(flux)
            own = MAG_PER_E_FOLD * error / flux
        variance = own**2 + np.nan_to_num(mag_error) ** 2
        good = np.isfinite(offset) & np.isfinite(variance) & (own <= photometry.max_error_mag)
        found = cls(offset[good], variance[good], colour[good])
        if len(found.offset) < photometry.min_stars:
            raise ZeroPointError(
                f"{len(found.offset)} of {len(offset)} stars have a flux to "
                f"{photometry.max_error_mag:g} mag and a known magnitude; "
                f"{photometry.min_stars} are needed"
            )
        return found

    def pick(self, which: Array) -> _Stars:
        return _Stars(self.offset[which], self.variance[which], self.colour[which])

    def coloured(self, photometry: Photometry) -> bool:
        """Whether the colours of the stars determine a slope."""
        known = self.colour[np.isfinite(self.colour)]
        enough = len(known) >= 3 * photometry.min_stars
        return (
            photometry.colour_term
            and enough
            and bool(known.std() >= photometry.min_colour_range_mag)
        )

    def terms(self, photometry: Photometry) -> Array:
        """What the offsets depend on linearly (n, 1) or (n, 2)."""
        columns = [np.ones(len(self.offset))]
        if self.coloured(photometry):
            columns.append(self.colour)
        return np.column_stack(columns)


def _fit(stars: _Stars, terms: Array, photometry: Photometry) -> ZeroPoint:
    centre = float(np.median(stars.offset))
    first = np.maximum(_START_SIGMA * mad_std(stars.offset), 3.0 * np.sqrt(stars.variance))
    kept = np.abs(stars.offset - centre) <= first
    scatter2 = float(mad_std(stars.offset[kept])) ** 2
    for _ in range(_ROUNDS):
        _require_enough(kept, photometry)
        weight = 1.0 / np.maximum(stars.variance + scatter2, _SMALLEST_VARIANCE)
        found, _ = _solve(terms[kept], stars.offset[kept], weight[kept])
        residual = stars.offset - terms @ found
        # A few stars that are wrong must not raise the scatter by which they are judged.
        scatter2 = _scatter2(residual[kept], stars.variance[kept], _median_excess)
        spread = np.sqrt(np.maximum(stars.variance + scatter2, _SMALLEST_VARIANCE))
        inside = np.abs(residual) <= photometry.clip_sigma * spread
        if np.array_equal(inside, kept):
            break
        kept = inside
    _require_enough(kept, photometry)
    freedom = int(kept.sum()) - terms.shape[1]
    scatter2 = _scatter2(residual[kept], stars.variance[kept], partial(_mean_excess, freedom))
    weight = 1.0 / np.maximum(stars.variance + scatter2, _SMALLEST_VARIANCE)
    found, covariance = _solve(terms[kept], stars.offset[kept], weight[kept])
    sloped = terms.shape[1] == 2
    pivot = float(np.average(stars.colour[kept], weights=weight[kept])) if sloped else np.nan
    at_pivot = np.array([1.0, pivot]) if sloped else np.ones(1)
    return ZeroPoint(
        zero_point_mag=float(at_pivot @ found),
        zero_point_error_mag=float(np.sqrt(at_pivot @ covariance @ at_pivot)),
        colour_term=float(found[1]) if sloped else 0.0,
        colour_term_error=float(np.sqrt(covariance[1, 1])) if sloped else 0.0,
        colour_pivot=pivot,
        scatter_mag=float(np.sqrt(scatter2)),
        stars_used=int(kept.sum()),
        stars_clipped=int((~kept).sum()),
    )


def _solve(terms: Array, values: Array, weight: Array) -> tuple[Array, Array]:
    """Weighted least squares: the solution and its covariance."""
    covariance = np.linalg.pinv((terms * weight[:, None]).T @ terms)
    return covariance @ (terms.T @ (weight * values)), covariance


def _require_enough(kept: Array, photometry: Photometry) -> None:
    if kept.sum() < photometry.min_stars:
        raise ZeroPointError(
            f"{int(kept.sum())} of {len(kept)} stars agree; {photometry.min_stars} are needed"
        )


def _median_excess(squares: Array) -> float:
    return float(np.median(squares)) / _MEDIAN_CHI_SQUARE - 1.0


def _mean_excess(freedom: int, squares: Array) -> float:
    return float(squares.sum()) / max(freedom, 1) - 1.0


def _scatter2(residual: Array, variance: Array, excess: Callable[[Array], float]) -> float:
    """The variance to add to all so that the squares of the normalised residuals are as expected.

    0 when they are no larger as it is.
    """
    from scipy.optimize import brentq

    def of(extra: float) -> float:
        return excess(residual**2 / np.maximum(variance + extra, _SMALLEST_VARIANCE))

    highest = 10.0 * float((residual**2).max(initial=0.0)) + _SMALLEST_VARIANCE
    return 0.0 if of(0.0) <= 0 or of(highest) >= 0 else float(brentq(of, 0.0, highest))
