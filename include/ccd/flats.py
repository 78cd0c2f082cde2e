"""Master flat: how each pixel responds to equal light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from include.ccd.calibration import Calibration
from include.ccd.cards import ascii_text, flag_text
from include.ccd.combine import Stack
from include.ccd.correction import plan_correction
from include.ccd.image import Card, Image
from include.ccd.mask import MaskBit
from include.ccd.master_parts import (
    TooFewFrames,
    add_variance,
    check_frames,
    combine_with_floor,
    inherit,
    joined,
    master_cards,
    stack_metrics,
)
from include.ccd.overscan import TrimmedFrame
from include.ccd.planes import CorrectedPlane
from include.ccd.raw import RawFrame
from include.ccd.robust import clipped_std, median_of, read_spans, sample_spans, thin

_BAD = np.uint16(MaskBit.BAD)
_LOW_FLAT = np.uint16(MaskBit.LOW_FLAT)
_LISTED_REJECTIONS = 20


@dataclass(frozen=True, slots=True)
class FlatLevel:
    """Whether a flat is used, and why not.

    Attributes
    ----------
    index : int
        Which of the frames given.
    level_adu : float
        Median of its good pixels after bias and dark.
    refused : str
        The reason, or '' for a flat that is used.
    """

    index: int
    level_adu: float
    refused: str


def flat_levels(
    frames: Sequence[RawFrame], *, bias: Image | None, dark: Image | None, calibration: Calibration
) -> list[FlatLevel]:
    """Level of each flat, and which of them `master_flat` does not use for what reason.

    Raises
    ------
    CalibrationError
        A master is missing against the policy, or does not fit.
    """
    planes = _corrected(frames, bias, dark, calibration)
    return _levels(planes, bias, dark, calibration)


def master_flat(
    frames: Sequence[RawFrame], *, bias: Image | None, dark: Image | None, calibration: Calibration
) -> Image:
    """How each pixel responds to equal light, relative to the median pixel.

    Each flat is corrected for bias and dark, its amplifiers brought to one gain, and divided by
    the median of its good pixels; then they are combined and normalised to a median of 1.

    Parameters
    ----------
    frames : sequence of RawFrame
        Flats of one filter. Those with a median level outside `flat_min_adu`…`flat_max_adu`, or
        not positive, are left out: cards NREJECT, REJECTn, and `flat_levels`. Saturated pixels
        are ignored.
    bias, dark : Image or None
        None only under ``missing_bias``, ``missing_dark`` = 'flag'; flags 'no_bias', 'no_dark'.
    calibration : Calibration

    Returns
    -------
    Image
        Unit ''. `var` includes that of bias and dark. LOW_FLAT under `flat_low`; BAD under
        `dead_below` or without any input.

    Raises
    ------
    TooFewFrames
        Fewer than `min_flat` are used.
    CalibrationError
        The frames differ in geometry, or a master is missing or does not fit.
    """
    check_frames(frames, "flat", 1)
    planes = _corrected(frames, bias, dark, calibration)
    levels = _levels(planes, bias, dark, calibration)
    used = [level for level in levels if not level.refused]
    if len(used) < max(calibration.min_flat, 1):
        raise TooFewFrames(_too_few(levels, calibration.min_flat))
    chosen = [planes[level.index] for level in used]
    scales = [1.0 / level.level_adu for level in used]
    stack = combine_with_floor(
        chosen,
        frames[0].header,
        method=calibration.combine_flat,
        calibration=calibration,
        scales=scales,
    )
    _add_master_noise(stack, chosen[0], float(np.mean(scales)))
    inherit(stack.mask, bias, dark)
    _normalise(stack)
    stack.mask[stack.mean < calibration.flat_low] |= _LOW_FLAT
    stack.mask[(stack.mean < calibration.dead_below) | (stack.count == 0)] |= _BAD
    cards = master_cards(
        [frames[level.index] for level in used],
        kind="master flat",
        method=calibration.combine_flat,
    )
    cards |= _rejection_cards(levels)
    cards["BIASCOR"] = (bias is not None, "bias subtracted")
    cards["DARKCOR"] = (dark is not None, "dark subtracted")
    cards["FLAGS"] = flag_text(joined(plane.correction.flags for plane in chosen))
    metrics = stack_metrics(stack, len(used)) | _flat_metrics(stack, levels)
    return Image(
        stack.mean, stack.var, stack.mask, stack.count, unit="", cards=cards, metrics=metrics
    )


def _corrected(
    frames: Sequence[RawFrame], bias: Image | None, dark: Image | None, calibration: Calibration
) -> list[CorrectedPlane]:
    return [
        CorrectedPlane(
            TrimmedFrame(frame, calibration.overscan, drop_saturated=True),
            plan_correction(frame.header, bias=bias, dark=dark, calibration=calibration),
            match_gains=True,
        )
        for frame in frames
    ]


def _levels(
    planes: list[CorrectedPlane],
    bias: Image | None,
    dark: Image | None,
    calibration: Calibration,
) -> list[FlatLevel]:
    spans = sample_spans(planes[0].shape)
    masks = [m.mask for m in (bias, dark) if m is not None and m.mask is not None]
    bad = [np.concatenate([mask[y0:y1] for y0, y1 in spans]) != 0 for mask in masks]
    levels = []
    for index, plane in enumerate(planes):
        rows = read_spans(plane, spans)
        for pixels in bad:
            rows[pixels] = np.nan
        level_adu = median_of(rows)
        if np.isfinite(rows).any():
            refused = _reason(level_adu, plane, calibration)
        else:
            refused = f"{_name(plane)}: every pixel is saturated or masked"
        levels.append(FlatLevel(index, level_adu, refused))
    return levels


def _reason(level_adu: float, plane: CorrectedPlane, calibration: Calibration) -> str:
    name = _name(plane)
    low, high = calibration.flat_min_adu, calibration.flat_max_adu
    if low is not None and level_adu < low:
        return f"{name}: level {level_adu:.1f} adu is under flat_min_adu {low:g}"
    if high is not None and level_adu > high:
        return f"{name}: level {level_adu:.1f} adu is over flat_max_adu {high:g}"
    if level_adu <= 0:
        return f"{name}: level {level_adu:.1f} adu is not positive"
    return ""


def _name(plane: CorrectedPlane) -> str:
    path = plane.trimmed.frame.path
    return "flat" if path is None else path.name


def _too_few(levels: list[FlatLevel], needed: int) -> str:
    refused = [level.refused for level in levels if level.refused]
    text = f"master flat: {len(levels) - len(refused)} usable frames of {len(levels)}"
    text += f", {max(needed, 1)} needed (min_flat)"
    return "; ".join([text, *refused[:_LISTED_REJECTIONS]])


def _add_master_noise(stack: Stack, plane: CorrectedPlane, scale: float) -> None:
    correction = plane.correction
    add_variance(stack, correction.bias, correction.bias_weight * scale**2)
    add_variance(stack, correction.dark, correction.dark_weight * scale**2)


def _normalise(stack: Stack) -> None:
    good = stack.mean[stack.mask == 0]
    median = float(np.median(good, overwrite_input=True)) if good.size else 0.0
    if median > 0:
        np.divide(stack.mean, np.float32(median), out=stack.mean)
        np.divide(stack.var, np.float32(median**2), out=stack.var)


def _rejection_cards(levels: list[FlatLevel]) -> dict[str, Card]:
    refused = [level.refused for level in levels if level.refused]
    cards: dict[str, Card] = {"NREJECT": (len(refused), "flats not used")}
    for number, reason in enumerate(refused[:_LISTED_REJECTIONS], start=1):
        cards[f"REJECT{number}"] = ascii_text(reason)
    return cards


def _flat_metrics(stack: Stack, levels: list[FlatLevel]) -> dict[str, float]:
    good = thin(stack.mask) == 0
    values = thin(stack.mean)[good]
    return {
        "level_adu": float(np.mean([level.level_adu for level in levels if not level.refused])),
        "response_rms": clipped_std(values),
        "response_noise": float(np.sqrt(median_of(thin(stack.var)[good]))),
        "rejected_count": float(sum(bool(level.refused) for level in levels)),
        "low_flat_count": float(np.count_nonzero(stack.mask & _LOW_FLAT)),
    }
