"""The branch of a night: its steps in their order, what a failure of each means, and the rules."""

from __future__ import annotations

from typing import Any

_STEPS = "include.toritos.steps"

# A master that cannot be made (a clouded twilight) is no failure by itself: what needs it takes
# one of another night, as the profile allows, or fails and says so.
_MASTER = {"failure_policy": "tolerate_waiting"}

STAGES: tuple[dict[str, Any], ...] = (
    {"task_id": "bias", "step": f"{_STEPS}.MasterBias", **_MASTER},
    {"task_id": "dark", "step": f"{_STEPS}.MasterDark", **_MASTER},
    {"task_id": "flat", "step": f"{_STEPS}.MasterFlat", "workers": 2, **_MASTER},
    {"task_id": "science", "step": f"{_STEPS}.ReduceScience", "workers": 2},
    {"task_id": "check", "step": f"{_STEPS}.CheckQuality"},
    {"task_id": "gate", "step": f"{_STEPS}.NightGate"},
)

RULES: tuple[str, ...] = ("include.toritos.alerts.QuarantinedFiles",)
