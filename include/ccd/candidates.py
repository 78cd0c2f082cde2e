"""What is new or gone in a difference image, and what looks as if it were real."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_difference as kernels
from include.ccd.comparing import Detecting
from include.ccd.difference import Difference, separable
from include.ccd.forced import forced_psf
from include.ccd.image import Image
from include.ccd.robust import clipped_std
from include.ccd.stamps import fwhm_px

_CLIP_SIGMA: Final = 4.0
_PSF_TOLERANCE: Final = 1e-3
_SIGNIFICANT: Final = 2.0
_PEAK_PX: Final = 2
_TINY: Final = 1e-9
_BLOCK_PX: Final = 256

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class DifferenceSource:
    """Something in a difference image.

    Attributes
    ----------
    x_px, y_px : float
        0-based.
    flux, flux_error : float
        Of a star there, on the scale of the science image; negative for what is gone.
    significance : float
        Of the matched filter, in sigma; negative for what is gone.
    chi_square, usable, opposite, flux_ratio, width : float
        What `Detecting` sets bounds to.
    bits : int
        Masks within 2 px.
    score : float
        From 0, bogus, to 1, real: 1 less half of the largest part that any of the five numbers
        above takes up of what its bound allows; 0.5 or more for what crosses none.
    doubts : tuple of str
        Names of the bounds that it crosses; none for what is taken as real.
    science, reference, difference : float32 (side, side)
        Stamps; NaN outside of the image.
    """

    x_px: float
    y_px: float
    flux: float
    flux_error: float
    significance: float
    chi_square: float
    usable: float
    opposite: float
    flux_ratio: float
    width: float
    bits: int
    score: float
    doubts: tuple[str, ...]
    science: npt.NDArray[np.float32]
    reference: npt.NDArray[np.float32]
    difference: npt.NDArray[np.float32]

    @property
    def real(self) -> bool:
        """Whether it crosses no bound."""
        return not self.doubts


def find_candidates(
    difference: Difference, science: Image, reference: Image, *, detection: Detecting
) -> list[DifferenceSource]:
    """Candidates of either sign, the most significant first.

    Parameters
    ----------
    difference : Difference
        Of `include.ccd.difference.subtract`.
    science, reference : Image
        What it was made of.
    detection : Detecting

    Notes
    -----
    The detection image is Σ p d / v over √(Σ p² / v), the matched filter for a profile p in
    noise of variance v (Zackay and Ofek 2017, ApJ 836, 187); as the noise of neighbours is
    correlated, it is divided by its own clipped deviation.
    """
    significance = matched_filter(difference.image, difference.psf)
    peaks = _peaks(significance, detection)
    if not len(peaks):
        return []
    strengths = significance[peaks[:, 0], peaks[:, 1]]
    y, x = _centres(significance, peaks)
    flux = forced_psf(difference.image, difference.psf, x, y)
    # The scatter of the filter is that of fluxes: both are the same sum.
    error = np.abs(flux.flux) / np.maximum(np.abs(strengths), 1e-9)
    features = _features(difference, science, peaks, detection) | {
        "chi_square": flux.chi_square,
        "usable": flux.usable,
    }
    found = []
    for n, peak in enumerate(peaks):
        numbers = {name: float(values[n]) for name, values in features.items()}
        strain = _strain(numbers, float(strengths[n]), detection)
        found.append(
            DifferenceSource(
                x_px=float(x[n]),
                y_px=float(y[n]),
                flux=float(flux.flux[n]),
                flux_error=float(error[n]),
                significance=float(strengths[n]),
                bits=int(flux.bits[n]),
                score=max(0.0, 1.0 - 0.5 * max(strain.values())),
                doubts=tuple(name for name, taken in strain.items() if taken > 1.0),
                science=_stamp(science.sci, peak, detection.stamp_half_px),
                reference=_stamp(reference.sci, peak, detection.stamp_half_px),
                difference=_stamp(difference.image.sci, peak, detection.stamp_half_px),
                **numbers,
            )
        )
    return found


def matched_filter(image: Image, psf: Array) -> npt.NDArray[np.float32]:
    """Significance of a star at every pixel, in units of its own scatter over the image.

    Parameters
    ----------
    image : Image
        With variance and mask; masked pixels have no weight.
    psf : float64 (side, side)
    """
    assert image.var is not None
    good = image.var > 0 if image.mask is None else (image.mask == 0) & (image.var > 0)
    weight = np.divide(np.float32(1), image.var, out=np.zeros_like(image.var), where=good)
    # Correlation is convolution with the profile turned round.
    turned = psf[::-1, ::-1]
    signal = _convolved(np.where(good, image.sci, np.float32(0)) * weight, turned)
    power = _convolved(weight, turned**2)
    floor = 1e-3 * float(power.max(initial=0.0))
    significance = np.divide(
        signal, np.sqrt(np.maximum(power, floor)), out=np.zeros_like(signal), where=power > floor
    )
    quiet = significance[::3, ::3][good[::3, ::3]]
    scatter = clipped_std(quiet, sigma=_CLIP_SIGMA)
    return np.asarray(significance / np.float32(scatter or 1.0))


def _convolved(plane: Array, kernel: Array) -> Array:
    # A border of zeros, which goes on as far as the kernel reaches.
    padded = np.pad(np.asarray(plane, np.float32), 1)
    out = np.empty_like(padded)
    factors = separable(kernel[None], _PSF_TOLERANCE)[0]
    ny, nx = padded.shape
    for y0, x0 in product(range(0, ny, _BLOCK_PX), range(0, nx, _BLOCK_PX)):
        block = (y0, min(y0 + _BLOCK_PX, ny), x0, min(x0 + _BLOCK_PX, nx))
        kernels.convolve_block(padded, factors, 0.0, block, out)
    return out[1:-1, 1:-1]


def _peaks(significance: Array, detection: Detecting) -> Array:
    """Pixels (n, 2) where either sign is highest and above the threshold, strongest first."""
    size = np.abs(significance)
    high = np.argwhere(size >= detection.threshold_sigma)
    values = size[high[:, 0], high[:, 1]]
    top = np.ones(len(high), np.bool_)
    last = np.array(size.shape) - 1
    for offset in product(range(-_PEAK_PX, _PEAK_PX + 1), repeat=2):
        # Clipped to the image they are still within reach.
        beside = np.clip(high + offset, 0, last)
        top &= values >= size[beside[:, 0], beside[:, 1]]
    order = np.argsort(-values[top], kind="stable")[: detection.max_candidates]
    return high[top][order]


def _centres(significance: Array, peaks: Array) -> tuple[Array, Array]:
    """Places (y, x) of the parabolas through each peak and its neighbours along both axes."""
    ny, nx = significance.shape
    size = np.abs(significance).astype(np.float64)
    y, x = peaks[:, 0], peaks[:, 1]
    below, above = size[np.maximum(y - 1, 0), x], size[np.minimum(y + 1, ny - 1), x]
    left, right = size[y, np.maximum(x - 1, 0)], size[y, np.minimum(x + 1, nx - 1)]
    return y + _vertex(below, size[y, x], above), x + _vertex(left, size[y, x], right)


def _vertex(before: Array, here: Array, after: Array) -> Array:
    curvature = np.maximum(2.0 * here - before - after, 1e-9)
    return np.asarray(np.clip(0.5 * (after - before) / curvature, -0.5, 0.5))


def _features(
    difference: Difference, science: Image, peaks: Array, detection: Detecting
) -> dict[str, Array]:
    """What tells a star from an artefact, beside how well its profile fits."""
    star_width = fwhm_px(difference.psf)
    half = max(3, int(np.ceil(star_width)))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    disc = np.hypot(y, x) <= half
    image = difference.image
    assert image.var is not None
    opposite, ratio, width = np.empty((3, len(peaks)))
    for n, peak in enumerate(peaks):
        change = np.nan_to_num(_stamp(image.sci, peak, half).astype(np.float64))
        noise = np.sqrt(np.nan_to_num(_stamp(image.var, peak, half).astype(np.float64), nan=1.0))
        sign = np.sign((change * _middle(difference.psf, half)).sum()) or 1.0
        strong = disc & (np.abs(change) > _SIGNIFICANT * noise)
        total = float(np.abs(change[strong]).sum())
        against = float(np.abs(change[strong & (change * sign < 0)]).sum())
        opposite[n] = against / total if total > 0 else 0.0
        around = _stamp(science.sci, peak, detection.stamp_half_px)
        now = np.nan_to_num(_stamp(science.sci, peak, half) - np.nanmedian(around))
        before = float(now[disc].sum() - change[disc].sum())
        error = float(np.sqrt((noise[disc] ** 2).sum()))
        ratio[n] = abs(float(change[disc].sum())) / max(before, error)
        width[n] = fwhm_px(np.maximum(change * sign, 0.0)) / star_width
    return {"opposite": opposite, "flux_ratio": ratio, "width": width}


def _middle(psf: Array, half: int) -> Array:
    """The middle (2 half + 1)² of a profile, with zeros where it is smaller."""
    middle = psf.shape[0] // 2
    if half <= middle:
        inner = slice(middle - half, middle + half + 1)
        return psf[inner, inner]
    return np.pad(psf, half - middle)


def _strain(
    numbers: dict[str, float], significance: float, detection: Detecting
) -> dict[str, float]:
    """How much of what each bound allows is taken up: above 1 it is crossed, NaN as infinite."""
    highest = detection.max_chi_square + detection.chi_square_slope * abs(significance)
    narrow, broad = (float(np.log(edge)) for edge in detection.width_range)
    width = float(np.log(max(numbers["width"], _TINY)))
    taken = {
        "chi_square": numbers["chi_square"] / highest,
        "usable": (1.0 - numbers["usable"]) / max(1.0 - detection.min_usable, _TINY),
        "opposite": numbers["opposite"] / max(detection.max_opposite, _TINY),
        "flux_ratio": detection.min_flux_ratio / max(numbers["flux_ratio"], _TINY),
        "width": abs(width - 0.5 * (narrow + broad)) / (0.5 * (broad - narrow)),
    }
    return {name: part if np.isfinite(part) else np.inf for name, part in taken.items()}


def _stamp(plane: Array, peak: Array, half: int) -> npt.NDArray[np.float32]:
    """The square of ± half pixels around a pixel, NaN outside of the plane."""
    out = np.full((2 * half + 1, 2 * half + 1), np.nan, np.float32)
    (y0, y1), (x0, x1) = ((int(p) - half, int(p) + half + 1) for p in peak)
    ny, nx = plane.shape
    inside = np.s_[max(y0, 0) : min(y1, ny), max(x0, 0) : min(x1, nx)]
    out[inside[0].start - y0 : inside[0].stop - y0, inside[1].start - x0 : inside[1].stop - x0] = (
        plane[inside]
    )
    return out
