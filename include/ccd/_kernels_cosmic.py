"""Compiled L.A.Cosmic that looks closely only where a cosmic ray can be.

Every quantity of the method (noise, fine structure, medians) is computed for the candidates of
`include.ccd._kernels_cosmic_scan` alone, when it is asked for. The cheap tests come first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from include.ccd._kernels_cosmic_scan import EXCLUDED, SMALLEST_VARIANCE, Frame

SATURATED = np.uint16(4)
COSMIC = np.uint16(8)
REPLACED = np.uint16(8 | 64)  # COSMIC and INTERPOLATED
_FINE_FLOOR = 0.01
_STAR_FRACTION = 0.1
# A decision depends on pixels up to 4 px away, and the growth that follows on decisions near it.
_REACH = 5
_FEWEST_NEIGHBOURS = 3
_ROOM = 64

Array = npt.NDArray[Any]


class Thresholds(NamedTuple):
    """What `include.ccd.cosmic_rays.CosmicRays` says, as the kernel takes it."""

    clip: float
    contrast: float
    faint: float
    track_rounds: int
    star_margin: int
    max_iters: int


@njit(nogil=True, cache=True)
def _select(values: Array, count: int, rank: int) -> float:
    """The value of a rank (from 0) among the first `count`; smaller ones end up before it."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return float(values[rank])


@njit(nogil=True, cache=True)
def _median(values: Array, count: int) -> float:
    """Median of the first `count` values, which are reordered; 0 without any."""
    if count == 0:
        return 0.0
    upper = _select(values, count, count // 2)
    if count % 2:
        return upper
    lower = values[0]
    for i in range(1, count // 2):
        lower = max(lower, values[i])
    return 0.5 * (float(lower) + upper)


@njit(nogil=True, cache=True)
def _median_around(
    plane: Array, mask: Array, at: tuple[int, int], radius: int, room: Array
) -> float:
    """Median of the pixels of a plane within a square window that are not excluded."""
    y, x = at
    count = 0
    for j in range(max(0, y - radius), min(plane.shape[0], y + radius + 1)):
        for i in range(max(0, x - radius), min(plane.shape[1], x + radius + 1)):
            if not (mask[j, i] & EXCLUDED):
                room[count] = plane[j, i]
                count += 1
    return _median(room, count)


@njit(nogil=True, cache=True)
def _noise(frame: Frame, y: int, x: int, room: Array) -> float:
    """Noise that the pixel would have without a cosmic ray: from the median variance around."""
    variance = _median_around(frame.variance, frame.mask, (y, x), 2, room)
    return float(np.sqrt(max(variance, float(SMALLEST_VARIANCE))))


@njit(nogil=True, cache=True)
def _least_noise(frame: Frame, y: int, x: int) -> float:
    """A number that `_noise` cannot fall below."""
    least = np.inf
    for j in range(max(0, y - 2), min(frame.value.shape[0], y + 3)):
        for i in range(max(0, x - 2), min(frame.value.shape[1], x + 3)):
            if not (frame.mask[j, i] & EXCLUDED):
                least = min(least, float(frame.variance[j, i]))
    return float(np.sqrt(max(least, float(SMALLEST_VARIANCE))))


@njit(nogil=True, cache=True)
def _neighbour(frame: Frame, y: int, x: int, own: float) -> float:
    ny, nx = frame.value.shape
    if y < 0 or x < 0 or y >= ny or x >= nx or frame.mask[y, x] & EXCLUDED:
        return own
    return float(frame.value[y, x])


@njit(nogil=True, cache=True)
def _laplacian(frame: Frame, y: int, x: int) -> float:
    """L+ of one pixel, as `_laplacian_row`."""
    v = float(frame.value[y, x])
    left, right = _neighbour(frame, y, x - 1, v), _neighbour(frame, y, x + 1, v)
    up, down = _neighbour(frame, y - 1, x, v), _neighbour(frame, y + 1, x, v)
    total = max(2 * v - left - up, 0.0) + max(2 * v - right - up, 0.0)
    total += max(2 * v - left - down, 0.0) + max(2 * v - right - down, 0.0)
    return 0.25 * total


@njit(nogil=True, cache=True)
def _significance(frame: Frame, y: int, x: int, room: Array) -> float:
    """S = L+ / (2 noise), van Dokkum's equation 11 (subsampling factor 2)."""
    strength = _laplacian(frame, y, x)
    return strength / (2.0 * _noise(frame, y, x, room)) if strength > 0.0 else 0.0


@njit(nogil=True, cache=True)
def _excess(frame: Frame, y: int, x: int, above: float, rooms: Array) -> float:
    """S′ = S minus the median of S around (equation 13); 0 where that cannot exceed `above`."""
    if frame.mask[y, x] & EXCLUDED:
        return 0.0
    own = _significance(frame, y, x, rooms[0])
    # S is never negative, nor is its median.
    if own <= above:
        return 0.0
    count = 0
    for j in range(max(0, y - 2), min(frame.value.shape[0], y + 3)):
        for i in range(max(0, x - 2), min(frame.value.shape[1], x + 3)):
            if not (frame.mask[j, i] & EXCLUDED):
                rooms[1, count] = _significance(frame, j, i, rooms[0])
                count += 1
    return own - _median(rooms[1], count)


@njit(nogil=True, cache=True)
def _fine_structure(frame: Frame, y: int, x: int, rooms: Array) -> float:
    """F = (M3 − M7(M3)) / noise (equation 14), at least 0.01."""
    count = 0
    for j in range(max(0, y - 3), min(frame.value.shape[0], y + 4)):
        for i in range(max(0, x - 3), min(frame.value.shape[1], x + 4)):
            if not (frame.mask[j, i] & EXCLUDED):
                rooms[1, count] = _median_around(frame.value, frame.mask, (j, i), 1, rooms[0])
                count += 1
    own = _median_around(frame.value, frame.mask, (y, x), 1, rooms[0])
    fine = (own - _median(rooms[1], count)) / _noise(frame, y, x, rooms[0])
    return max(fine, _FINE_FLOOR)


@njit(nogil=True, cache=True)
def _in_star_core(frame: Frame, y: int, x: int, room: Array) -> bool:
    """Whether a saturated pixel has bright neighbours, as a star has and a cosmic ray has not."""
    count = 0
    for j in range(max(0, y - 2), min(frame.value.shape[0], y + 3)):
        for i in range(max(0, x - 2), min(frame.value.shape[1], x + 3)):
            room[count] = frame.value[j, i]
            count += 1
    return bool(_median(room, count) > _STAR_FRACTION * frame.value[y, x])


@njit(nogil=True, cache=True)
def _near_saturated_star(frame: Frame, y: int, x: int, margin: int, room: Array) -> bool:
    for j in range(max(0, y - margin), min(frame.value.shape[0], y + margin + 1)):
        for i in range(max(0, x - margin), min(frame.value.shape[1], x + margin + 1)):
            if frame.mask[j, i] & SATURATED and _in_star_core(frame, j, i, room):
                return True
    return False


@njit(nogil=True, cache=True)
def _is_cosmic(frame: Frame, y: int, x: int, limits: Thresholds, rooms: Array) -> bool:
    """Whether a pixel passes every test; the cheap ones, and those that stars fail, come first."""
    if frame.mask[y, x] & EXCLUDED:
        return False
    if _laplacian(frame, y, x) <= 2.0 * limits.clip * _least_noise(frame, y, x):
        return False
    significance = _significance(frame, y, x, rooms[0])
    if significance <= limits.clip:
        return False
    fine = _fine_structure(frame, y, x, rooms)
    if significance <= limits.contrast * fine:
        return False
    excess = _excess(frame, y, x, limits.clip, rooms)
    if excess <= limits.clip or excess <= limits.contrast * fine:
        return False
    return not _near_saturated_star(frame, y, x, limits.star_margin, rooms[0])


@njit(nogil=True, cache=True)
def _around(pixels: Array, radius: int, shape: tuple[int, int]) -> Array:
    """Flat indices, each once, of the pixels within a square window around any of `pixels`."""
    ny, nx = shape
    found = np.empty(max(pixels.size, 1) * (2 * radius + 1) ** 2, np.int64)
    count = 0
    for pixel in pixels:
        y, x = pixel // nx, pixel % nx
        for j in range(max(0, y - radius), min(ny, y + radius + 1)):
            for i in range(max(0, x - radius), min(nx, x + radius + 1)):
                found[count] = j * nx + i
                count += 1
    return np.unique(found[:count])


@njit(nogil=True, cache=True)
def _grow(frame: Frame, pixels: Array, limits: Thresholds, rooms: Array) -> Array:
    """The pixels and those of their neighbours whose S′ is as large as theirs must be."""
    ny, nx = frame.value.shape
    near = _around(pixels, 1, (ny, nx))
    count = 0
    for pixel in near:
        y, x = pixel // nx, pixel % nx
        if _excess(frame, y, x, limits.clip, rooms) > limits.clip and not _near_saturated_star(
            frame, y, x, limits.star_margin, rooms[0]
        ):
            near[count] = pixel
            count += 1
    return near[:count]


@njit(nogil=True, cache=True)
def _judge(frame: Frame, candidates: Array, limits: Thresholds, rooms: Array) -> Array:
    """The cosmic rays among the candidates, and the rest of their tracks."""
    nx = frame.value.shape[1]
    kept = np.empty(candidates.size, np.int64)
    count = 0
    for pixel in candidates:
        if _is_cosmic(frame, pixel // nx, pixel % nx, limits, rooms):
            kept[count] = pixel
            count += 1
    bright = kept[:count]
    for _ in range(limits.track_rounds):
        before = bright.size
        bright = _grow(frame, bright, limits, rooms)
        if bright.size == before:
            break
    return bright


@njit(nogil=True, cache=True)
def _replace(frame: Frame, y: int, x: int) -> bool:
    """Value and variance of a pixel become the means of its unmasked neighbours'.

    Returns whether the value is another one than before. The window has 5 px, and more where
    that does not hold three such neighbours; a frame without any keeps its values.
    """
    ny, nx = frame.value.shape
    for radius in range(2, max(ny, nx)):
        count = 0
        value = variance = 0.0
        for j in range(max(0, y - radius), min(ny, y + radius + 1)):
            for i in range(max(0, x - radius), min(nx, x + radius + 1)):
                if frame.mask[j, i] == 0:
                    value += frame.value[j, i]
                    variance += frame.variance[j, i]
                    count += 1
        if count >= _FEWEST_NEIGHBOURS:
            before = frame.value[y, x]
            frame.value[y, x] = value / count
            frame.variance[y, x] = variance / count
            frame.mask[y, x] |= REPLACED
            return bool(frame.value[y, x] != before)
    return False


@njit(nogil=True, cache=True)
def _flag(frame: Frame, pixels: Array) -> Array:
    """Set COSMIC; the pixels that had it not."""
    nx = frame.value.shape[1]
    count = 0
    for pixel in pixels:
        if not (frame.mask[pixel // nx, pixel % nx] & COSMIC):
            frame.mask[pixel // nx, pixel % nx] |= COSMIC
            pixels[count] = pixel
            count += 1
    return pixels[:count]


@njit(nogil=True, cache=True)
def _is_faint_part(frame: Frame, y: int, x: int, limits: Thresholds, rooms: Array) -> bool:
    """Whether a pixel beside a replaced track stands out, and sharper than a star would."""
    if frame.mask[y, x] & (EXCLUDED | COSMIC):
        return False
    median = _median_around(frame.value, frame.mask, (y, x), 2, rooms[0])
    above = (float(frame.value[y, x]) - median) / _noise(frame, y, x, rooms[0])
    if above <= limits.faint or above <= limits.contrast * _fine_structure(frame, y, x, rooms):
        return False
    return not _near_saturated_star(frame, y, x, limits.star_margin, rooms[0])


@njit(nogil=True, cache=True)
def _faint_parts(frame: Frame, pixels: Array, limits: Thresholds, rooms: Array) -> Array:
    """Pixels that touch replaced ones and belong to the same tracks."""
    ny, nx = frame.value.shape
    near = _around(pixels, 1, (ny, nx))
    count = 0
    for pixel in near:
        if _is_faint_part(frame, pixel // nx, pixel % nx, limits, rooms):
            near[count] = pixel
            count += 1
    return near[:count]


@njit(nogil=True, cache=True)
def _values(frame: Frame, pixels: Array) -> Array:
    nx = frame.value.shape[1]
    values = np.empty(pixels.size, np.float32)
    for n in range(pixels.size):
        values[n] = frame.value[pixels[n] // nx, pixels[n] % nx]
    return values


@njit(nogil=True, cache=True)
def _replace_all(frame: Frame, pixels: Array) -> Array:
    """Replace them in their order; those whose value has changed."""
    nx = frame.value.shape[1]
    changed = np.empty(pixels.size, np.int64)
    count = 0
    for pixel in pixels:
        if _replace(frame, pixel // nx, pixel % nx):
            changed[count] = pixel
            count += 1
    return changed[:count]


@njit(nogil=True, cache=True)
def remove(frame: Frame, candidates: Array, limits: Thresholds) -> tuple[Array, Array]:
    """Flag and replace cosmic rays, again near those replaced until none is found.

    Parameters
    ----------
    frame : Frame
        Changed in place.
    candidates : int64 (n,)
        From `find_candidates`.
    limits : Thresholds

    Returns
    -------
    pixels : int64 (m,)
        Flat indices of the pixels flagged, in the order in which they were found.
    originals : float32 (m,)
        Their values before.
    """
    rooms = np.empty((2, _ROOM), np.float32)
    pixels = np.empty(0, np.int64)
    originals = np.empty(0, np.float32)
    for _ in range(limits.max_iters):
        new = _flag(frame, _judge(frame, candidates, limits, rooms))
        if new.size == 0:
            break
        originals = np.concatenate((originals, _values(frame, new)))
        pixels = np.concatenate((pixels, new))
        changed = _replace_all(frame, pixels)
        candidates = _around(changed, _REACH + limits.track_rounds, frame.value.shape)
    new = _flag(frame, _faint_parts(frame, pixels, limits, rooms))
    if new.size:
        originals = np.concatenate((originals, _values(frame, new)))
        pixels = np.concatenate((pixels, new))
        _replace_all(frame, pixels)
    return pixels, originals
