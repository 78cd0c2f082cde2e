"""The point spread function of an image as one Moffat profile, from its bright stars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SIGMA_TO_FWHM: Final = 2.3548200450309493
_STAMP_RADIUS_FWHM: Final = 3.0
_BETA_BOUNDS: Final = (1.3, 12.0)
_MOST_STARS: Final = 60
_FEWEST_STARS: Final = 4

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Psf:
    """A Moffat profile of unit volume, P(r) = (β − 1)/(π α²) (1 + r²/α²)^−β, at pixel centres.

    Attributes
    ----------
    alpha_px, beta : float
        Width and steepness; the Gaussian is the limit of large β.
    stars : int
        How many stars it was fitted to; 0 when it is assumed.

    Notes
    -----
    Moffat 1969, A&A 3, 455. The response of the pixel is part of it.
    """

    alpha_px: float
    beta: float
    stars: int = 0

    @classmethod
    def of_fwhm(cls, fwhm_px: float, *, beta: float = 3.0, stars: int = 0) -> Psf:
        """The profile of a given full width at half maximum."""
        return cls(fwhm_px / (2 * math.sqrt(2 ** (1 / beta) - 1)), beta, stars)

    @property
    def fwhm_px(self) -> float:
        """Full width at half maximum."""
        return 2 * self.alpha_px * math.sqrt(2 ** (1 / self.beta) - 1)

    def fraction_within(self, radius_px: float) -> float:
        """Which part of the light falls within a circle."""
        return 1.0 - float((1 + (radius_px / self.alpha_px) ** 2) ** (1 - self.beta))

    def at(self, squared_px2: Doubles) -> Doubles:
        """P at squared distances from the centre, per square pixel."""
        peak = (self.beta - 1) / (math.pi * self.alpha_px**2)
        profile: Doubles = peak * (1 + squared_px2 / self.alpha_px**2) ** -self.beta
        return profile


@dataclass(frozen=True, slots=True)
class _Stamps:
    """Square cut-outs of stars, (stars, pixels)."""

    squared_px2: Doubles
    values: Doubles
    weights: Doubles


def fit_psf(
    values: Floats,
    *,
    variance: Floats,
    unusable: npt.NDArray[np.bool_],
    stars: npt.NDArray[Any],
    assumed_fwhm_px: float,
) -> Psf:
    """The profile that fits the brightest stars best, each with its own brightness.

    Parameters
    ----------
    values, variance : float32 (ny, nx)
        Sky subtracted.
    unusable : bool (ny, nx)
        Pixels that count for nothing.
    stars : structured (n,)
        What sep.extract found: `x`, `y`, `flux`, `flag`, `a`, `b`.
    assumed_fwhm_px : float
        Taken when fewer than four stars are bright, alone and wholly usable.

    Returns
    -------
    Psf
    """
    clean = stars[(stars["flag"] == 0) & (stars["b"] > 0.5) & (stars["a"] < 2 * stars["b"])]
    if len(clean) < _FEWEST_STARS:
        return Psf.of_fwhm(assumed_fwhm_px)
    clean = clean[np.argsort(clean["flux"])[::-1]]
    moments = np.sqrt((clean["a"] ** 2 + clean["b"] ** 2) / 2)
    guess_px = SIGMA_TO_FWHM * float(np.median(moments[:_MOST_STARS]))
    radius = math.ceil(_STAMP_RADIUS_FWHM * guess_px)
    lonely = clean[_are_lonely(clean, stars, radius)][: 3 * _MOST_STARS]
    stamps = _cut(values, variance, unusable, lonely, radius)
    if len(stamps.values) < _FEWEST_STARS:
        return Psf.of_fwhm(guess_px)
    return _fit(stamps, guess_px)


def _are_lonely(
    clean: npt.NDArray[Any], stars: npt.NDArray[Any], radius_px: float
) -> npt.NDArray[np.bool_]:
    """Whether no other star stands where the stamp is."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.column_stack([stars["x"], stars["y"]]))
    distance = np.asarray(tree.query(np.column_stack([clean["x"], clean["y"]]), k=2)[0])
    lonely: npt.NDArray[np.bool_] = distance[:, 1] > 1.5 * radius_px
    return lonely


def _cut(
    values: Floats,
    variance: Floats,
    unusable: npt.NDArray[np.bool_],
    stars: npt.NDArray[Any],
    radius: int,
) -> _Stamps:
    ny, nx = values.shape
    found: list[tuple[Doubles, Doubles, Doubles]] = []
    for x, y in zip(stars["x"], stars["y"], strict=True):
        row, column = round(float(y)), round(float(x))
        if not (radius <= row < ny - radius and radius <= column < nx - radius):
            continue
        part = np.s_[row - radius : row + radius + 1, column - radius : column + radius + 1]
        if unusable[part].any():
            continue
        dy, dx = np.ogrid[-radius : radius + 1, -radius : radius + 1]
        squared = (dy + row - y) ** 2 + (dx + column - x) ** 2
        stamp, spread = values[part].astype(np.float64), variance[part].astype(np.float64)
        # Bright stars must not count by their photons alone: no profile fits to 0.1 %.
        spread = spread + (0.02 * stamp) ** 2
        found.append((squared.ravel(), stamp.ravel(), 1 / np.sqrt(spread).ravel()))
        if len(found) == _MOST_STARS:
            break
    if not found:
        return _Stamps(np.empty((0, 0)), np.empty((0, 0)), np.empty((0, 0)))
    squared, stamps, weights = (np.array(each) for each in zip(*found, strict=True))
    return _Stamps(squared, stamps, weights)


def _fit(stamps: _Stamps, guess_px: float) -> Psf:
    from scipy.optimize import least_squares

    count = len(stamps.values)

    def residuals(parameters: Doubles) -> Doubles:
        fwhm, beta = parameters
        model = Psf.of_fwhm(fwhm, beta=beta).at(stamps.squared_px2) * stamps.weights
        data = stamps.values * stamps.weights
        brightness = (model * data).sum(axis=1) / (model * model).sum(axis=1)
        left: Doubles = (data - brightness[:, None] * model).ravel()
        return left

    low, high = (0.3 * guess_px, _BETA_BOUNDS[0]), (3 * guess_px, _BETA_BOUNDS[1])
    fit = least_squares(residuals, (guess_px, 3.0), bounds=(low, high), loss="soft_l1")
    fwhm, beta = (float(number) for number in fit.x)
    return Psf.of_fwhm(fwhm, beta=beta, stars=count)
