"""Bright stars spread over an image: where they are, and how wide they appear."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_difference as kernels
from include.ccd.robust import median

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
    shape = (max(1, sci.shape[0] // cell_px), max(1, sci.shape[1] // cell_px))
    noise = np.sqrt(np.maximum(_cell_medians(var, shape, cell_px), 0.0))
    floors = (_cell_medians(sci, shape, cell_px) + snr * noise).astype(np.float32)
    distances = (margin_px, _CORE_PX)
    found: npt.NDArray[np.int64] = kernels.brightest_peaks(sci, mask, cell_px, distances, floors)
    return found[found[:, 0] >= 0]


def _cell_medians(plane: Array, shape: tuple[int, int], cell_px: int) -> Array:
    """Medians (rows, columns) of some pixels of each cell and of the next ones."""
    rows, columns = (
        np.minimum(np.arange(count) * cell_px, max(0, side - 2 * cell_px))[:, None]
        + np.arange(0, min(2 * cell_px, side), _THIN)
        for count, side in zip(shape, plane.shape, strict=True)
    )
    cells = plane[rows[:, None, :, None], columns[None, :, None, :]]
    return median(cells.reshape(*shape, -1))


def cut(plane: Array, places: Array, half_px: int) -> Array:
    """Squares of ± `half_px` pixels around pixels (n, side, side)."""
    views = np.lib.stride_tricks.sliding_window_view(plane, (2 * half_px + 1,) * 2)
    return np.asarray(views[places[:, 0] - half_px, places[:, 1] - half_px])


def typical_star(sci: Array, places: Array, *, half_px: int) -> npt.NDArray[np.float64]:
    """Median of stars of sum 1, (side, side), centred, of the brightest 60 at the most.

    The background is the median of the border of each square.
    """
    stars = cut(sci, places, half_px).astype(np.float64)
    edge = np.ones(stars.shape[1:], np.bool_)
    edge[1:-1, 1:-1] = False
    stars -= median(stars[:, edge])[:, None, None]
    core = slice(half_px - _CORE_PX, half_px + _CORE_PX + 1)
    sums = stars[:, core, core].sum(axis=(1, 2))
    best = np.argsort(-sums)[:_MOST_STARS]
    best = best[sums[best] > 0]
    stars = stars[best] / sums[best, None, None]
    offsets = _offsets(stars)
    along_y, along_x = (spline_shifts(offsets[:, n], stars.shape[1]) for n in (0, 1))
    centred = along_y @ stars @ along_x.swapaxes(1, 2)
    typical = median(np.moveaxis(centred, 0, -1))
    return np.asarray(typical / typical.sum())


def spline_shifts(offsets: Array, side: int) -> Array:
    """Matrices (n, side, side) that give a line's values at places further on by each offset.

    Notes
    -----
    Of the natural cubic spline through it (de Boor 1978, A Practical Guide to Splines);
    beyond its ends the line goes on with its last values.
    """
    at = np.arange(side)
    places = np.clip(at + offsets[:, None], 0.0, side - 1.0)
    nodes = np.arange(-1, side + 1)
    splines = _cubic(places[:, :, None] - nodes)
    # The coefficients at the nodes: the spline goes through all values, its ends are straight.
    through = np.vstack([_cubic(at[:, None] - nodes), np.zeros((2, side + 2))])
    through[-2, :3] = through[-1, -3:] = 1.0, -2.0, 1.0
    return np.asarray(splines @ np.linalg.inv(through)[:, :side])


def _cubic(distance: Array) -> Array:
    """The cubic B-spline."""
    t = np.abs(distance)
    return np.where(t < 1.0, 2.0 / 3.0 - t**2 + 0.5 * t**3, np.maximum(2.0 - t, 0.0) ** 3 / 6.0)


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
        sky = median(stars[:, edge])
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
    at = np.arange(-half, half + 1, dtype=np.float64)
    found = np.zeros((len(stars), 2))
    for _ in range(_CENTRE_ROUNDS):
        dy, dx = (at - found[:, n, None] for n in (0, 1))
        along_y, along_x = (np.exp(-0.5 * off**2 / _WINDOW_SIGMA_PX**2) for off in (dy, dx))
        columns = np.einsum("nyx,ny->nx", stars, along_y)
        total = np.maximum((columns * along_x).sum(axis=1), 1e-9)
        down = (np.einsum("nyx,ny->nx", stars, along_y * dy) * along_x).sum(axis=1)
        across = (columns * along_x * dx).sum(axis=1)
        step = 2.0 * np.stack([down, across], axis=1) / total[:, None]
        found = np.clip(found + step, -1.0, 1.0)
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
