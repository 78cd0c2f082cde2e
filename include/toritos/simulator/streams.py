"""Random numbers whose value depends on what they are for, never on what was drawn before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

_STRIPE_PIXELS = 1 << 17


def stream(seed: int, *purpose: str) -> np.random.Generator:
    """Return the generator that belongs to one purpose under one seed.

    Parameters
    ----------
    seed : int
        Seed of the simulated world; not negative.
    *purpose : str
        What the numbers are for, for instance ``"noise", "2026-11-20", "bias-001.fit"``.

    Returns
    -------
    numpy.random.Generator
        PCG64 on a child of ``SeedSequence(seed)`` whose spawn key is the hash of the purpose.
    """
    digest = hashlib.sha256("\0".join(purpose).encode()).digest()
    words = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    # PCG64 by name: the bit generator behind default_rng may change between numpy releases.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=words)))


def stripes(size_px: int) -> Iterator[slice]:
    """Yield row slices that cover a square frame in pieces small enough for the CPU cache.

    Parameters
    ----------
    size_px : int
        Side of the frame in pixels.

    Yields
    ------
    slice
        Rows ``y0:y1``; a function of the size alone, so that draws made stripe by stripe repeat.
    """
    rows = max(1, _STRIPE_PIXELS // size_px)
    for y0 in range(0, size_px, rows):
        yield slice(y0, min(y0 + rows, size_px))
