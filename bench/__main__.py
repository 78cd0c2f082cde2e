"""Measures this project beside its peers, and writes bench/RESULTS.md: ``python -m bench``.

Parts run one after the other, each in a process of its own. What each has found is kept in
``.bench/``; with ``--only`` the others keep what they found before.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from bench.machine import describe
from bench.parts import PARTS, measure
from bench.table import Report, Table, say

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "RESULTS.md"
KEPT = ROOT / ".bench" / "results"


def measure_apart(name: str, *, quick: bool) -> bool:
    """Measure a part in a process of its own and keep what it found; whether it came to an end."""
    say(f"== {name}")
    start = time.monotonic()
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            report = pool.submit(measure, name, quick=quick).result()
    except Exception:  # noqa: BLE001 - the other parts are still worth measuring
        say(traceback.format_exc())
        return False
    if quick:
        say(report.markdown())
    else:
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / f"{name}.json").write_text(json.dumps(asdict(report), indent=1))
    for judged in report.judged:
        say("  " + "; ".join(judged.cells()))
    say(f"  {name}: {time.monotonic() - start:.0f} s")
    return True


def write_results() -> None:
    """Put together what the parts have found."""
    found = {name: KEPT / f"{name}.json" for name in PARTS}
    reports = {
        name: Report.of(json.loads(path.read_text()))
        for name, path in found.items()
        if path.exists()
    }
    verdicts = Table("Judged", ("part", "figure", "bound", "measured", "verdict"))
    for name, report in reports.items():
        for judged in report.judged:
            verdicts.add(name, *judged.cells())
    missing = [name for name in PARTS if name not in reports]
    lines = ["# What was measured", "Written by `make bench`; how, says `python -m bench --help`."]
    lines += ["\n".join(f"- {line}" for line in describe())]
    lines += [
        "Seconds are medians of runs in which the contenders took turns; peak memory is what a "
        "process took beyond its interpreter, imports and input that was loaded before. On a "
        "machine that others use, too, processor seconds and ratios are the steadier figures."
    ]
    lines += [verdicts.markdown()]
    lines += [f"Not measured yet: {', '.join(missing)}."] if missing else []
    lines += [report.markdown() for report in reports.values()]
    RESULTS.write_text("\n\n".join(lines) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS), help="these parts alone"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small frames, to see that all runs; nothing is written",
    )
    options = parser.parse_args(arguments)
    failed = [name for name in options.only if not measure_apart(name, quick=options.quick)]
    if not options.quick:
        write_results()
        say(f"written: {RESULTS.relative_to(ROOT)}")
    if failed:
        say(f"not measured, as said above: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
