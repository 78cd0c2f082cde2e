"""Images on the pixels of another: finding the transformation, resampling along it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_align as kernels
from include.ccd._kernels_difference import smear_mask
from include.ccd.errors import CcdError
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.star_match import Affine, match_triangles

_STEP_PX: Final = 16
_BRIGHT: Final = 60
_MATCH_PX: Final = 3.0
_SCALE_TOLERANCE: Final = 0.02
_FIT_ROUNDS: Final = 5
_CLIP_SIGMA: Final = 3.5
_SPLIT: Final = 1e-3
# A saturated or interpolated pixel has a value that is better than none.
UNUSABLE: Final = np.uint16(0xFFFF ^ (MaskBit.SATURATED | MaskBit.INTERPOLATED))

Array = npt.NDArray[Any]
PixelMap = Callable[[Array], Array]
"""Points (n, 2) as (x, y), 0-based, of the output to the points of the source."""


class AlignError(CcdError):
    """Two images show no common stars."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the pixels of a reference lie in an image.

    Attributes
    ----------
    transform : Affine
        From points (x, y) of the reference to points of the image.
    matches : int
        Stars that determined it.
    rms_px : float
        Their root mean square distance after it.
    """

    transform: Affine
    matches: int
    rms_px: float


class Rows(NamedTuple):
    """Rows of an image: value and variance (float32) and mask (uint16), each (n, nx)."""

    sci: Array
    var: Array
    mask: Array


def find_alignment(
    reference: Array, image: Array, *, shape: tuple[int, int], min_matches: int = 6
) -> Alignment:
    """The affine transformation that turns star places of a reference into those of an image.

    Parameters
    ----------
    reference, image : float64 (n, 2), (m, 2)
        Places (x, y) of stars in pixels, the brightest first.
    shape : tuple of int
        (ny, nx) of the image.
    min_matches : int
        Stars in common that it takes.

    Raises
    ------
    AlignError
        The two lists have too little in common.

    Notes
    -----
    Rotation, shift and parity are free, the scale may differ by 2 %; residuals after the first
    match are clipped at 3.5 sigma until nothing changes.
    """
    from scipy.spatial import KDTree

    found = match_triangles(
        reference[:_BRIGHT],
        image[:_BRIGHT],
        scale_tolerance=_SCALE_TOLERANCE,
        radius=_MATCH_PX,
        area=float(shape[0] * shape[1]),
        min_count=min_matches,
    )
    if found is None:
        raise AlignError(
            f"{len(reference)} stars of the reference and {len(image)} of the image have no "
            f"{min_matches} in common"
        )
    transform, limit = found.transform, _MATCH_PX
    tree = KDTree(image)
    for _ in range(_FIT_ROUNDS):
        nearest = tree.query(transform(reference), distance_upper_bound=limit)
        distance, index = np.asarray(nearest[0]), np.asarray(nearest[1])
        paired = np.isfinite(distance)
        if paired.sum() < min_matches:
            raise AlignError(f"only {int(paired.sum())} stars agree after fitting them")
        transform = Affine.fit(reference[paired], image[index[paired]])
        off = np.linalg.norm(transform(reference[paired]) - image[index[paired]], axis=1)
        limit = max(_CLIP_SIGMA * float(np.median(off)), 0.1)
    rms = float(np.sqrt(np.mean(off**2)))
    return Alignment(transform, int(paired.sum()), rms)


def wcs_map(target: Any, source: Any) -> PixelMap:
    """The pixels of one `astropy.wcs.WCS` as pixels of another, distortions included."""

    def transform(points: Array) -> Array:
        world = target.all_pix2world(points, 0)
        return np.asarray(source.all_world2pix(world, 0, quiet=True))

    return transform


class Resampled:
    """An image on other pixels, made row by row when asked for.

    Lanczos-3; the flux of stars is kept, whatever the scale. Variances are those of single
    pixels (Σ w² σ²): neighbours become correlated. A pixel carries the masks of all pixels that
    have a weight of 0.01 or more in it, and NO_DATA where most of its weight is missing.

    Parameters
    ----------
    image : Image
        With variance.
    transform : callable
        Points (n, 2) as (x, y) of the output to points of the image: an `Affine`, or `wcs_map`.
    shape : tuple of int
        (ny, nx) of the output.

    Raises
    ------
    AlignError
        The image has no variance, or the transformation is not finite within the output.
    """

    def __init__(self, image: Image, transform: PixelMap, *, shape: tuple[int, int]) -> None:
        if image.var is None:
            raise AlignError("an image without variance cannot be resampled")
        mask = np.zeros(image.sci.shape, np.uint16) if image.mask is None else image.mask
        unknown = ~(np.isfinite(image.sci) & np.isfinite(image.var))
        if unknown.any():
            mask = np.where(unknown, mask | np.uint16(MaskBit.NO_DATA), mask)
        self.shape = shape
        self.unit = image.unit
        near = np.zeros_like(mask)
        smear_mask(mask, int(kernels.ALL_BITS), kernels.TAPS // 2, near)
        table = kernels.lanczos_table()
        self._source = kernels.Source(image.sci, image.var, mask, near, table, UNUSABLE)
        self._mesh = _mesh(transform, shape)

    def read_rows(self, y0: int, y1: int) -> Rows:
        """Rows y0 ≤ y < y1."""
        size = (y1 - y0, self.shape[1])
        out = kernels.Planes(
            np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.uint16)
        )
        kernels.resample_rows(self._source, self._mesh, y0, out)
        return Rows(*out)

    def image(self) -> Image:
        """The whole of it."""
        return Image(*self.read_rows(0, self.shape[0]), unit=self.unit)


def _mesh(transform: PixelMap, shape: tuple[int, int]) -> kernels.Mesh:
    """Places and pixel areas at every 16 pixels, beyond the border by one."""
    at = [np.arange(0, side + _STEP_PX, _STEP_PX, dtype=np.float64) for side in shape]
    at = [np.append(each, each[-1] + _STEP_PX) for each in at]
    y, x = (each.reshape(-1) for each in np.meshgrid(*at, indexing="ij"))
    here = transform(np.column_stack([x, y]))
    right = transform(np.column_stack([x + _SPLIT, y])) - here
    above = transform(np.column_stack([x, y + _SPLIT])) - here
    area = np.abs(right[:, 0] * above[:, 1] - right[:, 1] * above[:, 0]) / _SPLIT**2
    columns = (here[:, 1], here[:, 0], area)
    if not all(np.isfinite(column).all() for column in columns):
        raise AlignError("the transformation is not defined everywhere in the output")
    size = (len(at[0]), len(at[1]))
    places_y, places_x, areas = (np.ascontiguousarray(each).reshape(size) for each in columns)
    return kernels.Mesh(places_y, places_x, areas, _STEP_PX)
