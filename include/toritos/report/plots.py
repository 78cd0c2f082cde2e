"""Plots of a night as small PNG pictures: few colours, told apart by shape as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.toritos.report.drawing import (
    ABOVE_IN,
    BELOW_IN,
    COLOURS,
    HEIGHT_IN,
    MARKERS,
    Plot,
    add_legend,
    new_axes,
    plain_time,
    png_of,
    time_axis,
)
from include.toritos.report.facts import Measured, NightFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OTHERS = "others"
KINDS = ("bias", "dark", "flat", "science", "unknown")
ROW_IN = 0.24


def plots(facts: NightFacts, dpi: int) -> list[Plot]:
    """Draw what there is to be drawn: exposures, seeing, sky, stars, zero point, against time.

    Parameters
    ----------
    facts
        Of a night or a range of nights; a series without a value has no plot.
    dpi
        Resolution; a plot is 5.8 inches wide.

    Returns
    -------
    list of Plot
    """
    made = [_exposures(facts, dpi)] if facts.starts else []
    there = (
        series
        for series in SERIES
        if any(series.value(image) is not None for image in facts.images)
    )
    return [*made, *(_series(facts, series, dpi) for series in there)]


@dataclass(frozen=True, slots=True)
class Series:
    """A number that every image has, and the metric by which checks call it."""

    title: str
    label: str
    metrics: frozenset[str]
    value: Callable[[Measured], float | None]


SERIES = (
    Series("Seeing", "FWHM [px]", frozenset({"fwhm_px"}), lambda image: image.fwhm_px),
    Series(
        "Sky background",
        "background [{unit}/px]",
        frozenset({"background_e", "background_adu"}),
        lambda image: image.background,
    ),
    Series(
        "Stars detected",
        "sources at 5 sigma",
        frozenset({"source_count"}),
        lambda image: image.source_count,
    ),
    Series("Zero point", "zero point [mag]", frozenset(), lambda image: image.zero_point_mag),
)


def _exposures(facts: NightFacts, dpi: int) -> Plot:
    kinds = [kind for kind in KINDS if any(start.kind == kind for start in facts.starts)]
    figure, axes = new_axes(BELOW_IN + ROW_IN * (len(kinds) + 0.5), above_in=0.02)
    for place, kind in enumerate(kinds):
        times = [plain_time(start.at) for start in facts.starts if start.kind == kind]
        colour = COLOURS[KINDS.index(kind)]
        axes.plot(times, [place] * len(times), "|", color=colour, markersize=11)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set_ylim(len(kinds) - 0.4, -0.6)
    time_axis(axes, [start.at for start in facts.starts])
    counts = ", ".join(f"{_number(facts, kind)} {kind}" for kind in kinds)
    return Plot("Exposures", f"Starts of exposures by kind: {counts}", png_of(figure, dpi))


def _number(facts: NightFacts, kind: str) -> int:
    return sum(1 for start in facts.starts if start.kind == kind)


def _series(facts: NightFacts, series: Series, dpi: int) -> Plot:
    figure, axes = new_axes(HEIGHT_IN, above_in=ABOVE_IN)
    for place, (band, images) in enumerate(_by_filter(facts.images, series).items()):
        colour, marker = COLOURS[place], MARKERS[place]
        for is_bad in (False, True):
            some = [image for image in images if (image.verdict == "bad") is is_bad]
            axes.plot(
                [plain_time(image.observed_at) for image in some],
                [_value(series, image) for image in some],
                marker,
                color=colour,
                markerfacecolor="none" if is_bad else colour,
                markersize=5 if is_bad else 4,
                label="" if is_bad else band,
            )
    _limits(axes, facts, series)
    axes.set_ylabel(series.label.format(unit=facts.images[0].background_unit))
    time_axis(axes, [image.observed_at for image in facts.images])
    add_legend(axes)
    number = sum(1 for image in facts.images if series.value(image) is not None)
    return Plot(
        series.title, f"{series.title} of {number} images against time", png_of(figure, dpi)
    )


def _by_filter(images: Sequence[Measured], series: Series) -> dict[str, list[Measured]]:
    """Images with a value, by filter as a font can write it; beyond the colours, all others."""
    bands = list(dict.fromkeys(_name(image.filter) for image in images))
    named = set(bands if len(bands) <= len(COLOURS) else bands[: len(COLOURS) - 1])
    found: dict[str, list[Measured]] = {}
    for image in images:
        if series.value(image) is not None:
            band = _name(image.filter)
            found.setdefault(band if band in named else OTHERS, []).append(image)
    return found


def _name(band: str) -> str:
    text = band.encode("ascii", "replace").decode()
    # Matplotlib leaves what begins with an underscore out of legends.
    return f" {text}" if text.startswith("_") else text or "no filter"


def _value(series: Series, image: Measured) -> float:
    value = series.value(image)
    assert value is not None
    return value


def _limits(axes: Axes, facts: NightFacts, series: Series) -> None:
    """Draw the limits of checks, where they are near enough not to flatten what was measured."""
    low, high = axes.get_ylim()
    reach = 0.5 * (high - low)
    for check in facts.checks:
        for limit in (check.low, check.high):
            is_near = limit is not None and low - reach <= limit <= high + reach
            if check.metric in series.metrics and is_near:
                assert limit is not None
                axes.axhline(limit, color="#888888", linewidth=1, linestyle="--")
