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
from include.ccd._kernels_median import median

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
    return median(room, count)


@njit(nogil=True, cache=True)
def _noise(frame: Frame, y: int, x: int, room: Array) -> float:
    """Noise that the pixel would have without a cosmic ray: from the median variance around."""
    variance = _median_around(frame.variance, frame.mask, (y, x), 2, room)
    return float(np.sqrt(max(variance, float(SMALLEST_VARIANCE))))


@njit(nogil=True, cache=True)
def _least_noise(frame: Frame, y: int, x: int, radius: int) -> float:
    """A number that `_noise` cannot fall below at any pixel `radius` − 2 away or nearer."""
    least = np.inf
    for j in range(max(0, y - radius), min(frame.value.shape[0], y + radius + 1)):
        for i in range(max(0, x - radius), min(frame.value.shape[1], x + radius + 1)):
            if not (frame.mask[j, i] & EXCLUDED):
                least = min(least, float(frame.variance[j, i]))
    return float(np.sqrt(max(least, float(SMALLEST_VARIANCE))))


@njit(nogil=True, cache=True)
def _laplacian(frame: Frame, y: int, x: int) -> float:
    """L+ of one pixel, as `_laplacian_row`."""
    value, mask = frame.value, frame.mask
    ny, nx = value.shape
    v = float(value[y, x])
    left = right = up = down = v
    if x > 0 and not (mask[y, x - 1] & EXCLUDED):
        left = float(value[y, x - 1])
    if x + 1 < nx and not (mask[y, x + 1] & EXCLUDED):
        right = float(value[y, x + 1])
    if y > 0 and not (mask[y - 1, x] & EXCLUDED):
        up = float(value[y - 1, x])
    if y + 1 < ny and not (mask[y + 1, x] & EXCLUDED):
        down = float(value[y + 1, x])
    total = max(2 * v - left - up, 0.0) + max(2 * v - right - up, 0.0)
    total += max(2 * v - left - down, 0.0) + max(2 * v - right - down, 0.0)
    return 0.25 * total


@njit(nogil=True, cache=True)
def _significance(frame: Frame, y: int, x: int, room: Array) -> float:
    """S = L+ / (2 noise), van Dokkum's equation 11 (subsampling factor 2)."""
    strength = _laplacian(frame, y, x)
    return strength / (2.0 * _noise(frame, y, x, room)) if strength > 0.0 else 0.0


@njit(nogil=True, cache=True)
def _stands_out(frame: Frame, y: int, x: int, above: float, rooms: Array) -> bool:
    """Whether S′ = S minus the median of S around (equation 13) exceeds a positive number."""
    if frame.mask[y, x] & EXCLUDED:
        return False
    if _laplacian(frame, y, x) <= 2.0 * above * _least_noise(frame, y, x, 2):
        return False
    own = _significance(frame, y, x, rooms[0])
    # S is never negative, nor is its median.
    if own <= above:
        return False
    return _mostly_below(frame, y, x, own - above) or own - above > _median_of_s(frame, y, x, rooms)


@njit(nogil=True, cache=True)
def _mostly_below(frame: Frame, y: int, x: int, limit: float) -> bool:
    """Whether more than half of S around is below a limit for certain: no median is needed."""
    strength = 2.0 * limit * _least_noise(frame, y, x, 4)
    count = below = 0
    for j in range(max(0, y - 2), min(frame.value.shape[0], y + 3)):
        for i in range(max(0, x - 2), min(frame.value.shape[1], x + 3)):
            if not (frame.mask[j, i] & EXCLUDED):
                count += 1
                below += _laplacian(frame, j, i) < strength
    return 2 * below > count


@njit(nogil=True, cache=True)
def _median_of_s(frame: Frame, y: int, x: int, rooms: Array) -> float:
    count = 0
    for j in range(max(0, y - 2), min(frame.value.shape[0], y + 3)):
        for i in range(max(0, x - 2), min(frame.value.shape[1], x + 3)):
            if not (frame.mask[j, i] & EXCLUDED):
                rooms[1, count] = _significance(frame, j, i, rooms[0])
                count += 1
    return median(rooms[1], count)


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
    fine = (own - median(rooms[1], count)) / _noise(frame, y, x, rooms[0])
    return max(fine, _FINE_FLOOR)


@njit(nogil=True, cache=True)
def _in_star_core(frame: Frame, y: int, x: int, room: Array) -> bool:
    """Whether a saturated pixel has bright neighbours, as a star has and a cosmic ray has not."""
    count = 0
    for j in range(max(0, y - 2), min(frame.value.shape[0], y + 3)):
        for i in range(max(0, x - 2), min(frame.value.shape[1], x + 3)):
            room[count] = frame.value[j, i]
            count += 1
    return bool(median(room, count) > _STAR_FRACTION * frame.value[y, x])


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
    if _laplacian(frame, y, x) <= 2.0 * limits.clip * _least_noise(frame, y, x, 2):
        return False
    significance = _significance(frame, y, x, rooms[0])
    if significance <= limits.clip:
        return False
    sharp = limits.contrast * _fine_structure(frame, y, x, rooms)
    if significance <= sharp:
        return False
    return _stands_out(frame, y, x, max(limits.clip, sharp), rooms) and not _near_saturated_star(
        frame, y, x, limits.star_margin, rooms[0]
    )


@njit(nogil=True, cache=True)
def _around(pixels: Array, radius: int, shape: tuple[int, int]) -> Array:
    """Flat indices, rising, each once, of the pixels of square windows around `pixels`."""
    ny, nx = shape
    centres = np.empty(pixels.size * (2 * radius + 1), np.int64)
    count = 0
    for pixel in pixels:
        for j in range(max(0, pixel // nx - radius), min(ny, pixel // nx + radius + 1)):
            centres[count] = j * nx + pixel % nx
            count += 1
    # Of each row, parts that overlap follow one another.
    found = np.empty(count * (2 * radius + 1), np.int64)
    size = reached = 0
    for centre in np.sort(centres[:count]):
        first = centre - min(radius, centre % nx)
        last = centre + min(radius, nx - 1 - centre % nx)
        for pixel in range(max(first, reached), last + 1):
            found[size] = pixel
            size += 1
        reached = max(reached, last + 1)
    return found[:size]


@njit(nogil=True, cache=True)
def _grow(frame: Frame, pixels: Array, limits: Thresholds, rooms: Array) -> Array:
    """The pixels and those of their neighbours whose S′ is as large as theirs must be."""
    ny, nx = frame.value.shape
    near = _around(pixels, 1, (ny, nx))
    count = 0
    for pixel in near:
        y, x = pixel // nx, pixel % nx
        if _stands_out(frame, y, x, limits.clip, rooms) and not _near_saturated_star(
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
    middle = _median_around(frame.value, frame.mask, (y, x), 2, rooms[0])
    above = (float(frame.value[y, x]) - middle) / _noise(frame, y, x, rooms[0])
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
