"""One contender in a process of its own: told line by line what to do, it answers with JSON.

``python -m bench.worker bench.calibrating:ours TASK FRAMES SIZE TINY_FRAMES TINY_SIZE RESULT``

Imports nothing but the standard library, so that it runs in the environment of any peer. A maker
takes the task, a folder of frames and their size, and gives the work; if the work returns a
function, that one is called once, after the last run: it gives an `Outcome`.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a run has led to: words for the table, and pixels for the comparison."""

    remark: str = ""
    pixels: Any = None


Finish = Callable[[], Outcome]
Work = Callable[[], Finish | None]
Maker = Callable[[str, Path, int], Work]


def memory_kb(field: str) -> int:
    """A line of what Linux says of this process, such as VmRSS."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


def serve(maker: Maker, arguments: list[str], answer: Callable[[dict[str, Any]], None]) -> None:
    """Prepare on tiny frames, then on the real ones; then do as each line of stdin says."""
    task, frames, size, tiny_frames, tiny_size, result = arguments
    if int(tiny_size):
        finish = maker(task, Path(tiny_frames), int(tiny_size))()
        del finish
    work = maker(task, Path(frames), int(size))
    Path("/proc/self/clear_refs").write_text("5")
    before = memory_kb("VmRSS")
    answer({})
    done: Finish | None = None
    for line in sys.stdin:
        if line.strip() == "run":
            done = None
            start, cpu_start = time.perf_counter(), time.process_time()
            done = work()
            seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
            peak_mb = (memory_kb("VmHWM") - before) / 1024
            answer({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb})
        else:
            outcome = done() if done is not None else Outcome()
            if outcome.pixels is not None:
                import numpy as np

                np.save(result, np.asarray(outcome.pixels))
            answer({"remark": outcome.remark})


def main() -> None:
    """Answer on what was stdout; what libraries print goes to stderr."""
    warnings.simplefilter("ignore")
    logging.disable()
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(values: dict[str, Any]) -> None:
        replies.write(json.dumps(values) + "\n")
        replies.flush()

    module, _, name = sys.argv[1].partition(":")
    serve(getattr(importlib.import_module(module), name), sys.argv[2:], answer)


if __name__ == "__main__":
    main()
