"""Small star fields with noise whose truth is known, for tests of what is done with images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from include.ccd.image import Image
from include.toritos.simulator.sky import add_star, moffat_alpha_px

READ_NOISE_E = 8.0


@dataclass(frozen=True)
class Stars:
    """Places in pixels and fluxes in electrons."""

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray


def make_stars(size: int, count: int, *, seed: int = 1, brightest: float = 4e5) -> Stars:
    """Stars all over a square field, many faint and few bright."""
    rng = np.random.default_rng(seed)
    flux = 900.0 * (1.0 - 0.9999 * rng.random(count)) ** -1.25
    x, y = rng.uniform(-5, size + 5, (2, count))
    return Stars(x, y, np.minimum(flux, brightest))


def render(stars: Stars, size: int, *, fwhm: float, vary: float = 0.0) -> np.ndarray:
    """The stars with Moffat profiles whose width grows by `vary` from left to right."""
    plane = np.zeros((size, size), np.float32)
    for x, y, flux in zip(stars.x, stars.y, stars.flux, strict=True):
        alpha = moffat_alpha_px(fwhm * (1.0 + vary * (x / size - 0.5)))
        add_star(plane, x_px=x, y_px=y, flux_e=flux, alpha_px=alpha)
    return plane


def expose(light: np.ndarray, *, sky: float, seed: int, frames: int = 1) -> Image:
    """A calibrated image of the light over a sky, with the variance that calibration states."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, READ_NOISE_E / np.sqrt(frames), light.shape)
    sci = rng.poisson((light + sky) * frames) / frames + noise
    var = (np.maximum(sci, 0) + READ_NOISE_E**2) / frames
    mask = np.zeros(light.shape, np.uint16)
    return Image(sci.astype(np.float32), var.astype(np.float32), mask, unit="electron")
