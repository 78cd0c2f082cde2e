"""By how much of the image a master differs from another: a stuck shutter, a changed camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.errors import CalibrationError
from include.ccd.image import Image
from include.ccd.image_rows import open_rows

_ROWS: Final = 256


def changed_fraction(image: Image, other: Path, *, sigma: float) -> float:
    """Which part of the pixels differs by more than `sigma` times the noise of both masters.

    Parameters
    ----------
    image : Image
        The new one, with variance.
    other : Path
        A master in a file; it is read some rows at a time, and its sums are not verified.
    sigma : float

    Returns
    -------
    float
        Of the pixels that are masked in neither and whose variance is known; 0 where there are
        none.

    Raises
    ------
    CalibrationError
        The two have other shapes or units, or one has no variance.
    BadFits
        The file is incomplete or not one of ours.
    """
    changed = compared = 0
    with open_rows(other) as rows:
        if rows.shape != image.sci.shape or rows.unit != image.unit:
            raise CalibrationError(
                f"masters of {image.sci.shape} px in {image.unit!r} and of {rows.shape} px in "
                f"{rows.unit!r} cannot be compared"
            )
        for y0 in range(0, rows.shape[0], _ROWS):
            y1 = min(y0 + _ROWS, rows.shape[0])
            off, usable = _differing(_part(image, y0, y1), rows.read(y0, y1), sigma)
            changed += off
            compared += usable
    return changed / max(compared, 1)


def _part(image: Image, y0: int, y1: int) -> Image:
    return Image(
        image.sci[y0:y1],
        None if image.var is None else image.var[y0:y1],
        None if image.mask is None else image.mask[y0:y1],
    )


def _differing(one: Image, two: Image, sigma: float) -> tuple[int, int]:
    """How many pixels differ, and how many can be compared."""
    if one.var is None or two.var is None:
        raise CalibrationError("masters without variance cannot be compared")
    variance = one.var + two.var
    usable = _clean(one) & _clean(two) & (variance > 0)
    square = (one.sci - two.sci) ** 2
    off = usable & (square > sigma**2 * variance)
    return int(np.count_nonzero(off)), int(np.count_nonzero(usable))


def _clean(image: Image) -> npt.NDArray[Any]:
    finite = np.isfinite(image.sci)
    return finite if image.mask is None else finite & (image.mask == 0)
