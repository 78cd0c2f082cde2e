"""Aligned images of one field become one deeper image, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_coadd as kernels
from include.ccd._kernels_align import Planes
from include.ccd.align import UNUSABLE, Rows
from include.ccd.comparing import Coadding
from include.ccd.errors import CcdError
from include.ccd.image import Image

STACK_BYTES: Final = 4 * 1024**2
_BYTES_PER_PIXEL: Final = 10
_MAX_IMAGES: Final = 1000

Array = npt.NDArray[Any]


class CoaddError(CcdError):
    """Images cannot be stacked as asked."""


class Layer(Protocol):
    """What can be stacked: rows of an aligned image, on demand."""

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) in pixels."""

    def read_rows(self, y0: int, y1: int) -> Rows:
        """Rows y0 ≤ y < y1."""


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """An aligned image that is in memory."""

    image: Image

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) in pixels."""
        return self.image.sci.shape[0], self.image.sci.shape[1]

    def read_rows(self, y0: int, y1: int) -> Rows:
        """Rows y0 ≤ y < y1.

        Raises
        ------
        CoaddError
            The image has no variance.
        """
        image = self.image
        if image.var is None:
            raise CoaddError("an image without variance cannot be stacked")
        sci = image.sci[y0:y1]
        mask = np.zeros(sci.shape, np.uint16) if image.mask is None else image.mask[y0:y1]
        return Rows(sci, image.var[y0:y1], mask)


def coadd(
    layers: Sequence[Layer],
    *,
    coadding: Coadding,
    scales: Sequence[float] | None = None,
    levels: Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
    unit: str = "electron",
    memory_bytes: int = STACK_BYTES,
) -> Image:
    """The weighted mean of aligned images, outliers put aside.

    Parameters
    ----------
    layers : sequence of Layer
        All of one shape: `include.ccd.align.Resampled` or `ImageLayer`.
    coadding : Coadding
    scales : sequence of float, optional
        Factor that brings each image to the common flux scale.
    levels : sequence of float, optional
        Sky of each image, taken off before the factor is applied.
    weights : sequence of float, optional
        Of each image; by default one over the median of its scaled variance. One number for a
        whole image leaves the shape of stars alone, weights by pixel would not.
    unit : str
    memory_bytes : int
        How much of the input may be in memory at once (one row of each image at the least).

    Returns
    -------
    Image
        `var` follows from the variances of the images; `count` says how many images made each
        pixel. A pixel is masked when a used value was saturated or interpolated, or when no
        value was usable: it then is the mean of unusable ones, with their masks.

    Raises
    ------
    CoaddError
        Too few or too many images, different shapes, or numbers that are not one per image.
    """
    shape = _common_shape(layers, coadding)
    count = len(layers)
    factors = _numbers("scales", scales, count, 1.0)
    skies = _numbers("levels", levels, count, 0.0)
    stack = _Stack(layers, factors, skies)
    weight = stack.usual_weights() if weights is None else _numbers("weights", weights, count, 1.0)
    if not (weight > 0).all():
        raise CoaddError("weights must be positive")
    stacking = kernels.Stacking(
        weight / weight.sum(),
        float(coadding.clip_sigma),
        float(coadding.misfit),
        UNUSABLE,
        np.empty(count),
    )
    out = kernels.Coadded(
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
        np.empty(shape, np.uint16),
        np.empty(shape, np.uint16),
    )
    step = max(1, memory_bytes // (count * shape[1] * _BYTES_PER_PIXEL))
    for y0 in range(0, shape[0], step):
        y1 = min(y0 + step, shape[0])
        part = kernels.Coadded(*(plane[y0:y1] for plane in out))
        kernels.coadd_rows(stack.read(y0, y1), stacking, part)
    metrics = {"coadd_images": float(count), "coadd_coverage": float(out.used.mean())}
    return Image(*out, unit=unit, metrics=metrics)


@dataclass(frozen=True, slots=True)
class _Stack:
    """The images on one flux scale and without sky."""

    layers: Sequence[Layer]
    factors: Array
    skies: Array

    def read(self, y0: int, y1: int) -> kernels.Layers:
        """Rows of all images; what is not finite is NO_DATA."""
        size = (len(self.layers), y1 - y0, self.layers[0].shape[1])
        found = kernels.Layers(
            np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.uint16)
        )
        for n, layer in enumerate(self.layers):
            rows = Planes(*layer.read_rows(y0, y1))
            part = Planes(found.sci[n], found.var[n], found.mask[n])
            kernels.scale_rows(rows, self.skies[n], self.factors[n], part)
        return found

    def usual_weights(self) -> Array:
        """One over the median variance of each image, from rows in its middle."""
        ny = self.layers[0].shape[0]
        rows = self.read(max(0, ny // 2 - 8), min(ny, ny // 2 + 8))
        weights = np.empty(len(self.layers))
        for n in range(len(weights)):
            known = rows.var[n][(rows.mask[n] == 0) & (rows.var[n] > 0)]
            if not known.size:
                raise CoaddError(f"image {n} has no usable pixel in its middle: give weights")
            weights[n] = 1.0 / float(np.median(known))
        return weights


def _common_shape(layers: Sequence[Layer], coadding: Coadding) -> tuple[int, int]:
    if not coadding.min_images <= len(layers) <= _MAX_IMAGES:
        raise CoaddError(
            f"{coadding.min_images} to {_MAX_IMAGES} images can be stacked, not {len(layers)}"
        )
    shapes = {tuple(layer.shape) for layer in layers}
    if len(shapes) > 1:
        raise CoaddError(f"images of different shapes cannot be stacked: {sorted(shapes)}")
    ny, nx = shapes.pop()
    return ny, nx


def _numbers(name: str, values: Sequence[float] | None, count: int, usual: float) -> Array:
    if values is None:
        return np.full(count, usual)
    numbers = np.asarray(values, np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise CoaddError(f"{name} must be {count} finite numbers, one per image")
    return numbers
