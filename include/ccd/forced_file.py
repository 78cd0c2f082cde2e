"""Forced photometry on a file: only the rows around the places are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from include.ccd.forced import ForcedError, ForcedFlux, forced_psf
from include.ccd.image_rows import ImageRows, open_rows
from include.ccd.mask import MaskBit

Array = npt.NDArray[Any]


def forced_in_file(path: Path, x_px: Array, y_px: Array, *, noise_scale: float = 1.0) -> ForcedFlux:
    """Flux at places of a difference that keeps the profile of its stars.

    Parameters
    ----------
    path : Path
        Of a file that `Image.write` made.
    x_px, y_px : float64 (n,)
        Places, 0-based; beyond the image nothing is usable.
    noise_scale : float
        See `include.ccd.forced.FluxNoise`.

    Raises
    ------
    ForcedError
        The file has no variance or no profile.
    BadFits
        The file is incomplete or not one of ours.
    """
    with open_rows(path) as rows:
        psf = rows.psf()
        if psf is None:
            raise ForcedError(f"{path.name} keeps no profile of its stars")
        found = [
            _at(rows, psf, float(x), float(y), noise_scale) for x, y in zip(x_px, y_px, strict=True)
        ]
    names = ("flux", "flux_error", "chi_square", "usable", "bits")
    columns = {name: [getattr(each, name)[0] for each in found] for name in names}
    bits = np.array(columns.pop("bits"), np.uint16)
    return ForcedFlux(
        **{name: np.array(values, np.float64) for name, values in columns.items()}, bits=bits
    )


def _at(rows: ImageRows, psf: Array, x: float, y: float, noise_scale: float) -> ForcedFlux:
    half, height = psf.shape[0] // 2 + 1, rows.shape[0]
    first, last = max(round(y) - half, 0), min(round(y) + half + 1, height)
    if first >= last:
        nothing = np.full(1, np.nan)
        return ForcedFlux(
            nothing, nothing, nothing, np.zeros(1), np.array([MaskBit.NO_DATA], np.uint16)
        )
    part = rows.read(first, last)
    places = np.array([x]), np.array([y - first])
    return forced_psf(part, psf, *places, noise_scale=noise_scale)
