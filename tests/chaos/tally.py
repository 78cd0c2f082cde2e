"""The seed of a chaos run, and its table when it ends: hooks that `tests/conftest.py` takes over.

They are there, and not beside the tests, because the process that leads those of pytest-xdist reads
no other file: without them it would neither hand out one seed nor collect any line.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, cast

import pytest

from tests.chaos.table import PROPERTY, Table

# In the environment, so that the processes of pytest-xdist have the same.
SEED = os.environ["SEED"] = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**6))
TABLE = Table()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Print the seed, so that what failed can be done again."""
    return f"chaos: SEED={SEED}" if "chaos" in config.option.markexpr else None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect lines, from the processes of pytest-xdist as well."""
    if report.when == "teardown":
        for name, line in report.user_properties:
            if name == PROPERTY:
                TABLE.add(*cast("tuple[str, int, int, float, int]", line))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table, and write it where ``CORRAL_CHAOS_TABLE`` says."""
    if not TABLE.lines:
        return
    terminalreporter.section(f"faults (SEED={SEED})")
    terminalreporter.write_line(str(TABLE))
    if place := os.environ.get("CORRAL_CHAOS_TABLE"):
        Path(place).write_text(f"{TABLE}\n")
