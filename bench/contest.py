"""One table of contenders at the same work: seconds, ratios, and memory, each in its own process.

Every contender works from files in the page cache, after one run on tiny frames that loads and
compiles what it needs; peak memory is what it takes beyond that (Linux).
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

GAIN_E_PER_ADU, READ_NOISE_E = 1.5, 8.0

Work = Callable[[], object]
"""If it returns a function, that one gives a remark for the table, and is not timed."""
Maker = Callable[[str, Path, int], Work]
"""From a task, the folder of its frames and their size to the work, ready to be timed."""


@dataclass(frozen=True)
class Result:
    """What one contender took for one task, and what is to be said of it."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    remark: str


@dataclass(frozen=True)
class Setting:
    """What all contenders work on."""

    frames: Path
    tiny_frames: Path
    size: int
    tiny_size: int
    repeat: int


def science_header(size: int) -> Any:
    """What is known of a science frame of 60 s, size × size."""
    from include.ccd.header import Amplifier, FrameHeader, Section

    whole = Section.whole((size, size))
    return FrameHeader(
        kind="science",
        camera="bench",
        filter=None,
        exptime_s=60.0,
        observed_at=datetime(2024, 1, 1, tzinfo=UTC),
        x_binning=1,
        y_binning=1,
        readout=None,
        temperature_c=None,
        object=None,
        ra_deg=None,
        dec_deg=None,
        airmass=None,
        width_px=size,
        height_px=size,
        saturation_adu=60000.0,
        amplifiers=(Amplifier(whole, None, whole, GAIN_E_PER_ADU, READ_NOISE_E),),
    )


def measure(maker: Maker, task: str, setting: Setting) -> Result:
    """Median seconds and peak memory of a contender, measured in the calling process."""
    maker(task, setting.tiny_frames, setting.tiny_size)()
    work = maker(task, setting.frames, setting.size)
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory_kb("VmRSS")
    seconds, cpu_seconds = [], []
    outcome: object = None
    for _ in range(setting.repeat):
        start, cpu_start = time.perf_counter(), time.process_time()
        outcome = work()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    peak_mb = (_memory_kb("VmHWM") - before) / 1024
    remark = str(outcome()) if callable(outcome) else ""
    return Result(statistics.median(seconds), statistics.median(cpu_seconds), peak_mb, remark)


def _memory_kb(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


def measure_apart(maker: Maker, task: str, setting: Setting) -> Result:
    """As `measure`, in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, maker, task, setting).result()


def print_table(setting: Setting, tasks: Sequence[str], contenders: Mapping[str, Maker]) -> None:
    """One line for each task and contender; ratios are to the first contender.

    On a machine that others use, too, CPU seconds and their ratio are the steadier numbers.
    """
    titles = f"{'seconds':>9}{'ratio':>8}{'CPU s':>9}{'ratio':>8}{'peak MB':>9}"
    sys.stdout.write(f"{'task':<12}{'contender':<16}{titles}\n")
    for task in tasks:
        first: Result | None = None
        for name, maker in contenders.items():
            result = measure_apart(maker, task, setting)
            first = first or result
            wall = f"{result.seconds:>9.3f}{result.seconds / first.seconds:>8.1f}"
            cpu = f"{result.cpu_seconds:>9.3f}{result.cpu_seconds / first.cpu_seconds:>8.1f}"
            row = f"{task:<12}{name:<16}{wall}{cpu}{result.peak_mb:>9.0f}  {result.remark}"
            sys.stdout.write(f"{row.rstrip()}\n")
            sys.stdout.flush()
