"""A few catalogue stars found on an image whose scale and orientation are known."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.measuring import Astrometry
from include.ccd.star_match import Affine, Match

_SOURCES_PER_STAR: Final = 12
_FEWEST_SOURCES: Final = 40

Array = npt.NDArray[Any]


def orientation_matrix(astrometry: Astrometry) -> Array:
    """Matrix (2, 2) from pixels (x, y) to arcseconds (east, north).

    The y axis has the position angle ``rotation_deg``, north through east; the x axis is to the
    west of it, as one sees the sky, or to the east in mirrored images.
    """
    angle = np.radians(astrometry.rotation_deg or 0.0)
    up = np.array([np.sin(angle), np.cos(angle)])
    right = np.array([-np.cos(angle), np.sin(angle)])
    if astrometry.mirrored:
        right = -right
    return np.asarray(astrometry.scale_arcsec_per_px * np.column_stack([right, up]))


def match_shift(
    bright: Array,
    plane: Array,
    *,
    middle: Array,
    reach_arcsec: float,
    radius_arcsec: float,
    astrometry: Astrometry,
) -> Match | None:
    """The shift that brings the most stars of a catalogue onto sources.

    Parameters
    ----------
    bright : float64 (n, 2)
        Sources (x, y) in pixels, the brightest first.
    plane : float64 (m, 2)
        Stars in arcseconds east and north of where the image is believed to point.
    middle : float64 (2,)
        Pixel of the image that points there.
    reach_arcsec : float
        How wrong the pointing may be.
    radius_arcsec : float
        How near is the same.
    astrometry : Astrometry
        Scale, rotation and parity, and how many stars must agree.

    Returns
    -------
    Match or None
        From pixels to the plane. None unless `astrometry.min_matches` stars agree, more than with
        any other shift.
    """
    from scipy.spatial import KDTree

    count = max(_FEWEST_SOURCES, _SOURCES_PER_STAR * len(plane))
    matrix = orientation_matrix(astrometry)
    turned = (bright[:count] - middle) @ matrix.T
    if not len(turned) or len(plane) < astrometry.min_matches:
        return None
    shifts = (plane[:, None] - turned[None]).reshape(-1, 2)
    shifts = shifts[np.hypot(shifts[:, 0], shifts[:, 1]) <= reach_arcsec]
    tree = KDTree(turned)
    distances = [
        tree.query(plane - shift, distance_upper_bound=radius_arcsec)[0] for shift in shifts
    ]
    counts = np.isfinite(np.array(distances).reshape(len(shifts), -1)).sum(axis=1)
    if not len(counts) or counts.max() < astrometry.min_matches:
        return None
    best = shifts[counts.argmax()]
    elsewhere = np.hypot(*(shifts - best).T) > 2.0 * radius_arcsec
    if counts[elsewhere].max(initial=0) >= counts.max():
        return None
    # The mean of all shifts that bring as many together is nearer to the truth than any one.
    same = (counts == counts.max()) & ~elsewhere
    shift = shifts[same].mean(axis=0) - matrix @ middle
    density = len(turned) * np.pi * radius_arcsec**2 / (np.pi * reach_arcsec**2)
    return Match(Affine(matrix, shift), int(counts.max()), float(density * len(plane)))
