"""Variances from few frames, steadied by what neighbouring pixels say."""

from __future__ import annotations

import numpy as np

from include.ccd.combine import Stack
from include.ccd.robust import tiles

_PRIOR_FREEDOM = 8.0


def pool_variance(stack: Stack) -> None:
    """Each variance is moved towards that of an ordinary pixel around it, in place.

    Parameters
    ----------
    stack : Stack
        `var` (ny, nx) changes; pixels of a single value get the ordinary variance.

    Notes
    -----
    The scatter of n values has ν = n − 1 degrees of freedom: with three of them a variance is
    off by its own size as a rule, and 1/variance by far more. With the variance v₀ of an ordinary
    pixel of the 64 px tile (the median over the tile, divided by (1 − 2/(9ν))³, the median of
    χ²/ν), it becomes (ν₀ v₀ + ν v)/(ν₀ + ν) with ν₀ = 8: the moderated variance of Smyth 2004,
    Stat. Appl. Genet. Mol. Biol. 3, 3, with a fixed prior. A pixel that is truly noisier than
    its neighbours still stands out, the more frames, the more fully.
    """
    for tile in tiles(stack.var.shape):
        _pool_tile(stack, tile)


def _pool_tile(stack: Stack, tile: tuple[slice, slice]) -> None:
    count, var = stack.count[tile], stack.var[tile]
    frames = int(count.max())
    full = count == frames
    if frames < 2:
        return
    freedom = frames - 1
    ordinary = float(np.median(var[full])) / (1 - 2 / (9 * freedom)) ** 3
    used = count > 0
    own = count[used].astype(np.float64) - 1
    prior = ordinary * frames / count[used]
    var[used] = (_PRIOR_FREEDOM * prior + own * var[used]) / (_PRIOR_FREEDOM + own)
