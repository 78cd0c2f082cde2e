"""The original Corral and this project at the same trivial work, by whole commands on SQLite.

The original keeps no record of single units and commits all rows at once; here each unit has its
record, and none can take another with it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.contest import ROOT
from bench.peers import python_of
from bench.table import Report, Table, say

LOAD = """
from corral import run
from benchpipe import models


class Loader(run.Loader):
    def generate(self):
        for number in range({rows}):
            yield models.Reading(celsius=number / 7)
"""
MODELS = """
from corral import db


class Reading(db.Model):
    __tablename__ = "Reading"
    id = db.Column(db.Integer, primary_key=True)
    celsius = db.Column(db.Float)


class Kelvin(db.Model):
    __tablename__ = "Kelvin"
    id = db.Column(db.Integer, primary_key=True)
    reading_id = db.Column(db.Integer, db.ForeignKey("Reading.id"))
    kelvin = db.Column(db.Float)
"""
STEPS = """
from corral import run
from benchpipe import models


class MyStep(run.Step):
    model = models.Reading
    conditions = []

    def process(self, obj):
        yield models.Kelvin(reading_id=obj.id, kelvin=obj.celsius + 273.15)
"""
Command = Callable[[str], None]


def _call(command: list[str], folder: Path) -> None:
    # As most people run it: what Python has compiled once is kept.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ended = subprocess.run(  # noqa: S603
        command, cwd=folder, env=kept, check=False, capture_output=True, text=True
    )
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{ended.stdout[-1000:]}{ended.stderr[-2000:]}")


def original(home: Path, rows: int) -> Command:
    """Make a pipeline of the original; give its commands, run in processes of their own."""
    python = python_of("corral")
    _call([str(python.parent / "corral"), "create", "benchpipe"], home)
    project = home / "benchpipe"
    texts = {"load": LOAD.format(rows=rows), "models": MODELS, "steps": STEPS}
    for name, text in texts.items():
        (project / "benchpipe" / f"{name}.py").write_text(text)
    script = [str(python), "in_corral.py"]
    _call([*script, "createdb", "--noinput"], project)
    words = {"start": ["lssteps"], "load": ["load"], "step": ["run"]}
    return lambda verb: _call([*script, *words[verb]], project)


def ours(home: Path, rows: int) -> Command:
    """Make an installation of this project; give its commands."""

    def command(verb: str) -> None:
        # A second step finds nothing to do: what is left is the start.
        word = "step" if verb == "start" else verb
        _call([sys.executable, "-m", "bench.trivial", word, str(home / "site"), str(rows)], ROOT)

    command("make")
    return command


def _timed(command: Command, verb: str) -> float:
    begin = time.perf_counter()
    command(verb)
    return time.perf_counter() - begin


def run(*, quick: bool) -> Report:
    """10,000 rows, three times, in turns."""
    rows = 1000 if quick else 10_000
    seconds: dict[tuple[str, str], list[float]] = {}
    for number in range(3):
        with TemporaryDirectory(prefix="corral-bench-") as folder:
            for name, make in (("this project", ours), ("original Corral", original)):
                home = Path(folder, name.replace(" ", "-"))
                home.mkdir()
                command = make(home, rows)
                for verb in ("start", "load", "step"):
                    taken = _timed(command, verb)
                    seconds.setdefault((verb, name), []).append(taken)
                    say(f"  {number + 1}: {verb}: {name} {taken:.2f} s")
    medians = {key: statistics.median(taken) for key, taken in seconds.items()}
    table = Table("Whole commands", ("command", "this project, s", "original Corral, s", "ratio"))
    for verb in ("start", "load", "step"):
        us, peer = medians[verb, "this project"], medians[verb, "original Corral"]
        table.add(verb, f"{us:.2f}", f"{peer:.2f}", f"{us / peer:.2f}")
    report = Report(
        "The original Corral",
        f"{rows:,} trivial rows on SQLite, whole commands with the start of Python. The original "
        "commits all rows at once and keeps no record of units.",
        [table],
    )
    ratio = medians["step", "this project"] / medians["step", "original Corral"]
    report.judge("step, time over that of the original", ratio, "at most", 1, "×")
    return report
