"""The branches of a night: its steps, which after which, what a failure means; and the rules."""

from __future__ import annotations

from typing import Any

_STEPS = "include.toritos.steps"
_SOURCES = "include.toritos.source_steps"
_SKY = "include.toritos.sky_steps"
_TARGETS = "include.toritos.target_steps"
_STACKS = "include.toritos.stacking"
_DIFFERENCES = "include.toritos.difference_steps"
_CANDIDATES = "include.toritos.candidate_steps"

# A master that cannot be made (a clouded twilight, a stuck shutter) is no failure by itself: what
# needs it takes one of another night, as the profile allows, or fails and says so. Of masters that
# were refused the sweep tells, see `toritos.refused_calibrations`.
_MASTER = {"failure_policy": "tolerate_refused"}


def _after(*stages: str) -> dict[str, Any]:
    """What makes a stage begin when these have ended, with whatever was made of the good frames.

    If the flats were never worked on, there is nothing that any of them could have made.
    """
    return {"after": ("flat", *stages), "trigger_rule": "all_done_min_one_success"}


# Beside the arguments of its task, each may have `workers` and `after`, see `corral_ops.branch`.
STAGES: tuple[dict[str, Any], ...] = (
    {"task_id": "bias", "step": f"{_STEPS}.MasterBias", **_MASTER},
    {"task_id": "dark", "step": f"{_STEPS}.MasterDark", **_MASTER},
    {"task_id": "flat", "step": f"{_STEPS}.MasterFlat", "workers": 2, **_MASTER},
    {"task_id": "science", "step": f"{_STEPS}.ReduceScience", "workers": 2},
    {"task_id": "check", "step": f"{_STEPS}.CheckQuality", **_after("science")},
    {"task_id": "sources", "step": f"{_SOURCES}.FindSources", "workers": 2, **_after("science")},
    {"task_id": "astrometry", "step": f"{_SKY}.SolveAstrometry", "workers": 2, **_after("sources")},
    {"task_id": "zero_point", "step": f"{_SKY}.FindZeroPoint", **_after("astrometry")},
    {"task_id": "targets", "step": f"{_TARGETS}.TargetLightCurves", **_after("sources")},
    {"task_id": "reference", "step": f"{_STACKS}.BuildReference", **_after("sources")},
    {"task_id": "coadd", "step": f"{_STACKS}.CoaddField", **_after("sources")},
    {
        "task_id": "difference",
        "step": f"{_DIFFERENCES}.SubtractReference",
        "workers": 2,
        **_after("reference"),
    },
    {
        "task_id": "candidates",
        "step": f"{_CANDIDATES}.ConfirmCandidates",
        **_after("difference"),
    },
    {
        "task_id": "light_curves",
        "step": f"{_CANDIDATES}.ForcedLightCurves",
        **_after("candidates"),
    },
    # A night in which anything failed does not pass.
    {"task_id": "gate", "step": f"{_STEPS}.NightGate", "after": "all"},
)

# What a frame goes through until something new on it is told of, in one task.
TO_A_CANDIDATE: tuple[str, ...] = (
    f"{_STEPS}.MasterBias",
    f"{_STEPS}.MasterDark",
    f"{_STEPS}.MasterFlat",
    f"{_STEPS}.ReduceScience",
    f"{_STEPS}.CheckQuality",
    f"{_SOURCES}.FindSources",
    f"{_SKY}.SolveAstrometry",
    f"{_SKY}.FindZeroPoint",
    f"{_STACKS}.BuildReference",
    f"{_DIFFERENCES}.SubtractReference",
    f"{_CANDIDATES}.ConfirmCandidates",
)
CANDIDATE_RULE = "include.toritos.candidate_alert.CandidateConfirmed"

# While frames still come, waiting is no failure.
ARRIVING = tuple({"failure_policy": "tolerate_waiting", **stage} for stage in STAGES)

RULES: tuple[str, ...] = (
    "include.toritos.alerts.QuarantinedFiles",
    CANDIDATE_RULE,
)
