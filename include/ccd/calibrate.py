r"""From raw pixels to electrons, with variance and mask, in one pass.

With raw R, overscan level O, bias B, dark D, flat F, gain g, read noise σ_r (e),
k = `Correction.dark_factor` and the bias factor β (1 as a rule)::

    N = (R − O − B) g                       electrons collected, dark ones included
    S = (R − O − β B − k D) g / F
    V = (max(N, 0) + σ_r² (1 + c) + g² (w_B V_B + w_D V_D) + S² V_F) / F²

with c the variance factor of the overscan level, w the weights of `Correction`, and g²/12
(quantisation) added to a read noise that comes from the profile: a measured one holds it.
Where the flat is not positive, BAD or NO_DATA, F is 1 and the pixel masked.

Howell, Handbook of CCD Astronomy, 2nd ed., sections 4.4 and 4.5; the terms are those of
``ccdproc.create_deviation``, which takes the noise before, and not after, the bias is subtracted
if so called. The photon noise is that of the value itself: for normal noise the expectation of
(S − truth)²/V is about 1 + 2/V_e, V_e in electrons squared (2 % too much at 100 e), and more only
where sky and read noise are both a few electrons. Dark and flat fields share the noise of the
bias; for the dark this is accounted for (`Correction`), for the flat it is negligible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_calibrate as kernels
from include.ccd.calibration import Calibration
from include.ccd.cards import card_number, flag_text, identity_cards
from include.ccd.correction import (
    Correction,
    check_shape,
    inherited_flags,
    plan_correction,
    require,
)
from include.ccd.errors import CalibrationError
from include.ccd.header import FrameHeader
from include.ccd.image import Card, Image
from include.ccd.mask import MaskBit
from include.ccd.master_parts import joined
from include.ccd.overscan import TrimmedFrame, level_variance_factor
from include.ccd.raw import RawFrame
from include.ccd.sections import Amplifier

_SATURATED = np.uint16(MaskBit.SATURATED)
_BAD = np.uint16(MaskBit.BAD)
_NO_DATA = np.uint16(MaskBit.NO_DATA)
# Of raw pixels: with six planes of masters beside them, a few rows stay in the cache.
_STRIPE_BYTES = 1024**2
_QUANTISATION_VARIANCE_ADU2 = 1 / 12


@dataclass(frozen=True, slots=True)
class Readout:
    """The electronics of one amplifier as calibration uses them.

    Attributes
    ----------
    gain_e_per_adu : float
        1 when unknown: results stay in ADU.
    read_variance_e2 : float
        Variance of a pixel without light, bias noise apart: read noise, quantisation, and the
        noise of the overscan level that is subtracted.
    """

    gain_e_per_adu: float
    read_variance_e2: float


def calibrate(
    frame: RawFrame,
    *,
    bias: Image | None,
    dark: Image | None,
    flat: Image | None,
    calibration: Calibration,
    bad_pixels: npt.NDArray[Any] | None = None,
    saturation_grow_px: int = 0,
) -> Image:
    """The frame as the sky sent it: in electrons, with variance and mask.

    The equations stand at the head of this module.

    Parameters
    ----------
    frame : RawFrame
    bias, dark, flat : Image or None
        Masters of the trimmed shape; None only where the policy ``missing_…`` is 'flag'. A
        master without variance or mask counts as exact or clean.
    calibration : Calibration
        Uses `overscan`, `dark_scaling`, `dark_scale_up`, `exptime_tolerance_s`, `missing_…`.
    bad_pixels : uint16 or bool (ny, nx), optional
        Bits of `MaskBit` known beforehand, in the trimmed image; True is BAD.
    saturation_grow_px : int
        SATURATED spreads to pixels this near, row- and columnwise: charge bleeds.

    Returns
    -------
    Image
        float32 values and variances in electrons (ADU and flag 'gain_unknown' when a gain is
        unknown), uint16 mask. No NaN: pixels without data are 0 with variance 0 and NO_DATA.
        Cards BIASCOR, DARKCOR, FLATCOR, DARKSCAL, MISSING and FLAGS tell what was applied.

    Raises
    ------
    MissingMaster
        A master is None against the policy.
    CalibrationError
        A master does not fit the frame in shape or exposure time.
    """
    header = frame.header
    correction = plan_correction(header, bias=bias, dark=dark, calibration=calibration)
    flat_flags = require(flat, "flat", calibration.missing_flat) + inherited_flags(flat, "flat")
    check_shape(header, flat, "flat")
    readouts, flags = _readouts(header, bias, calibration)
    trimmed = TrimmedFrame(frame, calibration.overscan)
    outputs = _outputs(trimmed.shape)
    nx = trimmed.shape[1]
    masters = kernels.Masters(
        bias=_planes(correction.bias, nx, 0.0),
        dark=_planes(correction.dark, nx, 0.0),
        flat=_planes(flat, nx, 1.0),
        bad=_listed(bad_pixels, trimmed.shape),
    )
    _run(trimmed, readouts, correction, masters, outputs)
    if saturation_grow_px > 0:
        _grow(outputs.mask, _SATURATED, saturation_grow_px)
    all_flags = joined([header.flags, correction.flags, flat_flags, flags])
    cards = identity_cards(header, kind="calibrated")
    cards |= _correction_cards(correction, flat, readouts, all_flags)
    unit = "adu" if "gain_unknown" in all_flags else "electron"
    metrics = {"dark_factor": correction.dark_factor} | _counts(outputs.mask)
    return Image(
        outputs.value, outputs.variance, outputs.mask, unit=unit, cards=cards, metrics=metrics
    )


def _run(
    trimmed: TrimmedFrame,
    readouts: list[Readout],
    correction: Correction,
    masters: kernels.Masters,
    outputs: kernels.Planes,
) -> None:
    ny = trimmed.shape[0]
    factors = [_factors(readout, trimmed.saturation_adu, correction) for readout in readouts]
    stripe = max(1, _STRIPE_BYTES // (trimmed.frame.shape[1] * 2))
    for y0 in range(0, ny, stripe):
        for window in trimmed.windows(y0, min(y0 + stripe, ny)):
            placed = window.placed
            rows = kernels.Rows(
                window.raw, window.level, window.x0, placed.y0, placed.x0, placed.shape[1]
            )
            kernels.calibrate_rows(rows, masters, factors[window.amplifier], outputs)


def _readouts(
    header: FrameHeader, bias: Image | None, calibration: Calibration
) -> tuple[list[Readout], tuple[str, ...]]:
    """Electronics of every amplifier, and flags for what is not known of them."""
    flags: set[str] = set()
    unknown_gain = any(a.gain_e_per_adu is None for a in header.amplifiers)
    if unknown_gain:
        flags.add("gain_unknown")
    readouts = []
    for number, amplifier in enumerate(header.amplifiers, start=1):
        gain = 1.0 if unknown_gain else float(amplifier.gain_e_per_adu or 1.0)
        variance = _read_variance_e2(amplifier, number, gain, bias, unknown_gain=unknown_gain)
        if variance is None:
            flags.add("read_noise_unknown")
            variance = 0.0
        variance *= 1.0 + level_variance_factor(amplifier, calibration.overscan)
        readouts.append(Readout(gain, variance))
    return readouts, tuple(flags)


def _read_variance_e2(
    amplifier: Amplifier, number: int, gain: float, bias: Image | None, *, unknown_gain: bool
) -> float | None:
    # A read noise in electrons is of no use among ADU.
    if amplifier.read_noise_e is not None and not unknown_gain:
        return amplifier.read_noise_e**2 + _QUANTISATION_VARIANCE_ADU2 * gain**2
    if bias is None:
        return None
    measured_adu = card_number(bias, f"RDNAMP{number}") or card_number(bias, "RDNOISE")
    return None if measured_adu is None else (measured_adu * gain) ** 2


def _factors(readout: Readout, saturation_adu: float, correction: Correction) -> kernels.Factors:
    return kernels.Factors(
        gain=np.float32(readout.gain_e_per_adu),
        read_variance=np.float32(readout.read_variance_e2),
        saturation=np.float32(saturation_adu),
        bias=np.float32(correction.bias_factor),
        dark=np.float32(correction.dark_factor),
        bias_weight=np.float32(correction.bias_weight),
        dark_weight=np.float32(correction.dark_weight),
    )


def _planes(master: Image | None, nx: int, neutral: float) -> kernels.Planes:
    """Planes of a master for the kernel; one row of neutral elements for what it lacks."""
    nothing = np.zeros((1, nx), np.float32)
    clean = np.zeros((1, nx), np.uint16)
    if master is None:
        return kernels.Planes(np.full((1, nx), neutral, np.float32), nothing, clean)
    return kernels.Planes(
        np.ascontiguousarray(master.sci, np.float32),
        nothing if master.var is None else np.ascontiguousarray(master.var, np.float32),
        clean if master.mask is None else np.ascontiguousarray(master.mask, np.uint16),
    )


def _outputs(shape: tuple[int, int]) -> kernels.Planes:
    # NO_DATA stays where no amplifier writes.
    return kernels.Planes(
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.full(shape, _NO_DATA, np.uint16),
    )


def _listed(bad_pixels: npt.NDArray[Any] | None, shape: tuple[int, int]) -> npt.NDArray[np.uint16]:
    if bad_pixels is None:
        return np.zeros((1, shape[1]), np.uint16)
    if bad_pixels.shape != shape:
        raise CalibrationError(
            f"bad_pixels has shape {bad_pixels.shape}, the trimmed frame {shape}"
        )
    if bad_pixels.dtype == np.bool_:
        return np.where(bad_pixels, _BAD, np.uint16(0)).astype(np.uint16)
    return np.ascontiguousarray(bad_pixels, np.uint16)


def _counts(mask: npt.NDArray[np.uint16]) -> dict[str, float]:
    saturated, masked = kernels.count_bits(mask.reshape(-1), _SATURATED)
    return {"saturated_count": float(saturated), "masked_count": float(masked)}


def _grow(mask: npt.NDArray[np.uint16], bit: np.uint16, distance_px: int) -> None:
    for _ in range(distance_px):
        source = mask & bit
        mask[1:] |= source[:-1]
        mask[:-1] |= source[1:]
        mask[:, 1:] |= source[:, :-1]
        mask[:, :-1] |= source[:, 1:]


def _correction_cards(
    correction: Correction, flat: Image | None, readouts: list[Readout], flags: tuple[str, ...]
) -> dict[str, Card]:
    applied = {"bias": correction.bias, "dark": correction.dark, "flat": flat}
    cards: dict[str, Card] = {
        f"{name.upper()}COR": (master is not None, f"{name} applied")
        for name, master in applied.items()
    }
    cards["DARKSCAL"] = (correction.dark_factor, "factor of the dark")
    cards["MISSING"] = " ".join(name for name, master in applied.items() if master is None)
    cards["FLAGS"] = flag_text(flags)
    gains = [readout.gain_e_per_adu for readout in readouts]
    noises = [float(np.sqrt(readout.read_variance_e2)) for readout in readouts]
    cards["GAIN"] = (float(np.mean(gains)), "[e/adu] applied, mean of amplifiers")
    cards["RDNOISE"] = (float(np.median(noises)), "[e] noise without light, median of amplifiers")
    return cards
