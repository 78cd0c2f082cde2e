"""World coordinates that fit pairs of pixels and stars: TAN, with SIP distortion if wanted."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.reference_catalog import ReferenceCatalog, unit_vectors
from include.ccd.world import sky_of, tangent_plane

_ROUNDS: Final = 4

Array = npt.NDArray[Any]


def fit_wcs(pixels: Array, stars: ReferenceCatalog, *, shape: tuple[int, int], degree: int) -> Any:
    """The `astropy.wcs.WCS` whose plane through the middle of the image fits the stars best.

    Parameters
    ----------
    pixels : float64 (n, 2)
        0-based, x first.
    stars : ReferenceCatalog
        n stars.
    shape : tuple of int
        (ny, nx) of the image.
    degree : int
        Of the distortion; below 2 there is none.

    Notes
    -----
    On the plane that touches the sky at the reference point, places are a polynomial of pixels:
    linear least squares. The reference point is moved to where the polynomial puts the middle of
    the image, and the fit repeated. SIP (Shupe et al. 2005, ASP Conf. 347, 491) is the polynomial
    less its linear part; as with astropy there is none for the way back, which is iterated.
    """
    middle = np.array([(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0])
    unit_px = float(max(shape)) / 2.0
    powers = [(i, k - i) for k in range(max(degree, 1) + 1) for i in range(k, -1, -1)]
    x, y = ((pixels - middle) / unit_px).T
    terms = np.stack([x**i * y**j for i, j in powers], axis=1)
    mean = unit_vectors(stars.ra_deg, stars.dec_deg).mean(axis=0)
    ra = float(np.degrees(np.arctan2(mean[1], mean[0]))) % 360.0
    centre = ra, float(np.degrees(np.arctan2(mean[2], np.hypot(mean[0], mean[1]))))
    found = np.zeros((len(powers), 2))
    for _ in range(_ROUNDS):
        centre = sky_of((float(found[0, 0]), float(found[0, 1])), *centre)
        plane = tangent_plane(stars.ra_deg, stars.dec_deg, *centre)
        found = np.linalg.lstsq(terms, plane, rcond=None)[0]
    return _wcs(centre, middle, found / unit_px ** np.array(powers).sum(axis=1)[:, None], powers)


def _wcs(
    centre: tuple[float, float], middle: Array, found: Array, powers: list[tuple[int, int]]
) -> Any:
    from astropy.wcs import WCS, Sip

    degree = max(i + j for i, j in powers)
    suffix = "-SIP" if degree > 1 else ""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---TAN{suffix}", f"DEC--TAN{suffix}"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.crval = centre
    wcs.wcs.crpix = middle + 1.0
    linear = found[1:3].T
    wcs.wcs.cd = linear
    if degree > 1:
        bent = np.zeros((2, degree + 1, degree + 1))
        for (i, j), both in zip(powers[3:], found[3:], strict=True):
            bent[:, i, j] = np.linalg.solve(linear, both)
        wcs.sip = Sip(*bent, *np.zeros_like(bent), wcs.wcs.crpix)
    return wcs
