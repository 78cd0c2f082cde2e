"""What falls on the detector: stars with a Moffat profile, sky, a variable star, a transient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.toritos.simulator.detector import Plane
from include.toritos.simulator.streams import stream

VARIABLE_NAME = "VAR1"
TRANSIENT_NAME = "NEW1"
SATURATED_NAME = "SAT1"

_SKY_E_PER_S = {"B": 6.0, "V": 10.0, "R": 14.0, "I": 25.0, "Clear": 40.0}
_DEFAULT_SKY_E_PER_S = 10.0
_RED_WEIGHT = {"B": -1.0, "V": 0.0, "R": 1.0, "I": 2.0}
_STAMP_ALPHAS = 9.0
_HALF_WIDTH_ALPHAS = 0.509824528533959  # √(2^⅓ − 1)
_CANDIDATE_PLACES = 256


@dataclass(frozen=True, slots=True)
class SkySpec:
    """What is true of the simulated field; rates are electrons per second above the air.

    The variable star has flux ``variable_e_per_s × (1 + amplitude × sin(2π (JD − 2461000) /
    period_d))``. The transient is on in exposures ``transient_first`` to ``transient_last``
    (both included, counted from 1 in each filter) of a night.
    """

    stars_per_megapixel: float = 230.0
    faintest_e_per_s: float = 15.0
    brightest_e_per_s: float = 8000.0
    saturated_e_per_s: float = 50000.0
    variable_e_per_s: float = 1500.0
    variable_amplitude: float = 0.3
    variable_period_d: float = 0.12
    transient_e_per_s: float = 400.0
    transient_first: int = 4
    transient_last: int = 11
    seeing_arcsec: float = 1.9
    extinction_mag_per_airmass: float = 0.15
    dither_px: float = 3.0


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every star of the field, as arrays of equal length, the three special ones last.

    Positions are 0-based pixel centres (x, y) without dither; fluxes are electrons per second
    in V above the air for a pixel of response 1; ``colour`` is the logarithmic slope to the red.
    """

    names: tuple[str, ...]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    flux_e_per_s: NDArray[np.float64]
    colour: NDArray[np.float64]

    def index(self, name: str) -> int:
        """Return the position of a star by its name."""
        return self.names.index(name)


def make_catalogue(spec: SkySpec, *, size_px: int, seed: int) -> Catalogue:
    """Return the stars of the field.

    Parameters
    ----------
    spec : SkySpec
        Star density and fluxes; ordinary fluxes follow N(>F) ∝ F⁻⁰·⁸, cut at both ends.
    size_px : int
        Side of the frame; stars may stand up to 10 px outside of it.
    seed : int
        Seed of the simulated world.
    """
    rng = stream(seed, "sky", str(size_px))
    count = math.ceil(spec.stars_per_megapixel * size_px**2 / 1e6)
    places = rng.random((count, 2)) * (size_px + 20.0) - 10.0
    cut = (spec.brightest_e_per_s / spec.faintest_e_per_s) ** -0.8
    flux = spec.faintest_e_per_s * (1.0 - (1.0 - cut) * rng.random(count)) ** -1.25
    for _ in range(3):
        inner = size_px * (0.15 + 0.7 * rng.random((_CANDIDATE_PLACES, 2)))
        places = np.vstack([places, _loneliest(inner, places)])
    special = [spec.saturated_e_per_s, spec.variable_e_per_s, spec.transient_e_per_s]
    return Catalogue(
        names=(
            *(f"S{i + 1:05d}" for i in range(count)),
            SATURATED_NAME,
            VARIABLE_NAME,
            TRANSIENT_NAME,
        ),
        x_px=places[:, 0],
        y_px=places[:, 1],
        flux_e_per_s=np.concatenate([flux, special]).round(6),
        colour=np.concatenate([0.3 * rng.standard_normal(count), np.zeros(3)]).round(6),
    )


def _loneliest(candidates: NDArray[np.float64], taken: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the candidate place that is farthest from every taken one."""
    nearest = np.full(len(candidates), np.inf)
    for place in taken:
        offset = candidates - place
        nearest = np.minimum(nearest, offset[:, 0] ** 2 + offset[:, 1] ** 2)
    return np.asarray(candidates[np.argmax(nearest)])


def sky_rate(filter_name: str) -> float:
    """Return the sky at the zenith through a filter, electrons per second and pixel."""
    return _SKY_E_PER_S.get(filter_name, _DEFAULT_SKY_E_PER_S)


def colour_factor(catalogue: Catalogue, filter_name: str) -> NDArray[np.float64]:
    """Return the flux of each star through a filter relative to V."""
    return np.asarray(np.exp(_RED_WEIGHT.get(filter_name, 0.0) * catalogue.colour)).round(6)


def moffat_alpha_px(fwhm_px: float) -> float:
    """Return α of a Moffat profile with β = 3 and the given full width at half maximum."""
    return fwhm_px / (2.0 * _HALF_WIDTH_ALPHAS)


def add_star(plane: Plane, *, x_px: float, y_px: float, flux_e: float, alpha_px: float) -> None:
    """Add one star to a plane, in place.

    The profile is I(r) = 2 F / (π α²) · (1 + r² / α²)⁻³ (Moffat 1969, A&A 3, 455, β = 3),
    sampled at pixel centres inside a square stamp of ± 9 α, which holds all but 1.5e-4 of F.

    Parameters
    ----------
    plane : ndarray of float32, shape (ny, nx)
        Electrons; changed.
    x_px, y_px : float
        Centre, 0-based; may lie outside of the plane.
    flux_e : float
        Total electrons F.
    alpha_px : float
        Width α.
    """
    reach = _STAMP_ALPHAS * alpha_px
    (y0, y1), (x0, x1) = (
        (max(0, math.ceil(centre - reach)), min(side, math.floor(centre + reach) + 1))
        for centre, side in ((y_px, plane.shape[0]), (x_px, plane.shape[1]))
    )
    if y0 >= y1 or x0 >= x1:
        return
    y_scaled = (np.arange(y0, y1) - y_px) / alpha_px
    x_scaled = (np.arange(x0, x1) - x_px) / alpha_px
    base = (1.0 + y_scaled * y_scaled)[:, None] + (x_scaled * x_scaled)[None, :]
    peak_e = 2.0 * flux_e / (math.pi * alpha_px**2)
    plane[y0:y1, x0:x1] += (peak_e / (base * base * base)).astype(np.float32)
