"""A night is triggered again and again, and nothing changes."""

from __future__ import annotations

import time

import pytest

from include.corral.audit import audit
from include.toritos.pipeline import TORITOS
from tests.chaos.night import PROCESSORS, trigger
from tests.chaos.state import state, sweeps
from tests.include.corral.lab import files

pytestmark = pytest.mark.chaos
TIMES = 10


def test_night_triggered_ten_times_is_done_once(prepared, ledger) -> None:
    """No row and no byte changes after the first time."""
    home = prepared[PROCESSORS[0]].copy()
    found, done = [], 0
    longest = 0.0
    with home.corral() as corral:
        for _ in range(TIMES):
            began = time.monotonic()
            reports = [trigger(corral, kind) for kind in PROCESSORS]
            longest = max(longest, time.monotonic() - began)
            found.append((state(corral), files(corral)))
            done = sum(report.done for report in reports if report.step not in sweeps())
        violations = len(audit(corral, promises=TORITOS.promises))
    home.remove()
    violations += done + sum(later != found[0] for later in found[1:])
    ledger.add("F21 a night triggered again", TIMES - 1, violations, longest)
    assert violations == 0
