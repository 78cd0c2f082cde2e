"""How images of a field are stacked and compared: thresholds, as a profile states them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Coadding:
    """How images are stacked.

    Attributes
    ----------
    clip_sigma : float
        A value further from the median of its pixel than this many of its own sigma is put
        aside: a satellite, a cosmic ray that was missed, something that moves.
    misfit : float
        Part of the median by which values may differ beyond that: stars of unequal seeing.
    min_images : int
        With fewer there is no stack.
    still_min : float
        The stack of a night is made when its last image is of so many minutes ago.
    """

    clip_sigma: float = 5.0
    misfit: float = 0.1
    min_images: int = 2
    still_min: float = 30.0

    def __post_init__(self) -> None:
        if not (self.clip_sigma > 0 and self.misfit >= 0 and self.min_images >= 1):
            raise ValueError("clip_sigma must be positive, misfit not negative, min_images ≥ 1")
        if not 0 <= self.still_min < math.inf:
            raise ValueError("still_min must be a number of minutes, not negative")


@dataclass(frozen=True, slots=True)
class Differencing:
    """How images are subtracted.

    Attributes
    ----------
    convolve : {'sharper', 'science', 'reference'}
        Which image takes the kernel; to convolve the broader one would amplify noise.
    kernel_degree, background_degree : int
        Of the polynomials by which kernel and background vary over the image.
    stamp_cell_px : int
        The brightest clean star of each cell of this side is a stamp.
    stamp_half_px : int
        Stars are compared within ± this.
    stamp_snr : float
        A star's peak stands out of the noise by so many sigma, in the reference.
    min_stamps : int
        With fewer the images are not subtracted.
    clip_sigma : float
        Stars that fit worse than the others by this are put aside: they vary, or are none.
    """

    convolve: Literal["sharper", "science", "reference"] = "sharper"
    kernel_degree: int = 1
    background_degree: int = 2
    stamp_cell_px: int = 128
    stamp_half_px: int = 15
    stamp_snr: float = 20.0
    min_stamps: int = 5
    clip_sigma: float = 4.0

    def __post_init__(self) -> None:
        if not (0 <= self.kernel_degree <= 3 and 0 <= self.background_degree <= 4):
            raise ValueError("kernel_degree must be 0 to 3, background_degree 0 to 4")
        if self.stamp_cell_px < 16 or self.stamp_half_px < 5 or self.min_stamps < 1:
            raise ValueError("need stamp_cell_px ≥ 16, stamp_half_px ≥ 5, min_stamps ≥ 1")
        if not (self.stamp_snr > 0 and self.clip_sigma > 0):
            raise ValueError("stamp_snr and clip_sigma must be positive")


@dataclass(frozen=True, slots=True)
class Detecting:
    """What counts as a candidate, and which candidates count as real.

    Attributes
    ----------
    threshold_sigma : float
        Of the matched filter, in units of its measured noise.
    stamp_half_px : int
        Stamps hold ± this.
    max_candidates : int
        The most significant ones are kept.
    max_chi_square : float
        Per pixel of the fit of a star; `chi_square_slope` times the significance is added, as
        no profile is exact.
    chi_square_slope : float
    min_usable : float
        Part of the profile that is unmasked.
    max_opposite : float
        Part of the significant pixels' flux that has the other sign: a star that moved or was
        badly matched leaves both.
    min_flux_ratio : float
        Change over the flux that the reference has there: less is what imperfect matching
        leaves of a bright star.
    width_range : tuple of float
        Width over that of a star: cosmic rays are sharper, ghosts broader.
    """

    threshold_sigma: float = 5.5
    stamp_half_px: int = 15
    max_candidates: int = 500
    max_chi_square: float = 2.0
    chi_square_slope: float = 0.02
    min_usable: float = 0.8
    max_opposite: float = 0.25
    min_flux_ratio: float = 0.03
    width_range: tuple[float, float] = (0.55, 1.8)

    def __post_init__(self) -> None:
        if not (self.threshold_sigma > 0 and self.stamp_half_px > 2 and self.max_candidates > 0):
            raise ValueError("threshold_sigma, stamp_half_px, max_candidates must be positive")
        if not 0 < self.width_range[0] < self.width_range[1]:
            raise ValueError("width_range must be two rising numbers")


@dataclass(frozen=True, slots=True)
class Referencing:
    """Which images of a field the others are compared with.

    Attributes
    ----------
    images : int
        The first so many good ones of a night, in time, are stacked.
    max_age_days : float
        A night makes no reference while an older one of this age or less is there.
    """

    images: int = 5
    max_age_days: float = 3650.0

    def __post_init__(self) -> None:
        if self.images < 1 or not self.max_age_days > 0:
            raise ValueError("images must be 1 at least, max_age_days positive")


@dataclass(frozen=True, slots=True)
class Confirming:
    """When detections on differences are one new thing in the sky.

    Attributes
    ----------
    min_detections : int
        So many images of a night show it at the least.
    min_fraction : float
        And so large a part of those on which it would be seen, from the first to the last.
    radius_px : float
        Detections nearer than this are of one thing.
    known_radius_arcsec : float
        Stars of the catalogue nearer than this name it.
    """

    min_detections: int = 3
    min_fraction: float = 0.5
    radius_px: float = 2.0
    known_radius_arcsec: float = 2.0

    def __post_init__(self) -> None:
        if self.min_detections < 1 or not 0 <= self.min_fraction <= 1:
            raise ValueError("min_detections must be 1 at least, min_fraction in [0, 1]")
        if not (self.radius_px > 0 and self.known_radius_arcsec > 0):
            raise ValueError("radius_px and known_radius_arcsec must be positive")
