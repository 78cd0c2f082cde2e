"""What imperfect matching leaves at stars, measured on each difference and added to its noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_matching_error as kernels
from include.ccd.difference import Difference
from include.ccd.image import Image

_LIGHT_SNR: Final = 3.0
_BRIGHT_SNR: Final = 20.0
_FEWEST: Final = 200
_QUANTILE: Final = 0.99
_SIGMA_OF_QUANTILE: Final = 2.5758293035489004  # a normal value is within it in 99 of 100 cases

Array = npt.NDArray[Any]


def with_matching_error(difference: Difference, reference: Image) -> tuple[Difference, float]:
    """The difference with variances that hold at its stars, too.

    Kernel, resampling and flat field are never exact, and what they get wrong grows with the
    light that was taken away. Where a star stood, ``(f s)²`` is added to the variance, with s the
    brightest pixel of the reference within one FWHM, and f such that 99 of 100 of the pixels
    around bright stars lie within 2.58 sigma, as those of a normal distribution do.

    Parameters
    ----------
    difference : Difference
        Not changed.
    reference : Image
        With variance.

    Returns
    -------
    Difference
        With another variance plane; values, mask and all else are shared.
    float
        f; 0 where single pixels explain what is seen, or there are hardly any bright stars.
    """
    image = difference.image
    assert image.var is not None
    light = _light(difference, reference)
    at = np.flatnonzero(light)
    ny, nx = light.shape
    scale = float(difference.flux_ratio(ny / 2, nx / 2))
    light2 = (scale * light.ravel()[at]) ** 2
    var = image.var.ravel()[at].astype(np.float64)
    good = light2 > _BRIGHT_SNR**2 * var
    if image.mask is not None:
        good &= image.mask.ravel()[at] == 0
    if np.count_nonzero(good) < _FEWEST:
        return difference, 0.0
    change2 = image.sci.ravel()[at[good]].astype(np.float64) ** 2
    excess = (change2 / _SIGMA_OF_QUANTILE**2 - var[good]) / light2[good]
    fraction2 = max(0.0, float(np.quantile(excess, _QUANTILE)))
    wider = image.var.copy()
    wider.ravel()[at] += (fraction2 * light2).astype(np.float32)
    return replace(difference, image=replace(image, var=wider)), float(np.sqrt(fraction2))


def _light(difference: Difference, reference: Image) -> Array:
    """The brightest light of the reference around each pixel."""
    sci = reference.sci
    assert reference.var is not None
    fwhm_px = max(
        difference.image.metrics[name] for name in ("fwhm_science_px", "fwhm_reference_px")
    )
    light = np.zeros(sci.shape, np.float32)
    level = float(np.median(sci[::8, ::8]))
    kernels.spread_light(sci, reference.var, (level, _LIGHT_SNR), int(np.ceil(fwhm_px)), light)
    return light
