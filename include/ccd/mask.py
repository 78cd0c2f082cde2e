"""The meaning of every bit in a mask plane."""

from __future__ import annotations

import enum


class MaskBit(enum.IntFlag):
    """Why a pixel is not to be trusted; planes are uint16 and bits add up.

    A masked pixel keeps its best value: the mask says how far to believe it.
    """

    BAD = 1
    """Dead or otherwise unusable: known from the profile or found in the masters."""
    HOT = 2
    """Dark current far above that of its neighbours."""
    SATURATED = 4
    """The raw value is at or above the saturation level."""
    COSMIC = 8
    """Hit by a cosmic ray."""
    NO_DATA = 16
    """Not finite, outside the detector, or no valid input at all."""
    LOW_FLAT = 32
    """The flat field is too low here for a division to mean anything."""
    INTERPOLATED = 64
    """The value was made from neighbours."""
    CALIBRATION = 128
    """A calibration input was masked here."""
    WARM = 256
    """Dark current somewhat above that of its neighbours, by the profile: sources are measured
    with it, as bright ones hardly feel it; stacks and differences leave it out."""
