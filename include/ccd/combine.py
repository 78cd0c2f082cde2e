"""Many aligned planes become one, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_combine as kernels
from include.ccd.errors import CalibrationError

Method = Literal["sigma_clip", "median", "mean"]
Deviation = Literal["std", "mad_std"]

# The output planes of a 4096² stack take 160 MB: this keeps the whole under 200 MB.
STACK_BYTES = 16 * 1024**2
_MAX_PLANES = np.iinfo(np.uint16).max


class Plane(Protocol):
    """What can be combined: rows of an image, on demand."""

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) in pixels."""

    def read_rows(self, y0: int, y1: int) -> npt.NDArray[Any]:
        """Rows y0 ≤ y < y1 as uint16 or float32 (y1 − y0, nx); a pixel to be ignored is NaN."""


@dataclass(frozen=True, slots=True)
class ArrayPlane:
    """A plane that is in memory already.

    Attributes
    ----------
    array : uint16 or float32 (ny, nx)
    """

    array: npt.NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) in pixels."""
        return self.array.shape[0], self.array.shape[1]

    def read_rows(self, y0: int, y1: int) -> npt.NDArray[Any]:
        """Rows y0 ≤ y < y1 (y1 − y0, nx)."""
        return self.array[y0:y1]


@dataclass(frozen=True, slots=True)
class Stack:
    """What many planes say together.

    Attributes
    ----------
    mean : float32 (ny, nx)
        The combined value: mean, median or clipped mean; 0 where no input is left.
    var : float32 (ny, nx)
        Variance of `mean`, from the scatter of the values that made it; 0 where there are fewer
        than two, because one value says nothing of its own scatter.
    mask : uint16 (ny, nx)
        `MaskBit.NO_DATA` where no input is left.
    count : uint16 (ny, nx)
        How many values made each pixel.
    """

    mean: npt.NDArray[np.float32]
    var: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint16]
    count: npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Clipping:
    """When a value is an outlier among the values of its pixel.

    With the centre c = median and the deviation s of the values still in, values below
    c − `sigma_low` s or above c + `sigma_high` s are put aside, and again, until nothing changes
    or after `max_iters` rounds; the last bounds then judge all values.

    Attributes
    ----------
    sigma_low, sigma_high : float
        Bounds in units of s.
    max_iters : int
        How many rounds at most; 0 clips nothing.
    deviation : {'std', 'mad_std'}
        s is the population standard deviation (about the mean, as `numpy.std`), or 1.4826 times
        the median absolute deviation from the median.
    noise_floor : float
        s is never taken smaller than this, in units of the (scaled) values.

    Notes
    -----
    With `noise_floor` 0 this is ``astropy.stats.sigma_clip(cenfunc='median',
    stdfunc=deviation, maxiters=max_iters)``, and with one round
    ``ccdproc.Combiner.sigma_clipping(func='median', dev_func=deviation)``.

    One outlier among n values lies n/√(n − 1) population deviations from their median: 'std' at
    4 sigma cannot see it with fewer than 15 values. 'mad_std' can, but among few values it is
    small by chance and puts good ones aside; a noise floor, known from the detector, prevents it.
    """

    sigma_low: float = 4.0
    sigma_high: float = 4.0
    max_iters: int = 5
    deviation: Deviation = "std"
    noise_floor: float = 0.0


def combine(
    planes: Sequence[Plane],
    *,
    method: Method = "sigma_clip",
    clip_sigma_low: float = 4.0,
    clip_sigma_high: float = 4.0,
    clip_max_iters: int = 5,
    deviation: Deviation = "std",
    noise_floor: float = 0.0,
    scales: Sequence[float] | None = None,
    stripe_rows: int | None = None,
    memory_bytes: int = STACK_BYTES,
) -> Stack:
    """Pixel by pixel, one value with its variance stands for those of all planes.

    Parameters
    ----------
    planes : sequence of Plane
        All of one shape; NaN and infinite values are ignored.
    method : {'sigma_clip', 'median', 'mean'}
        'sigma_clip' is the mean of what `Clipping` leaves in.
    clip_sigma_low, clip_sigma_high, clip_max_iters, deviation, noise_floor
        See `Clipping`.
    scales : sequence of float, optional
        Factor of each plane, applied before anything else.
    stripe_rows : int, optional
        Rows read at a time; by default as many as `memory_bytes` admits.
    memory_bytes : int
        How much of the input may be in memory at once (one row of each plane at the least).

    Returns
    -------
    Stack
        Variances are s²/n with s² the unbiased variance of the n values that remain; for the
        median of more than two, times π/2 (the asymptotic variance of the median of normal
        values).

    Raises
    ------
    CalibrationError
        No plane, planes of different shapes, or a scale missing or not finite.
    """
    shape = _common_shape(planes)
    factors = _factors(scales, len(planes))
    clipping = Clipping(clip_sigma_low, clip_sigma_high, clip_max_iters, deviation, noise_floor)
    exact = factors is None and all(p.read_rows(0, 1).dtype == np.uint16 for p in planes)
    dtype = np.dtype(np.uint16 if exact else np.float32)
    if stripe_rows is None:
        stripe_rows = memory_bytes // (len(planes) * shape[1] * dtype.itemsize)
    stripe_rows = min(max(stripe_rows, 1), shape[0])
    stack = np.empty(len(planes) * stripe_rows * shape[1], dtype)
    reduce = _Reducer(method, clipping, len(planes), dtype)
    result = _empty(shape)
    for y0 in range(0, shape[0], stripe_rows):
        y1 = min(y0 + stripe_rows, shape[0])
        stripe = stack[: len(planes) * (y1 - y0) * shape[1]].reshape(len(planes), y1 - y0, shape[1])
        _read(planes, factors, y0, y1, stripe)
        reduce(stripe, _flat_rows(result, y0, y1))
    return result


class _Reducer:
    """The kernel of a method with its scratch space."""

    def __init__(
        self, method: Method, clipping: Clipping, planes: int, dtype: np.dtype[Any]
    ) -> None:
        if method not in ("sigma_clip", "median", "mean"):
            raise CalibrationError(f"method must be sigma_clip, median or mean, not {method!r}")
        self._method = method
        self._limits = kernels.Limits(
            float(clipping.sigma_low),
            float(clipping.sigma_high),
            int(clipping.max_iters),
            clipping.deviation == "mad_std",
            float(clipping.noise_floor),
        )
        self._block = kernels.new_block(planes, dtype)
        self._network = kernels.sorting_network(planes)
        if method == "median" and dtype == np.uint16:
            middle = {(planes - 1) // 2, planes // 2}
            self._network = kernels.needed_comparators(self._network, middle)

    def __call__(self, stripe: npt.NDArray[Any], outputs: kernels.Outputs) -> None:
        stack = stripe.reshape(stripe.shape[0], -1)
        if self._method == "mean":
            kernels.mean_planes(stack, self._block, outputs)
        elif self._method == "median":
            kernels.median_planes(stack, self._block, self._network, outputs)
        else:
            kernels.clip_planes(stack, self._block, self._network, self._limits, outputs)


def _common_shape(planes: Sequence[Plane]) -> tuple[int, int]:
    if not 0 < len(planes) <= _MAX_PLANES:
        raise CalibrationError(f"1 to {_MAX_PLANES} planes can be combined, not {len(planes)}")
    shapes = {tuple(plane.shape) for plane in planes}
    if len(shapes) > 1:
        raise CalibrationError(f"planes of different shapes cannot be combined: {sorted(shapes)}")
    ny, nx = shapes.pop()
    return ny, nx


def _factors(scales: Sequence[float] | None, planes: int) -> list[np.float32] | None:
    if scales is None:
        return None
    if len(scales) != planes or not np.all(np.isfinite(scales)):
        raise CalibrationError(f"scales must be {planes} finite numbers, one per plane")
    return [np.float32(scale) for scale in scales]


def _empty(shape: tuple[int, int]) -> Stack:
    return Stack(
        mean=np.empty(shape, np.float32),
        var=np.empty(shape, np.float32),
        mask=np.zeros(shape, np.uint16),
        count=np.empty(shape, np.uint16),
    )


def _flat_rows(result: Stack, y0: int, y1: int) -> kernels.Outputs:
    return kernels.Outputs(
        result.mean[y0:y1].reshape(-1),
        result.var[y0:y1].reshape(-1),
        result.mask[y0:y1].reshape(-1),
        result.count[y0:y1].reshape(-1),
    )


def _read(
    planes: Sequence[Plane],
    factors: list[np.float32] | None,
    y0: int,
    y1: int,
    stripe: npt.NDArray[Any],
) -> None:
    for index, plane in enumerate(planes):
        rows = plane.read_rows(y0, y1)
        if factors is None:
            stripe[index] = rows
        else:
            np.multiply(rows, factors[index], out=stripe[index], dtype=np.float32)
