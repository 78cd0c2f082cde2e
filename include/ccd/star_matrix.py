"""The same stars on many images of a field: who is who, as matrices of images by stars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.align import AlignError, find_alignment
from include.ccd.source_table import SourceFlag

_MIN_MATCHES: Final = 6
_CHART_DEPTHS: Final = (1.0, 1.5, 2.5, 4.0)
UNFIT: Final = int(
    SourceFlag.SATURATED
    | SourceFlag.EDGE
    | SourceFlag.MASKED
    | SourceFlag.UNCENTRED
    | SourceFlag.UNCOVERED
)
"""Flags with which a measurement cannot serve for comparison."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class FrameStars:
    """What was measured on one image, the brightest first.

    Attributes
    ----------
    places : float64 (n, 2)
        (x, y) in pixels, from 0 at the centre of the first.
    mag, mag_error : float64 (n,)
        Instrumental; NaN where there is none.
    flags : int (n,)
        Sums of `SourceFlag`.
    """

    places: Array
    mag: Array
    mag_error: Array
    flags: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True, slots=True)
class StarMatrix:
    """Images by stars; the stars are those of one of the images, the reference.

    Attributes
    ----------
    reference : int
        Which image.
    places : float64 (stars, 2)
        On its pixels.
    mag, mag_error : float64 (images, stars)
        NaN where the star was not found.
    flags : int (images, stars)
        0 where it was not found.
    aligned : bool (images,)
        Whether the image shows the same stars at all.
    """

    reference: int
    places: Array
    mag: Array
    mag_error: Array
    flags: npt.NDArray[np.int64]
    aligned: npt.NDArray[np.bool_]

    def fit_for_comparison(self) -> tuple[Array, Array]:
        """Magnitudes and errors, NaN where a flag says that they cannot serve."""
        fit = (self.flags & UNFIT) == 0
        return np.where(fit, self.mag, np.nan), np.where(fit, self.mag_error, np.nan)

    def nearest(self, place: Array, within_px: float) -> int | None:
        """Number of the star nearest to a place (x, y) on the reference; None if too far."""
        distance = np.linalg.norm(self.places - np.asarray(place, np.float64), axis=1)
        star = int(np.argmin(distance))
        return star if distance[star] <= within_px else None


def first_good(frames: Sequence[FrameStars]) -> int:
    """The first image with at least half as many stars as the median image."""
    counts = np.array([len(frame) for frame in frames])
    return int(np.argmax(counts >= 0.5 * np.median(counts)))


def match_stars(
    frames: Sequence[FrameStars], *, shape: tuple[int, int], match_px: float
) -> StarMatrix:
    """Find the stars of the first good image on all others.

    Parameters
    ----------
    frames : sequence of FrameStars
        In the order of time.
    shape : tuple of int
        (ny, nx) of the images.
    match_px : float
        A star is the same when it lies within this of where the transformation puts it, and
        no other star of the reference is nearer to it.
    """
    reference = first_good(frames)
    places = frames[reference].places
    size = (len(frames), len(places))
    mag, error = np.full(size, np.nan), np.full(size, np.nan)
    flags = np.zeros(size, np.int64)
    aligned = np.zeros(len(frames), np.bool_)
    for number, frame in enumerate(frames):
        try:
            star, found = _same(places, frame.places, shape, match_px)
        except AlignError:
            continue
        aligned[number] = True
        mag[number, star], error[number, star] = frame.mag[found], frame.mag_error[found]
        flags[number, star] = frame.flags[found]
    return StarMatrix(reference, places, mag, error, flags, aligned)


def chart_place(
    stars: Array, pixel: Sequence[float], chart: Array, *, shape: tuple[int, int]
) -> Array:
    """Where a place of a finding chart lies on an image.

    Parameters
    ----------
    stars : float64 (n, 2)
        Places (x, y) on the image, the brightest first.
    pixel : pair of float
        (x, y) on the chart.
    chart : float64 (m, 2)
        Stars of the chart.
    shape : tuple of int
        (ny, nx) of the image.

    Raises
    ------
    AlignError
        Chart and image show no common stars.
    """
    place = np.array([pixel], np.float64)
    for factor in _CHART_DEPTHS:
        # Triangles of neighbours are the same only where both show stars to about one depth.
        some = stars[: round(factor * len(chart))]
        try:
            found = find_alignment(chart, some, shape=shape, min_matches=_MIN_MATCHES)
        except AlignError as error:
            refusal = error
        else:
            return np.asarray(found.transform(place)[0])
    raise refusal


def _same(
    reference: Array, image: Array, shape: tuple[int, int], match_px: float
) -> tuple[Array, Array]:
    """Stars of the reference and of the image that are each other's nearest."""
    from scipy.spatial import KDTree

    if not len(image):
        raise AlignError("no stars")
    transform = find_alignment(reference, image, shape=shape, min_matches=_MIN_MATCHES).transform
    expected = transform(reference)
    near = KDTree(image).query(expected, distance_upper_bound=match_px)
    distance, found = np.asarray(near[0]), np.asarray(near[1])
    back = np.asarray(KDTree(expected).query(image)[1])
    star = np.flatnonzero(np.isfinite(distance))
    star = star[back[found[star]] == star]
    return star, found[star]
