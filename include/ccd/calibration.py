"""The thresholds and policies by which masters are made and applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Combine = Literal["sigma_clip", "median", "mean"]
Missing = Literal["stop", "flag"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How frames of one camera are combined and corrected.

    Attributes
    ----------
    overscan : {'median', 'mean', 'none'}
        Estimator of the overscan level of a row; 'none' leaves it in.
    combine_bias, combine_dark, combine_flat : {'sigma_clip', 'median', 'mean'}
        How many frames become one.
    clip_sigma : float
        Values further than this many sigma from the centre, on either side, are clipped.
    clip_max_iters : int
        Clipping stops after this many rounds at the latest.
    min_bias, min_dark, min_flat : int
        How many frames make a master.
    dark_scaling : {'exact', 'scale', 'none'}
        'exact' wants a dark of the same exposure, 'scale' multiplies by the ratio of exposure
        times, 'none' subtracts it as it is.
    dark_scale_up : bool
        Whether a dark may be scaled to a longer exposure than its own: noise is multiplied too.
    hot_sigma : float
        A pixel of the master dark this many robust sigma above its median is HOT.
    dead_below : float
        A pixel of the normalised flat under this response is BAD.
    flat_low : float
        A pixel of the normalised flat under this response is LOW_FLAT.
    flat_min_adu, flat_max_adu : float or None
        Flats whose median level lies outside are not used.
    max_age_days : float
        Masters further than this from the frame in time are not used.
    temperature_tolerance_c : float
        Darks further than this from the frame in temperature are not used.
    exptime_tolerance_s : float
        Exposure times closer than this are the same.
    missing_bias, missing_dark, missing_flat : {'stop', 'flag'}
        Without such a master a frame is not reduced, or reduced and flagged.
    """

    overscan: Literal["median", "mean", "none"] = "median"
    combine_bias: Combine = "sigma_clip"
    combine_dark: Combine = "sigma_clip"
    combine_flat: Combine = "sigma_clip"
    clip_sigma: float = 4.0
    clip_max_iters: int = 5
    min_bias: int = 3
    min_dark: int = 3
    min_flat: int = 3
    dark_scaling: Literal["exact", "scale", "none"] = "scale"
    dark_scale_up: bool = False
    hot_sigma: float = 8.0
    dead_below: float = 0.05
    flat_low: float = 0.2
    flat_min_adu: float | None = None
    flat_max_adu: float | None = None
    max_age_days: float = 30.0
    temperature_tolerance_c: float = 2.0
    exptime_tolerance_s: float = 0.5
    missing_bias: Missing = "stop"
    missing_dark: Missing = "flag"
    missing_flat: Missing = "stop"

    def __post_init__(self) -> None:
        if not (self.clip_sigma > 0 and self.clip_max_iters >= 1):
            raise ValueError("clip_sigma must be positive, clip_max_iters at least 1")
        if min(self.min_bias, self.min_dark, self.min_flat) < 0:
            raise ValueError("min_bias, min_dark and min_flat must not be negative")
        if not 0 <= self.dead_below <= self.flat_low < 1:
            raise ValueError("need 0 ≤ dead_below ≤ flat_low < 1")
        lowest, highest = self.flat_min_adu, self.flat_max_adu
        if lowest is not None and highest is not None and lowest >= highest:
            raise ValueError("flat_min_adu must be below flat_max_adu")
        tolerances = (self.max_age_days, self.temperature_tolerance_c, self.exptime_tolerance_s)
        if not (min(tolerances) >= 0 and self.hot_sigma > 0):
            raise ValueError("tolerances must not be negative, hot_sigma must be positive")
