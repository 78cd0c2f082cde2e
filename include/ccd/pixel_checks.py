"""Whether the pixels of a raw frame can be what its header says they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from include.ccd.errors import Unusable
from include.ccd.header import FrameHeader
from include.ccd.pixel_tally import PixelStatistics

if TYPE_CHECKING:
    from include.ccd.profile import Profile

PIXEL_FLAGS: Final = frozenset(
    {
        "all_saturated",
        "blank_end",
        "blank_part",
        "constant_pixels",
        "invalid_pixels",
        "level_unusual",
        "negative_pixels",
        "no_valid_pixels",
    }
)
CALIBRATION_KINDS: Final = frozenset({"bias", "dark", "flat"})
BLANK_OF_CALIBRATION: Final = 0.05
FULL_WELL_OF_BIAS: Final = 0.5


def judge_pixels(
    statistics: PixelStatistics, header: FrameHeader, *, integer: bool, profile: Profile
) -> set[str]:
    """Flags that the pixels of a frame earn.

    Parameters
    ----------
    statistics : PixelStatistics
    header : FrameHeader
    integer : bool
        Whether the pixels are stored as whole numbers.
    profile : Profile

    Raises
    ------
    Unusable
        A calibration frame without information: it would spoil a master. A science frame of
        that sort is registered and flagged, because the night's log must account for it.
    """
    faults = _faults(statistics, header)
    if faults and header.kind in CALIBRATION_KINDS:
        seen = f"from {statistics.minimum} to {statistics.maximum} ADU"
        message = f"a {header.kind} whose pixels go {seen}"
        if "blank_end" in faults:
            message = f"the last {statistics.blank_end_fraction:.0%} of a {header.kind} is blank"
        if "blank_part" in faults:
            message = f"{statistics.blank_fraction:.0%} of a {header.kind}, in one piece, is blank"
        raise Unusable(min(faults), message)
    return faults | _oddities(statistics, header, integer, profile)


def _faults(statistics: PixelStatistics, header: FrameHeader) -> set[str]:
    """What makes a frame carry no information, wholly or in a good part of it."""
    low, high = statistics.minimum, statistics.maximum
    if low is None and high is None:
        return {"no_valid_pixels"}
    if low == high:
        return {"constant_pixels"}
    if low is not None and header.saturation_adu is not None and low >= header.saturation_adu:
        return {"all_saturated"}
    return _blank(statistics, BLANK_OF_CALIBRATION)


def _blank(statistics: PixelStatistics, most: float) -> set[str]:
    """Where more than that fraction lies in one piece that nothing was written to."""
    if statistics.blank_end_fraction > most:
        return {"blank_end"}
    return {"blank_part"} if statistics.blank_fraction > most else set()


def _oddities(
    statistics: PixelStatistics, header: FrameHeader, integer: bool, profile: Profile
) -> set[str]:
    flags = set()
    some = statistics.minimum is not None or statistics.maximum is not None
    all_of_them = statistics.valid_fraction == 1 and statistics.mean is not None
    if some and not all_of_them:
        flags.add("invalid_pixels")
    if integer and statistics.negative_fraction > 0:
        # a camera counts from zero: BZERO is missing, and 40000 reads as -25536
        flags.add("negative_pixels")
    # one row and more; a comparison of fractions, so that rounding does not count
    flags |= _blank(statistics, 0.999 / header.height_px)
    if _level_is_wrong(statistics.mean, header, profile):
        flags.add("level_unusual")
    return flags


def _level_is_wrong(mean: float | None, header: FrameHeader, profile: Profile) -> bool:
    if mean is None:
        return False
    limits = profile.levels.get(header.kind)
    if limits is not None:
        return not limits.hold(mean)
    full = header.saturation_adu
    return header.kind == "bias" and full is not None and mean > FULL_WELL_OF_BIAS * full
