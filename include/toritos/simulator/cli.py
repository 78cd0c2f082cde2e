"""A night of frames from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from include.toritos.simulator.catalog import write_truth_catalog
from include.toritos.simulator.night import simulate_night
from include.toritos.simulator.plan import NightPlan

_DEFAULT_NIGHT = date(2026, 11, 20)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a night as the options say; return 0, or 2 when the options make no night.

    Parameters
    ----------
    arguments : sequence of str, optional
        Options; by default those of the process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        plan = _plan(options)
    except ValueError as error:
        parser.error(str(error))
    truth = simulate_night(plan, options.out, on_progress=_say)
    if options.truth is not None:
        truth.write_json(options.truth)
        _say(f"truth in {options.truth}")
    if options.catalog is not None:
        write_truth_catalog(truth, options.catalog)
        _say(f"catalogue in {options.catalog}")
    _say(f"night {plan.night}: {len(truth.exposures)} frames of {plan.size_px} px in {options.out}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _plan(options: argparse.Namespace) -> NightPlan:
    dark_exptimes_s = options.dark_exptimes or [options.exptime, options.exptime / 3.0]
    return NightPlan(
        night=options.night,
        size_px=options.size,
        biases=options.biases,
        darks=dict.fromkeys(dark_exptimes_s, options.darks),
        flats=dict.fromkeys(options.filters, options.flats),
        science=dict.fromkeys(options.filters, options.science),
        exptime_s=options.exptime,
        cadence_s=options.cadence,
        seed=options.seed,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.toritos.simulator",
        description="Write a simulated TORITOS night of raw FITS frames.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder of the frames, one per night")
    add("--night", type=date.fromisoformat, default=_DEFAULT_NIGHT, help="local date, YYYY-MM-DD")
    add("--size", type=int, default=512, help="side of a frame in pixels")
    add("--biases", type=int, default=10, help="bias frames")
    add("--darks", type=int, default=5, help="dark frames of each exposure time")
    add(
        "--dark-exptimes", type=float, nargs="+", metavar="S", help="by default EXPTIME and a third"
    )
    add("--flats", type=int, default=5, help="flat frames of each filter")
    add("--science", type=int, default=20, help="science frames of each filter")
    add("--filters", nargs="+", default=["V", "R"], metavar="F", help="filters")
    add("--exptime", type=float, default=60.0, help="exposure time of science frames in seconds")
    add("--cadence", type=float, default=480.0, help="seconds between starts of science frames")
    add("--seed", type=int, default=1, help="seed of detector, stars and noise")
    add("--truth", type=Path, help="write what is true to this JSON file; keep it out of the inbox")
    add("--catalog", type=Path, help="write the stars of the field to this .ecsv, .csv or .fits")
    return parser
