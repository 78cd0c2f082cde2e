"""The sky behind the sources: its level and noise on a mesh, smooth in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_background as kernels
from include.ccd.image import Image
from include.ccd.measuring import BackgroundMesh

# Clipping normal values at c sigma leaves a smaller deviation: for c = 3, 0.9866 of it.
_CLIP_SIGMA: Final = 3.0
_CLIPPED_DEVIATION: Final = 0.98658

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Background:
    """Level and noise of the background of an image.

    Attributes
    ----------
    level, rms : float32 (boxes in y, boxes in x)
        Of each box, in the unit of the image.
    shape : tuple of int
        (ny, nx) of the image.
    """

    level: Floats
    rms: Floats
    shape: tuple[int, int]

    @property
    def median_level(self) -> float:
        """One level for the whole image."""
        return float(np.median(self.level))

    @property
    def median_rms(self) -> float:
        """One noise for the whole image."""
        return float(np.median(self.rms))

    def subtracted(self, values: Floats, *, y0: int = 0) -> Floats:
        """Rows of the image without their background.

        Parameters
        ----------
        values : float32 (n, nx)
            Rows y0 ≤ y < y0 + n, not changed.
        y0 : int
            Where they stand in the image.

        Returns
        -------
        float32 (n, nx)
        """
        out = np.empty(values.shape, np.float32)
        coefficients, knots = self._cubics(y0, y0 + values.shape[0])
        kernels.subtract_spline(np.ascontiguousarray(values), coefficients, knots, out)
        return out

    def rows(self, y0: int, y1: int) -> Floats:
        """The level at the pixels of rows y0 ≤ y < y1, float32 (y1 − y0, nx)."""
        return -self.subtracted(np.zeros((y1 - y0, self.shape[1]), np.float32), y0=y0)

    def at(self, y_px: npt.NDArray[np.float64], x_px: npt.NDArray[np.float64]) -> Floats:
        """The level at positions (n,), linear between boxes."""
        return _interpolate(self.level, self.shape, y_px, x_px)

    def _cubics(self, y0: int, y1: int) -> tuple[Floats, npt.NDArray[np.float64]]:
        """Cubics along x of the given rows (n, segments, 4), and their knots."""
        from scipy.interpolate import CubicSpline

        knots_y, knots_x = (
            _centres(n, size) for n, size in zip(self.level.shape, self.shape, strict=True)
        )
        level = self.level.astype(np.float64)
        if knots_y.size == 1:
            along = np.repeat(level, y1 - y0, axis=0)
        else:
            along = CubicSpline(knots_y, level, bc_type="natural")(np.arange(y0, y1))
        if knots_x.size == 1:
            coefficients = np.zeros((y1 - y0, 1, 4))
            coefficients[:, 0, 3] = along[:, 0]
        else:
            spline = CubicSpline(knots_x, along, axis=1, bc_type="natural")
            coefficients = np.moveaxis(spline.c, (0, 1, 2), (2, 1, 0))
        return np.ascontiguousarray(coefficients, np.float32), knots_x


def measure_background(image: Image, *, settings: BackgroundMesh | None = None) -> Background:
    """Level and noise of the sky on a mesh, sources clipped away and masked pixels left out.

    Parameters
    ----------
    image : Image
        Only read. Every pixel with a mask bit is left out, and all that are not finite.
    settings : BackgroundMesh, optional

    Returns
    -------
    Background
        Level and rms 0 when no pixel is usable.

    Notes
    -----
    Each box is clipped at 3 sigma about its median until nothing changes; its level is the mode
    2.5 median − 1.5 mean, or the median where both are 0.3 sigma or more apart; between boxes
    runs a bicubic spline: SExtractor (Bertin and Arnouts 1996, A&AS 117, 393, section 3). The
    deviation is corrected for the clipping (÷ 0.987).
    """
    settings = settings or BackgroundMesh()
    ny, nx = image.sci.shape
    edges = _edges(ny, settings.box_px), _edges(nx, settings.box_px)
    mesh = (edges[0].size - 1, edges[1].size - 1)
    level, rms = np.empty(mesh, np.float32), np.empty(mesh, np.float32)
    mask = np.zeros(image.sci.shape, np.uint16) if image.mask is None else image.mask
    kernels.measure_boxes(
        (image.sci, mask),
        edges,
        (_CLIP_SIGMA, settings.max_iters),
        settings.needed_fraction,
        (level, rms),
    )
    rms /= np.float32(_CLIPPED_DEVIATION)
    return Background(_smooth(level, settings), _smooth(rms, settings), (ny, nx))


def _edges(size: int, box_px: int) -> npt.NDArray[np.int64]:
    boxes = max(1, round(size / box_px))
    return np.linspace(0, size, boxes + 1).round().astype(np.int64)


def _centres(boxes: int, size: int) -> npt.NDArray[np.float64]:
    width = size / boxes
    return np.asarray((np.arange(boxes) + 0.5) * width - 0.5, np.float64)


def _smooth(mesh: Floats, settings: BackgroundMesh) -> Floats:
    """The mesh without gaps, median-filtered."""
    from scipy.ndimage import distance_transform_edt, median_filter

    missing = ~np.isfinite(mesh)
    if missing.all():
        return np.zeros_like(mesh)
    if missing.any():
        nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
        mesh = mesh[tuple(nearest)]
    filtered: Floats = median_filter(mesh, size=settings.filter_boxes, mode="nearest")
    return filtered


def _interpolate(
    mesh: Floats,
    shape: tuple[int, int],
    y_px: npt.NDArray[np.float64],
    x_px: npt.NDArray[np.float64],
) -> Floats:
    from scipy.ndimage import map_coordinates

    boxes_y, boxes_x = mesh.shape
    at = [(y_px + 0.5) * boxes_y / shape[0] - 0.5, (x_px + 0.5) * boxes_x / shape[1] - 0.5]
    found: Floats = map_coordinates(mesh, at, order=1, mode="nearest")
    return found
