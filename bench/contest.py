"""Contenders at the same work, taking turns: seconds, processor seconds and memory of each.

Every contender is a process of its own (`bench.worker`) and works from files in the page cache,
after one run on tiny frames that loads and compiles what it needs. They take turns, so that a
machine that is busy with something else is busy for all of them.
"""

from __future__ import annotations

import json
import math
import os
import select
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.table import Table, say

ROOT = Path(__file__).resolve().parents[1]
ENOUGH_S = 60.0
# Where workers look for modules beside the project.
EXTRA_PATH = str(ROOT / "plugins")


class ContenderError(Exception):
    """A contender ended before its work did."""


class ContenderSlowError(ContenderError):
    """A contender was still at work when its time was up."""


@dataclass(frozen=True)
class Contender:
    """Who works: ``module:maker``, and the Python that runs it.

    It is asked `runs` times at the most. After `limit_s` seconds a run is broken off: what it
    takes is then known to be more.
    """

    name: str
    maker: str
    python: str = sys.executable
    runs: int | None = None
    limit_s: float | None = None


@dataclass(frozen=True)
class Setting:
    """What all contenders work on; a tiny size of 0 leaves the warming up out."""

    frames: Path
    tiny_frames: Path
    size: int
    tiny_size: int
    repeat: int


@dataclass
class Result:
    """What one contender took, run by run, and what is to be said of it."""

    name: str
    runs: list[dict[str, float]] = field(default_factory=list)
    remark: str = ""
    pixels: Path | None = None
    broken_off: bool = False

    @property
    def seconds(self) -> float:
        """Median of the wall clock."""
        return statistics.median(run["seconds"] for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """Median of the processor's time, of all threads."""
        return statistics.median(run["cpu_seconds"] for run in self.runs)

    @property
    def peak_mb(self) -> float:
        """Most memory beyond what was held before the first run."""
        return max(run["peak_mb"] for run in self.runs)


class _Worker:
    """The process of a contender."""

    def __init__(self, contender: Contender, task: str, setting: Setting) -> None:
        self.result = Result(contender.name)
        self._contender = contender
        self._file = setting.frames / f"result-{task}-{contender.maker.replace(':', '-')}.npy"
        folders = [setting.frames, setting.size, setting.tiny_frames, setting.tiny_size]
        command = [contender.python, "-m", "bench.worker", contender.maker, task]
        command += [str(each) for each in folders]
        self._process = subprocess.Popen(  # noqa: S603
            [*command, str(self._file)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{EXTRA_PATH}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            self._answer()
        except ContenderError:
            self.close()
            raise

    @property
    def spent_s(self) -> float:
        return sum(run["seconds"] for run in self.result.runs)

    @property
    def is_wanted(self) -> bool:
        """Whether it is asked for one more run: there may be one, and the others were short."""
        done, runs = len(self.result.runs), self._contender.runs
        tired = self.result.broken_off or self.spent_s >= ENOUGH_S
        return not done or not (tired or done == runs)

    def run(self) -> None:
        limit_s = self._contender.limit_s
        try:
            self.result.runs.append(self._ask("run", limit_s))
        except ContenderSlowError:
            assert limit_s is not None
            self._process.kill()
            seconds = {"seconds": limit_s, "cpu_seconds": math.nan, "peak_mb": math.nan}
            self.result.runs.append(seconds)
            self.result.broken_off = True
            self.result.remark = f"broken off after {limit_s:g} s"

    def finish(self) -> Result:
        if self.result.broken_off:
            return self.result
        self.result.remark = self._ask("finish")["remark"]
        self.result.pixels = self._file if self._file.exists() else None
        return self.result

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            _pipe(stream).close()
        self._process.kill()
        self._process.wait()

    def _ask(self, line: str, limit_s: float | None = None) -> dict[str, Any]:
        stdin = _pipe(self._process.stdin)
        stdin.write(line + "\n")
        stdin.flush()
        return self._answer(limit_s)

    def _answer(self, limit_s: float | None = None) -> dict[str, Any]:
        # An answer is one line: nothing is left in the buffer when the next one is awaited.
        if not select.select([_pipe(self._process.stdout)], [], [], limit_s)[0]:
            raise ContenderSlowError(f"{self.result.name} was not done after {limit_s:g} s")
        line = _pipe(self._process.stdout).readline()
        if not line:
            tail = _pipe(self._process.stderr).read()[-2000:]
            raise ContenderError(f"{self.result.name} ended:\n{tail}")
        found: dict[str, Any] = json.loads(line)
        return found


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def contest(task: str, contenders: Sequence[Contender], setting: Setting) -> dict[str, Result]:
    """Let them take turns; one that has had a minute, or all its runs, is not asked again."""
    workers: list[_Worker] = []
    try:
        for contender in contenders:
            workers.append(_Worker(contender, task, setting))  # noqa: PERF401 - closed below
        for _ in range(setting.repeat):
            for worker in workers:
                if worker.is_wanted:
                    worker.run()
                    last = worker.result.runs[-1]["seconds"]
                    say(f"  {task}: {worker.result.name} {last:.3f} s")
        return {worker.result.name: worker.finish() for worker in workers}
    finally:
        for worker in workers:
            worker.close()


TITLES = ("work", "contender", "runs", "seconds", "ratio", "CPU s", "ratio", "peak MB", "remark")


def table_of(title: str, contests: dict[str, dict[str, Result]]) -> Table:
    """One line for each contender; ratios are to the first one of the same work."""
    table = Table(title, TITLES)
    for task, results in contests.items():
        first = next(iter(results.values()))
        for name, found in results.items():
            sign = "> " if found.broken_off else ""
            table.add(
                task,
                name,
                str(len(found.runs)),
                sign + _number(found.seconds, 3),
                sign + _number(found.seconds / first.seconds, 1),
                _number(found.cpu_seconds, 3),
                _number(found.cpu_seconds / max(first.cpu_seconds, 1e-9), 1),
                _number(found.peak_mb, 0),
                found.remark,
            )
    return table


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def differing(one: Result, other: Result, *, rtol: float, atol: float) -> float:
    """Part of the pixels in which two results differ by more than the tolerance."""
    import numpy as np

    if one.pixels is None or other.pixels is None:
        raise ContenderError(f"{one.name} and {other.name} left nothing to compare")
    a, b = (np.load(path, mmap_mode="r") for path in (one.pixels, other.pixels))
    off = [
        np.count_nonzero(~np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=True))
        for x, y in zip(a, b, strict=True)
    ]
    return float(sum(off)) / float(a.size)
