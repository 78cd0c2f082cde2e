"""Commands of this pipeline: the report of a night, a light curve."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from include.corral.corral import Corral
from include.corral.pipeline import Pipeline

Say = Callable[[str], None]


def add_report(commands: Any) -> None:
    """Add the command to the parser of commands."""
    parser = commands.add_parser("report", help="how a night, or a range of nights, went")
    parser.add_argument("--night", type=_night, required=True, help="YYYY-MM-DD, of the evening")
    parser.add_argument("--until", type=_night, help="last night of a range")
    parser.add_argument(
        "--html",
        nargs="?",
        const="",
        metavar="FILE",
        help="write the page with plots, by default to the folder of reports",
    )
    parser.add_argument("--text", action="store_true", help="print it as text (without --html)")
    parser.set_defaults(command=_report)


def add_light_curve(commands: Any) -> None:
    """Add the command to the parser of commands."""
    parser = commands.add_parser("light-curve", help="the light curve of an object in a night")
    parser.add_argument("name", help="of the target or candidate")
    parser.add_argument("--night", type=_night, required=True, help="YYYY-MM-DD, of the evening")
    parser.add_argument("--filter", help="where it was observed in several")
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw it")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write it as a table")
    parser.set_defaults(command=_light_curve)


def _night(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a night: YYYY-MM-DD") from None


def _report(arguments: argparse.Namespace, _pipeline: Pipeline, corral: Corral, say: Say) -> int:
    from include.corral.errors import ConfigurationError
    from include.corral.whole_file import write_whole
    from include.toritos.report.gather import gather
    from include.toritos.report.page import report_html
    from include.toritos.report.text import report_text

    first, last = arguments.night, arguments.until or arguments.night
    if last < first:
        raise ConfigurationError(f"--until {last} is before --night {first}")
    with corral.read() as session:
        facts = gather(session, corral.settings, first, last)
    if arguments.text or arguments.html is None:
        say(report_text(facts).rstrip())
    if arguments.html is not None:
        default = corral.settings.reports / facts.page_name
        path = Path(arguments.html) if arguments.html else default
        try:
            write_whole(path.absolute(), report_html(facts).encode())
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error}") from error
        say(f"{path}: {path.stat().st_size} bytes")
    return 0


def _light_curve(
    arguments: argparse.Namespace, _pipeline: Pipeline, corral: Corral, say: Say
) -> int:
    from include.corral.errors import ConfigurationError
    from include.toritos.light_curve_figure import curve_png
    from include.toritos.light_curves import describe, fit_of, gather_curve, write_csv

    with corral.read() as session:
        curve = gather_curve(session, arguments.name, arguments.night, filter=arguments.filter)
        fit = fit_of(curve, corral.settings)
        words = "" if fit is None else describe(fit)
        say(curve.title)
        if words:
            say(words)
        try:
            if arguments.png is not None:
                arguments.png.write_bytes(curve_png(curve, fit, words))
            if arguments.csv is not None:
                write_csv(curve, arguments.csv)
        except OSError as error:
            raise ConfigurationError(f"{error.filename} cannot be written: {error}") from error
    return 0
