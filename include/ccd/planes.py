"""Raw frames as planes ready to be combined: trimmed and corrected while they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.ccd.correction import Correction
from include.ccd.image import Image
from include.ccd.overscan import TrimmedFrame
from include.ccd.sections import Amplifier

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CorrectedPlane:
    """A trimmed frame minus bias and dark, in ADU; a `Plane`.

    Attributes
    ----------
    trimmed : TrimmedFrame
    correction : Correction
    match_gains : bool
        Whether each amplifier is multiplied by its gain over the mean gain, so that equal light
        gives equal values on either side of a seam.
    """

    trimmed: TrimmedFrame
    correction: Correction
    match_gains: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of the trimmed image."""
        return self.trimmed.shape

    def read_rows(self, y0: int, y1: int) -> npt.NDArray[Any]:
        """Rows y0 ≤ y < y1 (y1 − y0, nx) float32 in ADU; NaN for pixels to be ignored."""
        rows = np.array(self.trimmed.read_rows(y0, y1), dtype=np.float32)
        correction = self.correction
        _subtract(rows, correction.bias, correction.bias_factor, y0, y1)
        _subtract(rows, correction.dark, correction.dark_factor, y0, y1)
        if self.match_gains:
            _match_gains(rows, self.trimmed.frame.header.amplifiers, y0)
        return rows


def _subtract(rows: Rows, master: Image | None, factor: float, y0: int, y1: int) -> None:
    if master is None or factor == 0.0:
        return
    values = master.sci[y0:y1]
    rows -= values if factor == 1.0 else values * np.float32(factor)


def _match_gains(rows: Rows, amplifiers: tuple[Amplifier, ...], y0: int) -> None:
    gains = [a.gain_e_per_adu for a in amplifiers if a.gain_e_per_adu is not None]
    if len(gains) < len(amplifiers) or len(set(gains)) == 1:
        return
    mean = sum(gains) / len(gains)
    for amplifier, gain in zip(amplifiers, gains, strict=True):
        placed = amplifier.placed
        inside = rows[max(placed.y0 - y0, 0) : max(placed.y1 - y0, 0), placed.x0 : placed.x1]
        inside *= np.float32(gain / mean)
