"""How plots of a report look: small PNG pictures, few colours, told apart by shape as well."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind tell apart, too: https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
WIDTH_IN, HEIGHT_IN = 5.8, 2.2
ABOVE_IN, BELOW_IN = 0.28, 0.52
SHADES = 32
SHORTEST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture and what a reader who does not see it is told.

    Attributes
    ----------
    png
        Bytes of the file.
    """

    title: str
    description: str
    png: bytes


def new_axes(height_in: float, *, above_in: float) -> tuple[Figure, Axes]:
    """Give a figure of that height, `above_in` of it left for a legend, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in))
    # In inches, so that all plots begin at one place.
    inner = 1 - (BELOW_IN + above_in) / height_in
    axes = figure.add_axes((0.13, BELOW_IN / height_in, 0.85, inner))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=10)
    # Numbers of many digits would push the label out of the picture.
    axes.locator_params(axis="y", nbins=5, steps=[1, 2, 5, 10])
    return figure, axes


def time_axis(axes: Axes, times: Sequence[datetime]) -> None:
    """Let the axis show these times, in UTC."""
    from matplotlib import dates

    known: Any = dates  # its functions have no types
    first, last = plain_time(min(times)), plain_time(max(times))
    margin: Any = max((last - first) * 0.03, SHORTEST)
    axes.set_xlim(first - margin, last + margin)
    locator = known.AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(known.ConciseDateFormatter(locator))
    axes.set_xlabel("UTC", fontsize=10)


def add_legend(axes: Axes) -> None:
    """Put a legend above the axes; what stands in it is text, never a formula."""
    legend = axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 0.97),
        ncols=len(COLOURS),
        frameon=False,
        fontsize=10,
        handletextpad=0.1,
        columnspacing=1.0,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def plain_time(moment: datetime) -> Any:
    """Matplotlib's types know no times."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def png_of(figure: Figure, dpi: int) -> bytes:
    """Give a picture in few colours: a quarter of the bytes of the full ones."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    size = canvas.get_width_height()
    picture = Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    stream = io.BytesIO()
    few = picture.convert("RGB").quantize(SHADES, dither=Image.Dither.NONE)
    few.save(stream, "PNG", optimize=True)
    return stream.getvalue()
