"""Hot pixels stay where they are while stars move."""

from __future__ import annotations

import numpy as np

from tools.bad_pixels import stands_out


def test_hot_and_dead_pixels_are_found_and_stars_that_drift_are_not() -> None:
    """Those more than three sigma off, of whole numbers, on twenty frames."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:60, :80]
    hot = {(10, 12): 60.0, (30, 70): 15.0, (50, 5): -40.0}
    frames = []
    for n in range(20):
        star = 500.0 * np.exp(-0.5 * ((y - 30) ** 2 + (x - 15 - 2.5 * n) ** 2) / 1.0)
        frame = rng.normal(100.0 + star, 3.0)
        for at, excess in hot.items():
            frame[at] += excess
        frames.append(np.rint(frame))
    found = stands_out(np.stack(frames).astype(np.float32), sigma=3.0)
    assert {tuple(at) for at in np.argwhere(found)} == set(hot)
