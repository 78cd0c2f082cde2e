"""The noise of reading a pixel out, measured from pairs of bias frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from include.ccd.overscan import Estimator, TrimmedFrame, level_variance_factor
from include.ccd.raw import RawFrame
from include.ccd.robust import clipped_std, read_spans, sample_spans, section_of


def read_noises_adu(frames: Sequence[RawFrame], *, overscan: Estimator) -> list[float]:
    """Read noise of one frame in ADU, for each amplifier; empty with fewer than two frames.

    Parameters
    ----------
    frames : sequence of RawFrame
        Bias frames in the order they were taken.
    overscan : {'median', 'mean', 'none'}

    Notes
    -----
    The clipped standard deviation of the difference of consecutive frames, over √2, is free of
    the bias structure (Howell, Handbook of CCD Astronomy, 2nd ed., section 4.3). The noise that
    the overscan level itself adds, known from its pixel count, is divided out. The result is the
    median over pairs; it contains the quantisation noise. Saturated pixels are left out; of
    frames over 4 Mpx evenly spaced rows are used.
    """
    if len(frames) < 2:
        return []
    amplifiers = frames[0].header.amplifiers
    planes = [TrimmedFrame(frame, overscan, drop_saturated=True) for frame in frames]
    spans = sample_spans(planes[0].shape)
    spreads: list[list[float]] = []
    previous = read_spans(planes[0], spans)
    for plane in planes[1:]:
        current = read_spans(plane, spans)
        difference = current - previous
        spreads.append([clipped_std(section_of(difference, spans, a.placed)) for a in amplifiers])
        previous = current
    return [
        float(spread / level_noise_factor(level_variance_factor(amplifier, overscan)) / np.sqrt(2))
        for spread, amplifier in zip(np.median(spreads, axis=0), amplifiers, strict=True)
    ]


def level_noise_factor(variance_factor: float | npt.NDArray[np.float64]) -> float:
    """By how much subtracting an overscan level widens the noise of a pixel."""
    return float(np.sqrt(1.0 + variance_factor))
