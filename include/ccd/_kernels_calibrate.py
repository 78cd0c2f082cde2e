"""Compiled pass from raw rows to calibrated values, variances and masks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

SATURATED = np.uint16(4)
NO_DATA = np.uint16(16)
LOW_FLAT = np.uint16(32)
CALIBRATION = np.uint16(128)
UNLIT = np.uint16(1 | 16)  # BAD or NO_DATA in the flat
WITHOUT_NO_DATA = np.uint16(0xFFFF ^ 16)

Array = npt.NDArray[Any]


class Planes(NamedTuple):
    """Value, variance (float32) and mask (uint16), each (ny, nx), or (1, nx) for every row."""

    value: Array
    variance: Array
    mask: Array


class Masters(NamedTuple):
    """What is applied; one row of neutral elements stands for what is missing."""

    bias: Planes
    dark: Planes
    flat: Planes
    bad: Array


class Rows(NamedTuple):
    """Raw rows of one amplifier, and where their pixels go in the image."""

    raw: Array
    level: Array
    x0: int
    image_y0: int
    image_x0: int
    width: int


class Factors(NamedTuple):
    """What does not change within an amplifier."""

    gain: np.float32
    read_variance: np.float32
    saturation: np.float32
    bias: np.float32
    dark: np.float32
    bias_weight: np.float32
    dark_weight: np.float32


@njit(nogil=True, cache=True)
def _row(plane: Array, y: int, x0: int, width: int) -> Array:
    """Row y of a plane; the only row of a plane that has but one."""
    return plane[min(y, plane.shape[0] - 1), x0 : x0 + width]


@njit(nogil=True, cache=True)
def _rows(planes: Planes, y: int, x0: int, width: int) -> tuple[Array, Array, Array]:
    return (
        _row(planes.value, y, x0, width),
        _row(planes.variance, y, x0, width),
        _row(planes.mask, y, x0, width),
    )


@njit(nogil=True, cache=True)
def calibrate_rows(rows: Rows, masters: Masters, factors: Factors, outputs: Planes) -> None:
    """Calibrate rows of one amplifier into the output planes (`include.ccd.calibrate`).

    Parameters
    ----------
    rows : Rows
        `raw` uint16 or float32 (n, raw nx), `level` float32 (n,) in ADU.
    masters : Masters
    factors : Factors
        Gain in e/ADU, read variance in e², saturation in ADU, factors of bias and dark, and of
        their variances.
    outputs : Planes
    """
    gain = factors.gain
    bias_weight = factors.bias_weight * gain * gain
    dark_weight = factors.dark_weight * gain * gain
    column = rows.image_x0
    width = rows.width
    zero = np.float32(0.0)
    one = np.float32(1.0)
    nothing = np.uint16(0)
    limit = np.float32(np.inf)
    for n in range(rows.raw.shape[0]):
        y = rows.image_y0 + n
        level = rows.level[n]
        source = rows.raw[n, rows.x0 : rows.x0 + width]
        b, bv, bm = _rows(masters.bias, y, column, width)
        d, dv, dm = _rows(masters.dark, y, column, width)
        f, fv, fm = _rows(masters.flat, y, column, width)
        listed = _row(masters.bad, y, column, width)
        value, variance, mask = _rows(outputs, y, column, width)
        for x in range(width):
            adu = np.float32(source[x])
            above = adu - level
            electrons = (above - b[x]) * gain
            photons = electrons if electrons > zero else zero
            noise = photons + factors.read_variance + bias_weight * bv[x] + dark_weight * dv[x]
            # Where the flat knows nothing, the value without it is the best there is.
            lit = f[x] > zero and not (fm[x] & UNLIT)
            response = one / f[x] if lit else one
            flattened = (above - factors.bias * b[x] - factors.dark * d[x]) * gain * response
            spread = (noise + flattened * flattened * fv[x]) * response * response
            inherited = bm[x] | dm[x] | fm[x] | (nothing if f[x] > zero else LOW_FLAT)
            bits = bm[x] | dm[x] | listed[x] | (inherited & WITHOUT_NO_DATA)
            bits |= CALIBRATION if inherited else nothing
            bits |= SATURATED if adu >= factors.saturation else nothing
            known = abs(flattened) < limit and spread < limit and not (bits & NO_DATA)
            value[x] = flattened if known else zero
            variance[x] = spread if known else zero
            mask[x] = bits if known else bits | NO_DATA


@njit(nogil=True, cache=True)
def count_bits(mask: Array, bits: np.uint16) -> tuple[int, int]:
    """How many values of a mask (n,) hold any of `bits`, and how many hold any bit at all."""
    some = every = 0
    for n in range(mask.size):
        some += (mask[n] & bits) != 0
        every += mask[n] != 0
    return some, every
