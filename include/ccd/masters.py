"""Master bias and dark: what the detector shows without light, with its noise.

`master_flat` and the errors live beside them and are offered here too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from include.ccd.calibration import Calibration
from include.ccd.cards import flag_text
from include.ccd.combine import Stack
from include.ccd.correction import Correction, bias_digest, check_shape, require
from include.ccd.errors import CalibrationError
from include.ccd.flats import FlatLevel, flat_levels, master_flat
from include.ccd.header import FrameHeader
from include.ccd.image import Card, Image
from include.ccd.mask import MaskBit
from include.ccd.master_parts import (
    TooFewFrames,
    add_variance,
    check_frames,
    combine_with_floor,
    inherit,
    master_cards,
    stack_metrics,
)
from include.ccd.overscan import TrimmedFrame, has_level, level_variance_factor
from include.ccd.planes import CorrectedPlane
from include.ccd.raw import RawFrame
from include.ccd.read_noise import level_noise_factor, read_noises_adu
from include.ccd.robust import mad_std, median_of, thin, tiles

__all__ = [
    "FlatLevel",
    "TooFewFrames",
    "flat_levels",
    "master_bias",
    "master_dark",
    "master_flat",
]

_BAD = np.uint16(MaskBit.BAD)
_HOT = np.uint16(MaskBit.HOT)
_QUANTISATION_ADU = 12**-0.5


def master_bias(frames: Sequence[RawFrame], *, calibration: Calibration) -> Image:
    """The level that an exposure of no time and no light has, pixel by pixel, in ADU.

    Overscan subtracted where there is one, trimmed, combined.

    Parameters
    ----------
    frames : sequence of RawFrame
        Bias frames of one camera, binning and readout mode, in the order they were taken.
    calibration : Calibration
        Uses `overscan`, `combine_bias`, `clip_sigma`, `clip_max_iters`, `min_bias`.

    Returns
    -------
    Image
        Cards RDNOISE (ADU per frame; RDNAMP1… for each of several amplifiers) and NCOMBINE. BAD
        where the bias alone fills half the range up to saturation.

    Raises
    ------
    TooFewFrames
        There are fewer than `min_bias` frames.
    CalibrationError
        They differ in geometry.
    """
    check_frames(frames, "bias", calibration.min_bias)
    header = frames[0].header
    planes = [TrimmedFrame(frame, calibration.overscan) for frame in frames]
    noises = read_noises_adu(frames, overscan=calibration.overscan)
    stack = combine_with_floor(
        planes,
        header,
        method=calibration.combine_bias,
        calibration=calibration,
        noise_floor=_frame_noise(noises, header, calibration),
    )
    _mark_full(stack, header, planes[0].saturation_adu)
    cards = master_cards(frames, kind="master bias", method=calibration.combine_bias)
    cards["OVERSCAN"] = any(has_level(a, calibration.overscan) for a in header.amplifiers)
    cards |= _noise_cards(noises)
    metrics = stack_metrics(stack, len(frames)) | _level_metrics(stack)
    if noises:
        metrics["read_noise_adu"] = float(np.median(noises))
    return Image(
        stack.mean, stack.var, stack.mask, stack.count, unit="adu", cards=cards, metrics=metrics
    )


def master_dark(
    frames: Sequence[RawFrame], *, bias: Image | None, calibration: Calibration
) -> Image:
    """What the detector collects in the dark in the group's exposure time, in ADU.

    Parameters
    ----------
    frames : sequence of RawFrame
        Dark frames of one exposure time.
    bias : Image or None
        Subtracted; None only under ``missing_bias = 'flag'``, and then the dark contains the
        bias (card BIASCOR false, flag 'no_bias').
    calibration : Calibration
        Uses `overscan`, `combine_dark`, `clip_sigma`, `clip_max_iters`, `min_dark`, `hot_sigma`,
        `exptime_tolerance_s`, `missing_bias`.

    Returns
    -------
    Image
        `var` includes that of the bias. HOT where a pixel lies more than `hot_sigma` robust
        deviations above the median of the 64 px around it (glow is not hot); the deviation is
        that of those pixels, or of the amplifier where that is larger. Card EXPTIME in seconds.

    Raises
    ------
    TooFewFrames
        There are fewer than `min_dark` frames.
    CalibrationError
        They differ in geometry or exposure time, or the bias is missing or does not fit.
    """
    check_frames(frames, "dark", calibration.min_dark)
    _check_exptimes(frames, calibration)
    header = frames[0].header
    flags = require(bias, "bias", calibration.missing_bias)
    check_shape(header, bias, "bias")
    correction = Correction(bias, None, bias_factor=0.0 if bias is None else 1.0)
    planes = [CorrectedPlane(TrimmedFrame(f, calibration.overscan), correction) for f in frames]
    stack = combine_with_floor(
        planes, header, method=calibration.combine_dark, calibration=calibration
    )
    add_variance(stack, bias, 1.0)
    inherit(stack.mask, bias)
    _mark_hot(stack, header, len(frames), calibration)
    cards = master_cards(frames, kind="master dark", method=calibration.combine_dark)
    cards |= _bias_cards(bias)
    cards["FLAGS"] = flag_text(flags)
    metrics = stack_metrics(stack, len(frames)) | _level_metrics(stack)
    metrics["hot_count"] = float(np.count_nonzero(stack.mask & _HOT))
    exptime_s = frames[0].header.exptime_s
    if exptime_s > 0 and bias is not None:
        metrics["dark_current_adu_per_s"] = metrics["level_adu"] / exptime_s
    return Image(
        stack.mean, stack.var, stack.mask, stack.count, unit="adu", cards=cards, metrics=metrics
    )


def _frame_noise(noises: list[float], header: FrameHeader, calibration: Calibration) -> float:
    """Noise of an overscan-corrected bias pixel, of the noisiest amplifier."""
    found = [
        noise * level_noise_factor(level_variance_factor(amplifier, calibration.overscan))
        for noise, amplifier in zip(noises, header.amplifiers, strict=False)
    ]
    return max(found, default=0.0)


def _noise_cards(noises: list[float]) -> dict[str, Card]:
    cards: dict[str, Card] = {}
    if noises:
        cards["RDNOISE"] = (float(np.median(noises)), "[adu] read noise of one frame")
    if len(noises) > 1:
        for number, noise in enumerate(noises, start=1):
            cards[f"RDNAMP{number}"] = (noise, f"[adu] read noise of amplifier {number}")
    return cards


def _bias_cards(bias: Image | None) -> dict[str, Card]:
    cards: dict[str, Card] = {"BIASCOR": (bias is not None, "bias subtracted")}
    if bias is not None:
        cards["BIASID"] = (bias_digest(bias), "digest of that bias")
    return cards


def _level_metrics(stack: Stack) -> dict[str, float]:
    good = thin(stack.mask) == 0
    return {
        "level_adu": median_of(thin(stack.mean)[good]),
        "noise_adu": float(np.sqrt(median_of(thin(stack.var)[good]))),
    }


def _mark_full(stack: Stack, header: FrameHeader, saturation_adu: float) -> None:
    for amplifier in header.amplifiers:
        values = stack.mean[amplifier.placed.slices]
        level = median_of(thin(values))
        full = values - level > 0.5 * (saturation_adu - level)
        stack.mask[amplifier.placed.slices][full] |= _BAD


def _mark_hot(stack: Stack, header: FrameHeader, frames: int, calibration: Calibration) -> None:
    # Noise-free darks (simulated, or of a coarse converter) would make any step "hot".
    least = _QUANTISATION_ADU / np.sqrt(frames)
    for amplifier in header.amplifiers:
        values = stack.mean[amplifier.placed.slices]
        mask = stack.mask[amplifier.placed.slices]
        excess, spreads = np.empty_like(values), []
        parts = list(tiles(amplifier.placed.shape))
        for part in parts:
            excess[part] = values[part] - median_of(values[part])
            spreads.append(mad_std(excess[part]))
        ordinary = max(float(np.median(spreads)), least)
        for part, spread in zip(parts, spreads, strict=True):
            mask[part][excess[part] > calibration.hot_sigma * max(spread, ordinary)] |= _HOT


def _check_exptimes(frames: Sequence[RawFrame], calibration: Calibration) -> None:
    times_s = [frame.header.exptime_s for frame in frames]
    if max(times_s) - min(times_s) > calibration.exptime_tolerance_s:
        raise CalibrationError(
            f"master dark: exposure times from {min(times_s):g} to {max(times_s):g} s; "
            "one dark is made of one exposure time"
        )
