"""Compiled loops of `include.ccd.matching_error`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(nogil=True, cache=True)
def spread_light(
    sci: Array, var: Array, counts: tuple[float, float], half: int, out: Array
) -> None:
    """Give `out` at each pixel the highest value above a level within ± `half`.

    `counts` is that level, and by how many sigma a value must stand out of it; where none does,
    `out` keeps what it holds.
    """
    level, snr = counts
    ny, nx = sci.shape
    for y in range(ny):
        for x in range(nx):
            light = sci[y, x] - level
            if light <= 0.0 or light * light <= snr * snr * var[y, x]:
                continue
            for j in range(max(0, y - half), min(ny, y + half + 1)):
                for i in range(max(0, x - half), min(nx, x + half + 1)):
                    out[j, i] = max(out[j, i], np.float32(light))
