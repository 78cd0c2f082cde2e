"""What is known of the sources of one image: columns, their units, and flags."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.mask import MaskBit
from include.ccd.psf import Psf


class SourceFlag(enum.IntFlag):
    """Why a measurement of a source is to be taken with care; flags add up."""

    BLENDED = 1
    """It was separated from a neighbour, or another source stands within two FWHM."""
    SATURATED = 2
    """A saturated pixel lies within the profile: fluxes come from the other pixels."""
    EDGE = 4
    """Its aperture crosses the edge of the image."""
    MASKED = 8
    """A masked pixel, neither saturated nor replaced, lies within the profile."""
    INTERPOLATED = 16
    """A replaced pixel (a cosmic ray) lies within one FWHM of its centre."""
    UNCENTRED = 32
    """The centroid did not converge: the position is that of the detection."""
    UNCOVERED = 64
    """Masked pixels leave less than half of the profile's weight: do not trust the flux."""


def source_flags(bits: int, usable: float) -> int:
    """Flags of a flux at a given place.

    Parameters
    ----------
    bits : int
        Masks near it, of `include.ccd.mask.MaskBit`.
    usable : float
        Part of the profile's weight on usable pixels.
    """
    replaced = MaskBit.COSMIC | MaskBit.INTERPOLATED
    flags = SourceFlag(0)
    flags |= SourceFlag.SATURATED if bits & MaskBit.SATURATED else flags
    flags |= SourceFlag.INTERPOLATED if bits & replaced else flags
    flags |= SourceFlag.MASKED if bits & ~(MaskBit.SATURATED | replaced) else flags
    flags |= SourceFlag.UNCOVERED if usable < _LEAST_WEIGHT else flags
    return int(flags)


_LEAST_WEIGHT: Final = 0.5
SOURCE_DTYPE: Final = np.dtype(
    [
        ("x_px", "f8"),
        ("y_px", "f8"),
        ("x_err_px", "f4"),
        ("y_err_px", "f4"),
        ("flux_psf", "f4"),
        ("flux_psf_err", "f4"),
        ("flux_aper", "f4"),
        ("flux_aper_err", "f4"),
        ("mag_psf", "f4"),
        ("mag_psf_err", "f4"),
        ("mag_aper", "f4"),
        ("mag_aper_err", "f4"),
        ("peak", "f4"),
        ("background", "f4"),
        ("fwhm_px", "f4"),
        ("ellipticity", "f4"),
        ("theta_deg", "f4"),
        ("area_px", "i4"),
        ("flags", "i4"),
    ]
)


@dataclass(frozen=True, slots=True)
class SourceCatalogue:
    """The sources of one image, the brightest first.

    Attributes
    ----------
    table : structured array of `SOURCE_DTYPE` (n,)
        One row per source:

        ``x_px``, ``y_px`` windowed centroid, 0 at the centre of the first pixel, and errors.
        ``flux_psf``, ``flux_aper`` total fluxes in the unit of the image, by profile and in a
        circle, with errors from the variance plane. ``mag_…`` = −2.5 log10(flux / exptime_s):
        instrumental, NaN where the flux is not positive; ``mag_…_err`` = 1.0857 error / flux.
        ``peak`` the highest pixel above the background, ``background`` the level at the centre.
        ``fwhm_px``, ``ellipticity`` (1 − b/a), ``theta_deg`` (major axis from x towards y, −90
        to 90) of the Gaussian with the weighted moments of the source; NaN where there is none.
        ``area_px`` pixels above the threshold. ``flags`` bits of `SourceFlag`.
    psf : Psf
        The profile by which they were measured.
    aperture_radius_px : float
        Of ``flux_aper``.
    background, background_rms : float
        Medians of the image, in its unit.
    """

    table: npt.NDArray[Any]
    psf: Psf
    aperture_radius_px: float
    background: float
    background_rms: float

    def __len__(self) -> int:
        return len(self.table)
