"""How good an image is, in numbers that a person or a rule can judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.robust import median_of, thin

_WINDOW_PX = 2048
_BOX_PX = 64
_THRESHOLD_SIGMA = 5.0
_MIN_AREA_PX = 5
_SHAPE_SOURCES = 100
_NARROW_PX = 0.8
_ENOUGH_SOURCES = 5
_APERTURE_OF_SIZE = 5.0
_LARGEST = 1e18
_PIXSTACK = 2_000_000

_SUFFIX: Final = {"electron": "_e", "adu": "_adu"}

Values = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Window:
    """The pixels that are looked at closely."""

    values: Values
    unusable: Bools


def measure_quality(image: Image) -> dict[str, float]:
    """Background, sources and spoilt pixels of an image.

    Parameters
    ----------
    image : Image
        Best in electrons; masked pixels are left out of everything but the fractions.

    Returns
    -------
    dict of str to float
        Finite numbers only; what cannot be measured (no good pixel, no source) is absent. Levels
        end in ``_e`` or ``_adu`` by the unit of the image.

        ``median_…``: of the good pixels (of frames over 4 Mpx: of evenly spaced rows).
        ``saturated_fraction``, ``masked_fraction``, ``negative_fraction``: of all pixels;
        negative ones among the good.
        ``background_…``, ``background_rms_…``: of a mesh of 64 px boxes, whole-area values.
        ``source_count``, ``source_density_per_mpx``: detections of 5 pixels at 5 sigma.
        ``fwhm_px``: median over the up to 100 brightest clean sources of twice the radius that
        holds half the flux within five semi-major axes: the full width at half maximum of a
        Gaussian profile. Sources with a minor axis under 0.8 px are cosmic rays and left out,
        unless there are not five others.
        ``ellipticity``: median of 1 − b/a from second moments, of the same sources.

    Notes
    -----
    Frames larger than 2048 × 2048 are measured in their central window of that size; counts are
    of the window, the density tells of the sky. Background and detection are those of SExtractor
    (Bertin and Arnouts 1996, A&AS 117, 393) as in sep (Barbary 2016, JOSS 1, 58). Nothing is
    raised for strange images: all zero, constant, all saturated, all masked.
    """
    mask = _mask_of(image)
    metrics = _fractions(image.sci, mask)
    suffix = _SUFFIX.get(image.unit, "")
    good = (thin(mask) == 0) & _measurable(thin(image.sci))
    if good.any():
        metrics[f"median{suffix}"] = median_of(thin(image.sci)[good])
    window = _central_window(image.sci, mask)
    if window.unusable.all():
        return metrics
    return metrics | _sky(window, suffix)


def _mask_of(image: Image) -> npt.NDArray[np.uint16]:
    return np.zeros(image.sci.shape, np.uint16) if image.mask is None else image.mask


def _measurable(values: Values) -> Bools:
    """Whether values are numbers whose squares are numbers, too."""
    return np.abs(values) < _LARGEST


def _fractions(values: Values, mask: npt.NDArray[np.uint16]) -> dict[str, float]:
    good = mask == 0
    good_count = int(np.count_nonzero(good))
    saturated = int(np.count_nonzero(mask & np.uint16(MaskBit.SATURATED)))
    negative = int(np.count_nonzero(good & (values < 0)))
    return {
        "saturated_fraction": saturated / max(values.size, 1),
        "masked_fraction": 1.0 - good_count / values.size if values.size else 0.0,
        "negative_fraction": negative / max(good_count, 1),
    }


def _central_window(values: Values, mask: npt.NDArray[np.uint16]) -> _Window:
    ny, nx = values.shape
    y0, x0 = max(0, (ny - _WINDOW_PX) // 2), max(0, (nx - _WINDOW_PX) // 2)
    part = np.s_[y0 : y0 + _WINDOW_PX, x0 : x0 + _WINDOW_PX]
    inside = np.array(values[part], np.float32, order="C")
    unusable = (mask[part] != 0) | ~_measurable(inside)
    inside[unusable] = 0.0
    return _Window(inside, np.ascontiguousarray(unusable))


def _sky(window: _Window, suffix: str) -> dict[str, float]:
    import sep

    good = window.values[~window.unusable]
    if good.min() == good.max():
        # sep would call the noise of a constant image 1.
        level = float(good[0])
        return {f"background{suffix}": level, f"background_rms{suffix}": 0.0, "source_count": 0.0}
    try:
        background = sep.Background(window.values, mask=window.unusable, bw=_BOX_PX, bh=_BOX_PX)
        level, rms = float(background.globalback), float(background.globalrms)
        background.subfrom(window.values)
    except Exception:  # noqa: BLE001 - sep has no error class of its own; no mesh, no numbers
        return {}
    metrics = _finite({f"background{suffix}": level, f"background_rms{suffix}": rms})
    if not (np.isfinite(rms) and rms > 0):
        return metrics
    return metrics | _sources(window, rms)


def _sources(window: _Window, rms: float) -> dict[str, float]:
    import sep

    sep.set_extract_pixstack(_PIXSTACK)
    try:
        found = sep.extract(
            window.values,
            _THRESHOLD_SIGMA,
            err=rms,
            mask=window.unusable,
            minarea=_MIN_AREA_PX,
        )
    except Exception:  # noqa: BLE001 - sep raises it when a crowded image overflows its buffers
        return {}
    metrics = {
        "source_count": float(len(found)),
        "source_density_per_mpx": 1e6 * len(found) / window.values.size,
    }
    clean = found[(found["flag"] == 0) & (found["a"] > 0)]
    broad = clean[clean["b"] >= _NARROW_PX]
    if len(broad) >= _ENOUGH_SOURCES:
        clean = broad
    if len(clean):
        metrics |= _shapes(window, clean)
    return metrics


def _shapes(window: _Window, clean: npt.NDArray[Any]) -> dict[str, float]:
    import sep

    brightest = clean[np.argsort(clean["flux"])[::-1][:_SHAPE_SOURCES]]
    radius, flag = sep.flux_radius(
        window.values,
        brightest["x"],
        brightest["y"],
        _APERTURE_OF_SIZE * brightest["a"],
        0.5,
        mask=window.unusable,
    )
    usable = (flag == 0) & np.isfinite(radius) & (radius > 0)
    shapes = {"ellipticity": median_of(1.0 - brightest["b"] / brightest["a"])}
    if usable.any():
        shapes["fwhm_px"] = 2.0 * median_of(radius[usable])
    return _finite(shapes)


def _finite(numbers: dict[str, float]) -> dict[str, float]:
    return {name: number for name, number in numbers.items() if np.isfinite(number)}
