"""Tracks of charged particles: straight, elongated, and independent of the optics."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_STEP_PX = 0.25
_MEAN_LENGTH_PX = 6.0
_LONGEST_PX = 80.0
_MEDIAN_E_PER_PX = 1200.0


def cosmic_hits(
    rng: np.random.Generator, *, size_px: int, mean_count: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the pixels that cosmic rays hit and the electrons they leave.

    Track lengths are exponential, the charge per pixel of path is log-normal around 1200
    electrons, directions are uniform; a track that leaves the frame is cut there.

    Parameters
    ----------
    rng : numpy.random.Generator
        The stream of this exposure's particles.
    size_px : int
        Side of the frame.
    mean_count : float
        Expected number of tracks (rate × area × time).

    Returns
    -------
    pixels : ndarray of int, shape (n,)
        Flat indices into the frame, sorted, each once.
    charge_e : ndarray of float64, shape (n,)
        Electrons in each of them.
    """
    steps: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp)]
    charges: list[NDArray[np.float64]] = [np.empty(0)]
    for _ in range(rng.poisson(mean_count)):
        y_px, x_px = rng.random(2) * size_px - 0.5
        angle = math.pi * rng.random()
        length_px = min(1.0 + rng.exponential(_MEAN_LENGTH_PX), _LONGEST_PX)
        along = np.arange(0.0, length_px, _STEP_PX)
        y = np.rint(y_px + along * math.sin(angle)).astype(np.intp)
        x = np.rint(x_px + along * math.cos(angle)).astype(np.intp)
        inside = (y >= 0) & (y < size_px) & (x >= 0) & (x < size_px)
        step_e = _STEP_PX * _MEDIAN_E_PER_PX * math.exp(0.5 * rng.standard_normal())
        steps.append((y * size_px + x)[inside])
        charges.append(np.full(int(inside.sum()), step_e))
    pixels, place = np.unique(np.concatenate(steps), return_inverse=True)
    charge_e = np.bincount(place, weights=np.concatenate(charges), minlength=len(pixels))
    return pixels, charge_e.astype(np.float64)
