"""What a zero point says of an image: the faintest star on it, and how bright its sky is."""

from __future__ import annotations

import math


def noise_pixels(alpha_px: float, beta: float) -> float:
    """How many pixels of background noise the optimal flux of a point source contains.

    1/∫P² for the Moffat profile P of unit volume: π α² (2β − 1)/(β − 1)² (King 1983, PASP 95,
    163, equation 7, with the profile of Moffat 1969, A&A 3, 455).
    """
    return math.pi * alpha_px**2 * (2 * beta - 1) / (beta - 1) ** 2


def limiting_mag(
    zero_point_mag: float,
    *,
    background_rms: float | None,
    psf: tuple[float, float],
    exptime_s: float,
    sigma: float,
) -> float | None:
    """Magnitude of a point source whose profile flux is `sigma` times the noise of the background.

    Parameters
    ----------
    zero_point_mag : float
        Of one electron per second.
    background_rms : float or None
        Per pixel, in electrons.
    psf : tuple of float
        alpha in pixels and beta of the Moffat profile.
    exptime_s : float
    sigma : float

    Returns
    -------
    float or None
        None where there is no noise.
    """
    if background_rms is None or background_rms <= 0:
        return None
    flux_e = sigma * background_rms * math.sqrt(noise_pixels(*psf))
    return zero_point_mag - 2.5 * math.log10(flux_e / exptime_s)


def sky_mag_per_arcsec2(
    zero_point_mag: float,
    *,
    background: float | None,
    exptime_s: float,
    scale_arcsec_per_px: float | None,
) -> float | None:
    """Surface brightness of the background; None where it is not above zero or has no scale.

    Parameters
    ----------
    zero_point_mag : float
        Of one electron per second.
    background : float or None
        Level per pixel, in electrons.
    exptime_s : float
    scale_arcsec_per_px : float or None
    """
    if background is None or background <= 0 or not scale_arcsec_per_px:
        return None
    return zero_point_mag - 2.5 * math.log10(background / exptime_s / scale_arcsec_per_px**2)
