"""What the making of every master has in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from include.ccd.calibration import Calibration, Combine
from include.ccd.cards import identity_cards
from include.ccd.combine import Stack, combine
from include.ccd.errors import CalibrationError
from include.ccd.header import FrameHeader
from include.ccd.image import Card, Image
from include.ccd.mask import MaskBit
from include.ccd.plane import Plane
from include.ccd.pooling import pool_variance
from include.ccd.raw import RawFrame
from include.ccd.robust import typical_scatter

_BAD = np.uint16(MaskBit.BAD)
_CALIBRATION = np.uint16(MaskBit.CALIBRATION)
_ROWS = 256
_EXPOSURE_CARDS = ("OBJECT", "RA", "DEC", "AIRMASS")

Mask = npt.NDArray[np.uint16]


class TooFewFrames(CalibrationError):
    """Fewer usable frames than the master needs."""


def check_frames(frames: Sequence[RawFrame], kind: str, needed: int) -> None:
    """Nothing happens when there are enough frames, all of one geometry.

    Raises
    ------
    TooFewFrames
        There are fewer than needed; the message names both numbers.
    CalibrationError
        Their trimmed shapes or numbers of amplifiers differ.
    """
    if len(frames) < max(needed, 1):
        raise TooFewFrames(
            f"master {kind}: {len(frames)} usable frames, {max(needed, 1)} needed (min_{kind})"
        )
    layouts = {(f.header.trimmed_shape, len(f.header.amplifiers)) for f in frames}
    if len(layouts) > 1:
        raise CalibrationError(f"master {kind}: frames of different geometry: {sorted(layouts)}")


def combine_with_floor(
    planes: Sequence[Plane],
    header: FrameHeader,
    *,
    method: Combine,
    calibration: Calibration,
    noise_floor: float | None = None,
    scales: Sequence[float] | None = None,
) -> Stack:
    """The planes combined, clipping against their typical scatter, with pooled variances.

    Notes
    -----
    Few frames are the rule for masters: among 5 values no outlier is ever 4 of *their own*
    standard deviations away (see `include.ccd.combine.Clipping`). So the deviation is the median
    absolute one, and never below the scatter of an ordinary pixel of the same frames.
    """
    if noise_floor is None:
        sections = [amplifier.placed for amplifier in header.amplifiers]
        noise_floor = typical_scatter(planes, sections, scales=scales)
    stack = combine(
        planes,
        method=method,
        clip_sigma_low=calibration.clip_sigma,
        clip_sigma_high=calibration.clip_sigma,
        clip_max_iters=calibration.clip_max_iters,
        deviation="mad_std",
        noise_floor=noise_floor,
        scales=scales,
    )
    pool_variance(stack)
    return stack


def add_variance(stack: Stack, master: Image | None, factor: float) -> None:
    """Add `factor` × the master's variance to that of the stack, in place."""
    if master is None or master.var is None or factor == 0.0:
        return
    for y0 in range(0, stack.var.shape[0], _ROWS):
        stack.var[y0 : y0 + _ROWS] += np.float32(factor) * master.var[y0 : y0 + _ROWS]


def inherit(mask: Mask, *masters: Image | None) -> None:
    """Add the bits of the masters to `mask`, and CALIBRATION where there are any, in place."""
    for master in masters:
        if master is not None and master.mask is not None:
            mask |= master.mask
            mask[master.mask != 0] |= _CALIBRATION


def master_cards(frames: Sequence[RawFrame], *, kind: str, method: Combine) -> dict[str, Card]:
    """Cards of a master made of these frames."""
    headers = [frame.header for frame in frames]
    first = min(headers, key=lambda header: header.observed_at)
    cards = identity_cards(first, kind=kind)
    for key in _EXPOSURE_CARDS:
        cards.pop(key, None)
    cards["EXPTIME"] = (float(np.mean([h.exptime_s for h in headers])), "[s] exposure time")
    temperatures = [h.temperature_c for h in headers if h.temperature_c is not None]
    if temperatures:
        cards["CCD-TEMP"] = (float(np.median(temperatures)), "[deg C] detector temperature")
    cards["NCOMBINE"] = (len(frames), "frames combined")
    cards["COMBINE"] = (method, "how")
    return cards


def stack_metrics(stack: Stack, frames: int) -> dict[str, float]:
    """Numbers that every master has."""
    used = int(stack.count.sum(dtype=np.int64))
    return {
        "combined_count": float(frames),
        "clipped_fraction": 1.0 - used / (frames * stack.count.size),
        "masked_fraction": int(np.count_nonzero(stack.mask)) / stack.mask.size,
        "bad_count": float(np.count_nonzero(stack.mask & _BAD)),
    }


def joined(flags: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """All flags, sorted, once each."""
    return tuple(sorted({flag for some in flags for flag in some}))
