"""Many aligned planes become one, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_combine as kernels
from include.ccd.errors import CalibrationError
from include.ccd.plane import Plane

Method = Literal["sigma_clip", "median", "mean"]
Deviation = Literal["std", "mad_std"]

# The output planes of a 4096² stack take 160 MB: this keeps the whole under 200 MB.
STACK_BYTES = 16 * 1024**2
_MAX_PLANES = np.iinfo(np.uint16).max


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
    threads: int | None = None,
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
        How much of the input may be in memory at once (one row of each plane and thread at the
        least).
    threads : int, optional
        By default as many as this process may use cores; the result does not depend on it.

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
    # The first read of a frame finds its pixels, or unpacks them: once, before there are threads.
    read = {plane.read_rows(0, 1).dtype for plane in planes}
    dtype = np.dtype(np.uint16 if factors is None and read == {np.dtype(np.uint16)} else np.float32)
    threads = threads or len(os.sched_getaffinity(0))
    if stripe_rows is None:
        stripe_rows = memory_bytes // (threads * len(planes) * shape[1] * dtype.itemsize)
    stripe_rows = min(max(stripe_rows, 1), shape[0])
    result = _empty(shape)
    stripes = _Stripes(planes, factors, dtype, stripe_rows, result)

    def work(number: int) -> None:
        reduce = _Reducer(method, clipping, len(planes), dtype)
        stripes.reduce_each(threads, number, reduce)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return result


@dataclass(frozen=True, slots=True)
class _Stripes:
    """Some rows of all planes after the other, and what they come to."""

    planes: Sequence[Plane]
    factors: list[np.float32] | None
    dtype: np.dtype[Any]
    rows: int
    result: Stack

    def reduce_each(self, step: int, number: int, reduce: _Reducer) -> None:
        """Combine every `step`-th stripe, beginning with that of a `number`."""
        ny, nx = self.result.mean.shape
        planes = len(self.planes)
        stack = np.empty(planes * self.rows * nx, self.dtype)
        for y0 in range(number * self.rows, ny, step * self.rows):
            y1 = min(y0 + self.rows, ny)
            stripe = stack[: planes * (y1 - y0) * nx].reshape(planes, y1 - y0, nx)
            self._read(y0, y1, stripe)
            reduce(stripe, _flat_rows(self.result, y0, y1))

    def _read(self, y0: int, y1: int, stripe: npt.NDArray[Any]) -> None:
        for index, plane in enumerate(self.planes):
            rows = plane.read_rows(y0, y1)
            if self.factors is None:
                stripe[index] = rows
            else:
                np.multiply(rows, self.factors[index], out=stripe[index], dtype=np.float32)


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
