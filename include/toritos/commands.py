"""`corral report`: how a night, or a range of nights, went."""

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
