"""Bright stars spread over an image: where they are, and how wide they appear."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_difference as kernels

SIGMA_TO_FWHM: Final = 2.3548200450309493
_THIN: Final = 8
_CORE_PX: Final = 3
_MOST_STARS: Final = 60
_CENTRE_ROUNDS: Final = 4
_WINDOW_SIGMA_PX: Final = 2.0
_MAX_ROUNDS: Final = 50
_RATIO_HALF_PX: Final = 8
_STEADY: Final = 0.05
_FEWEST_STEADY: Final = 5

Array = npt.NDArray[Any]


def find_stamps(
    sci: Array, var: Array, mask: Array, *, cell_px: int, margin_px: int, snr: float
) -> npt.NDArray[np.int64]:
    """Pixels (n, 2), as rows (y, x), of the brightest clean star in each cell of a grid.

    Parameters
    ----------
    sci, var : float32 (ny, nx)
        Finite everywhere.
    mask : uint16 (ny, nx)
        A star within 3 px of a masked pixel does not count.
    cell_px : int
        Side of a cell.
    margin_px : int
        Distance kept from the border.
    snr : float
        How far the peak stands above the median of its cell, in sigma of the pixel noise there.
    """
    smeared = np.zeros_like(mask)
    kernels.smear_mask(mask, _CORE_PX, smeared)
    shape = tuple(max(1, side // cell_px) for side in sci.shape)
    floors = np.empty(shape, np.float32)
    for row, column in np.ndindex(*shape):
        y, x = (slice(n * cell_px, (n + 2) * cell_px, _THIN) for n in (row, column))
        noise = np.sqrt(max(float(np.median(var[y, x])), 0.0))
        floors[row, column] = np.median(sci[y, x]) + snr * noise
    found: npt.NDArray[np.int64] = kernels.brightest_peaks(sci, smeared, cell_px, margin_px, floors)
    return found[found[:, 0] >= 0]


def cut(plane: Array, places: Array, half_px: int) -> Array:
    """Squares of ± `half_px` pixels around pixels (n, side, side)."""
    views = np.lib.stride_tricks.sliding_window_view(plane, (2 * half_px + 1,) * 2)
    return np.asarray(views[places[:, 0] - half_px, places[:, 1] - half_px])


def typical_star(sci: Array, places: Array, *, half_px: int) -> npt.NDArray[np.float64]:
    """Median of stars of sum 1, (side, side), centred, of the brightest 60 at the most.

    The background is the median of the border of each square.
    """
    from scipy.ndimage import shift

    stars = cut(sci, places, half_px).astype(np.float64)
    edge = np.ones(stars.shape[1:], np.bool_)
    edge[1:-1, 1:-1] = False
    stars -= np.median(stars[:, edge], axis=1)[:, None, None]
    core = slice(half_px - _CORE_PX, half_px + _CORE_PX + 1)
    sums = stars[:, core, core].sum(axis=(1, 2))
    best = np.argsort(-sums)[:_MOST_STARS]
    best = best[sums[best] > 0]
    stars = stars[best] / sums[best, None, None]
    for star, offset in zip(stars, _offsets(stars), strict=True):
        star[:] = shift(star, -offset, order=3, mode="nearest")
    typical = np.median(stars, axis=0)
    return np.asarray(typical / typical.sum())


def steady_stars(
    one: tuple[Array, Array], other: tuple[Array, Array], places: Array, *, clip_sigma: float
) -> npt.NDArray[np.bool_]:
    """Which stars (n,) are as bright in one image against the other as most are.

    A star that varies would draw the scale of the whole comparison after it, the more the fewer
    stars there are.

    Parameters
    ----------
    one, other : tuple of float32 (ny, nx)
        Values and variances.
    places : int (n, 2)
        Pixels (y, x), further than 8 px from the border.
    clip_sigma : float
        By which a star may differ from the median ratio, in sigma of its own; 5 % always.
    """
    ratio, variance = np.zeros(len(places)), np.zeros(len(places))
    for (sci, var), sign in ((one, 1.0), (other, -1.0)):
        stars = cut(sci, places, _RATIO_HALF_PX).astype(np.float64)
        edge = np.ones(stars.shape[1:], np.bool_)
        edge[1:-1, 1:-1] = False
        sky = np.median(stars[:, edge], axis=1)
        flux = np.maximum((stars - sky[:, None, None]).sum(axis=(1, 2)), 1e-9)
        ratio += sign * np.log(flux)
        variance += cut(var, places, _RATIO_HALF_PX).sum(axis=(1, 2), dtype=np.float64) / flux**2
    sigma = np.sqrt(variance)
    best = np.argsort(sigma, kind="stable")[: max(len(places) // 2, _FEWEST_STEADY)]
    limit = np.maximum(clip_sigma * sigma, _STEADY)
    return np.asarray(np.abs(ratio - np.median(ratio[best])) <= limit)


def _offsets(stars: Array) -> Array:
    """Centres (n, 2), y and x, from the middle of each square, under a Gaussian window.

    Notes
    -----
    The windowed positions of SExtractor: the offset within the window, twice, again and again.
    """
    half = stars.shape[1] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    found = np.zeros((len(stars), 2))
    for _ in range(_CENTRE_ROUNDS):
        dy, dx = (axis - found[:, n, None, None] for n, axis in enumerate((y, x)))
        weighted = stars * np.exp(-0.5 * (dy**2 + dx**2) / _WINDOW_SIGMA_PX**2)
        total = np.maximum(weighted.sum(axis=(1, 2)), 1e-9)
        step = [2.0 * (weighted * each).sum(axis=(1, 2)) / total for each in (dy, dx)]
        found = np.clip(found + np.stack(step, axis=1), -1.0, 1.0)
    return found


def fwhm_px(star: Array) -> float:
    """Full width at half maximum of a centred star, as of the Gaussian that fits it best.

    Notes
    -----
    Second moments under a Gaussian weight that adapts to the star until both have the same
    width (Bernstein and Jarvis 2002, AJ 123, 583, section 3).
    """
    half = star.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    radius2 = x * x + y * y
    variance = 2.0
    for _ in range(_MAX_ROUNDS):
        weighted = star * np.exp(-0.5 * radius2 / variance)
        # A Gaussian under an equal weight has half of its variance, on each of two axes.
        measured = float((weighted * radius2).sum() / weighted.sum())
        before, variance = variance, min(max(measured, 0.1), float(half * half))
        if abs(variance - before) < 1e-6:
            break
    return SIGMA_TO_FWHM * float(np.sqrt(variance))
