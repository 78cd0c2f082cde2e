"""Nights on end: what one process does in the last of them costs what it did in the first."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import theilslopes

ROOT = Path(__file__).parents[2]
NIGHTS = int(os.environ.get("NIGHTS") or 30)
# What is loaded late, cached up to a bound, or kept by the allocator is there after so many.
WARM = max(3, NIGHTS // 3)

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def nights(tmp_path_factory) -> list[dict[str, Any]]:
    """What each night has left, told as it happens."""
    home = tmp_path_factory.mktemp("nights")
    command = [sys.executable, "-m", "tests.soak.nights", str(home), str(NIGHTS)]
    found = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found.append(json.loads(line))
            print(f"{len(found)}/{NIGHTS}", line.strip(), flush=True)
    assert process.returncode == 0
    assert len(found) == NIGHTS
    return found


def test_every_night_is_whole(nights) -> None:
    """No unit fails, no promise is broken, no file is missed; one night makes what another does."""
    for night in nights:
        assert (night["failures"], night["missing"]) == ([], 0), night["night"]
    first, *others = (night["products"] for night in nights)
    assert all(products == others[0] for products in others)
    assert first.keys() - others[0].keys() == {"reference"}


def test_the_process_does_not_grow(nights) -> None:
    """Memory, open files and threads stay; a second connection, once, is no growth."""
    warm, late = nights[WARM:], nights[-WARM:]
    assert len(warm) > 2, "give more NIGHTS"
    per_night_mb = theilslopes([night["memory_mb"] for night in warm]).slope
    assert per_night_mb < 0.2
    for what in ("descriptors", "threads"):
        assert max(night[what] for night in late) <= max(night[what] for night in nights[:-WARM])
        assert max(night[what] for night in late) <= nights[0][what] + 4


def test_nights_of_history_cost_no_time_and_equal_room(nights) -> None:
    """The last ones take what the first ones took; each adds as much to the database."""
    early, late = nights[1 : 1 + len(nights) // 3], nights[-(len(nights) // 3) :]
    seconds = [statistics.median(night["seconds"] for night in some) for some in (early, late)]
    assert seconds[1] < 1.5 * seconds[0]
    grown = np.diff([night["database_mb"] for night in nights[1:]])
    assert np.median(grown[-5:]) < 1.5 * np.median(grown[:5]) + 0.1
