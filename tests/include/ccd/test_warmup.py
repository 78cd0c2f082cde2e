"""Warming up compiles what the pipeline runs."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "include" / "ccd").glob("_kernels_*.py"))
RUN = """
import importlib, sys
from include.ccd.warmup import warm_up
warm_up()
for name in sys.argv[1:]:
    for kernel in vars(importlib.import_module(f"include.ccd.{name}")).values():
        if hasattr(kernel, "stats") and hasattr(kernel, "signatures"):
            print(kernel.__name__, len(kernel.signatures), sum(kernel.stats.cache_misses.values()))
"""


@pytest.fixture(scope="module")
def warm() -> dict[str, tuple[int, int]]:
    """Of each kernel: its compiled signatures, and those that a fresh process compiles again."""
    for _ in range(2):  # the first may fill the cache
        ended = subprocess.run(
            [sys.executable, "-c", RUN, *MODULES],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        )
    rows = (line.split() for line in ended.stdout.splitlines())
    return {name: (int(signatures), int(misses)) for name, signatures, misses in rows}


def test_every_kernel_that_is_called_has_been_compiled(warm: dict[str, tuple[int, int]]) -> None:
    """All that Python calls, and no module of kernels is left out."""
    called = {name for name, (signatures, _) in warm.items() if signatures}
    public = {
        name
        for module in MODULES
        for name, kernel in vars(importlib.import_module(f"include.ccd.{module}")).items()
        if hasattr(kernel, "signatures") and not name.startswith("_")
    }
    assert len(MODULES) >= 9
    # Only other kernels call these.
    others = {"median", "new_moments", "add_shifts", "basis_images", "cut_window"}
    assert public - called <= others


def test_a_fresh_process_compiles_nothing(warm: dict[str, tuple[int, int]]) -> None:
    """With a warm cache a task pays no compile time."""
    assert {name for name, (_, misses) in warm.items() if misses} == set()
