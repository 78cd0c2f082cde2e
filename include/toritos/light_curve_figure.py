"""A light curve as a picture: points with errors, the fit, and what is left of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from include.ccd.transit import TransitFit
    from include.toritos.light_curves import Curve

SIZE_IN = (8.0, 5.2)
DPI = 110
BIN_MINUTES = 15.0
POINT, MEAN, LINE = "#8fb3d9", "#12375e", "#c8401f"


def curve_png(curve: Curve, fit: TransitFit | None, words: str) -> bytes:
    """Give the picture of a curve, with `words` below its title."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    time, flux, error = np.array([row[:3] for row in curve.rows()], np.float64).T
    hours = (time - np.floor(time[0])) * 24.0
    figure = Figure(figsize=SIZE_IN, dpi=DPI, layout="constrained")
    heights = {"height_ratios": [3, 1]} if fit else None
    axes = figure.subplots(2 if fit else 1, 1, sharex=True, squeeze=False, gridspec_kw=heights)
    upper, lower = axes[0, 0], axes[-1, 0]
    _draw(upper, hours, flux, error)
    if fit:
        upper.plot(hours, fit.model * np.median(flux / fit.model), color=LINE, linewidth=1.8)
        expected = (fit.predicted_bjd_tdb - np.floor(time[0])) * 24.0
        upper.axvline(expected, color="#777777", linestyle="--", linewidth=1)
        _draw(lower, hours, flux / fit.model / np.median(flux / fit.model) - 1.0, error)
        lower.axhline(0.0, color=LINE, linewidth=1)
        lower.set_ylabel("residual")
    upper.set_ylabel("relative flux" if curve.relative else "flux (e)")
    lower.set_xlabel(f"hours from BJD {int(time[0])} TDB")
    figure.suptitle(f"{curve.title}\n{words}" if words else curve.title, fontsize=9)
    stream = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(stream)
    return stream.getvalue()


def _draw(axes: Axes, hours: Any, values: Any, error: Any) -> None:
    """Points with errors, and means of a quarter of an hour."""
    import numpy as np

    axes.errorbar(hours, values, error, fmt=".", color=POINT, markersize=4, linewidth=0.7)
    which = np.floor(hours * 60.0 / BIN_MINUTES).astype(int)
    bins = np.unique(which)
    if len(hours) >= 3 * len(bins):
        means = [(hours[which == n].mean(), values[which == n].mean()) for n in bins]
        axes.plot(*np.array(means).T, "o", color=MEAN, markersize=4)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
