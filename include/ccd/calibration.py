"""The thresholds and policies by which masters are made and applied."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Combine = Literal["sigma_clip", "median", "mean"]
Missing = Literal["stop", "flag"]
Short = Literal["stop", "fallback", "flag"]


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


@dataclass(frozen=True, slots=True)
class Gates:
    """How many calibration frames a night should have, and what to do when they do not come.

    Apart from `Calibration`, as it decides when and whether a master is made, not how.

    Attributes
    ----------
    expect_bias, expect_dark, expect_flat : int or None
        Frames of one master: of a night and camera, of an exposure time, of a filter. None: no
        number is expected, and a master is made from what is there.
    wait_hours : float
        How long after the last of them came the others are waited for.
    short_bias, short_dark, short_flat : {'stop', 'fallback', 'flag'}
        With fewer than expected after that: nothing of the night that needs the master is made;
        the best master of another night is used; or the master is made of fewer, and flagged.
    """

    expect_bias: int | None = None
    expect_dark: int | None = None
    expect_flat: int | None = None
    wait_hours: float = 12.0
    short_bias: Short = "flag"
    short_dark: Short = "flag"
    short_flat: Short = "flag"

    def __post_init__(self) -> None:
        numbers = [self.expected(kind) for kind in ("bias", "dark", "flat")]
        if any(number is not None and number < 1 for number in numbers):
            raise ValueError("expect_… must be 1 at least; leave it out to expect no number")
        if not 0 <= self.wait_hours < math.inf:
            raise ValueError("wait_hours must be a number of hours, not negative")

    def expected(self, kind: str) -> int | None:
        """How many frames make a master of this kind."""
        number: int | None = getattr(self, f"expect_{kind}", None)
        return number

    def stops_without(self, kind: str) -> bool:
        """Whether the night's own master, of as many frames as expected, must be there."""
        return self.expected(kind) is not None and self.when_short(kind) == "stop"

    def when_short(self, kind: str) -> Short:
        """What to do with fewer."""
        policy: Short = getattr(self, f"short_{kind}")
        return policy
