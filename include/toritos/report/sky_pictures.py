"""Pictures of the sky in a report: stamps of candidates, and light curves."""

from __future__ import annotations

import io
from typing import Any

from include.toritos.report.drawing import (
    ABOVE_IN,
    COLOURS,
    HEIGHT_IN,
    Plot,
    new_axes,
    plain_time,
    png_of,
    time_axis,
)
from include.toritos.report.sky_facts import Curve

GAP_PX = 2
# Where the grey scale begins and ends, in percent of the pixels.
DARK, BRIGHT = 1.0, 98.0
LARGEST_PX = 101


def stamps_png(stamps: bytes) -> bytes | None:
    """Draw science, reference and difference side by side, each with a scale of its own.

    Parameters
    ----------
    stamps
        An (3, n, n) array as `numpy.save` writes it.

    Returns
    -------
    bytes or None
        A grey PNG, n pixels high; None where the array is none.
    """
    import numpy as np
    from PIL import Image

    try:
        planes: Any = np.load(io.BytesIO(stamps), allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return None
    if planes.ndim != 3 or max(planes.shape) > LARGEST_PX or planes.size == 0:
        return None
    shown = [_grey(plane) for plane in planes.astype("float64")]
    gap = np.full((planes.shape[1], GAP_PX), 255, np.uint8)
    strip = np.hstack([part for plane in shown for part in (plane, gap)][:-1])
    stream = io.BytesIO()
    Image.fromarray(strip).quantize(32).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _grey(plane: Any) -> Any:
    """Give a plane in 256 greys, north of the array up; what is no number is black."""
    import numpy as np

    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, [DARK, BRIGHT]) if finite.size else (0.0, 1.0)
    scaled = (np.nan_to_num(plane, nan=low) - low) / max(high - low, 1e-12)
    return (np.clip(scaled, 0.0, 1.0) * 255).astype(np.uint8)[::-1]


def curve_plots(curves: tuple[Curve, ...], dpi: int) -> list[Plot]:
    """Draw light curves, brighter up; none where there are none."""
    return [_curve_plot(curve, dpi) for curve in curves]


def _curve_plot(curve: Curve, dpi: int) -> Plot:
    figure, axes = new_axes(HEIGHT_IN, above_in=ABOVE_IN)
    axes.errorbar(
        [plain_time(point.at) for point in curve.points],
        [point.value for point in curve.points],
        [point.error for point in curve.points],
        fmt="o",
        markersize=3,
        elinewidth=0.8,
        color=COLOURS[0],
    )
    axes.set_ylabel(curve.unit or "flux over median")
    if curve.unit == "mag":
        axes.invert_yaxis()
    time_axis(axes, [point.at for point in curve.points])
    title = f"{curve.name} {curve.filter}".strip()
    words = f"{title}: {len(curve.points)} points, {curve.amplitude:.3g} {curve.unit}".rstrip()
    return Plot(title, f"{words} between the brightest and the faintest", png_of(figure, dpi))
