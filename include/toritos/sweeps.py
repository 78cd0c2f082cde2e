"""The sweeps of TORITOS: those of every pipeline, the camera's silence, and ended nights."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import ClassVar

from include.corral.alert import Alert
from include.corral.backlog import Backlog
from include.corral.chores import DeepSweep, LightSweep
from include.corral.step import Step
from include.corral.sweep import Part
from include.corral.violation import Promise
from include.toritos.account import files_are_accounted_for
from include.toritos.alerts import QuarantinedFiles
from include.toritos.candidate_alert import CandidateConfirmed
from include.toritos.freshness import silent_camera
from include.toritos.night import STAGES
from include.toritos.night_end import PARAMETERS, ended_nights
from include.toritos.refused_calibrations import REFUSED_PARAMETERS, refused_calibrations

PROMISES: Sequence[Promise] = (files_are_accounted_for,)


class ToritosSweep(LightSweep):
    """As any light sweep, and: silence, refused calibrations, and how each night went."""

    parts: ClassVar[Sequence[Part]] = (
        *LightSweep.parts,
        silent_camera,
        refused_calibrations,
        ended_nights,
    )
    parameters = {**LightSweep.parameters, **PARAMETERS, **REFUSED_PARAMETERS}
    rules: ClassVar[Sequence[type[Alert]]] = (QuarantinedFiles, CandidateConfirmed)


class ToritosAudit(DeepSweep):
    """As any deep sweep, and: every file of the inbox is accounted for."""

    promises: ClassVar[Sequence[Promise]] = PROMISES


class OpenNights(Backlog):
    """Nights in which a step of the branch has work that nobody does are named."""

    def steps(self) -> Sequence[Step]:
        """Give the steps of the branch, as its tasks run them."""
        return [
            pkgutil.resolve_name(stage["step"])(**stage.get("parameters", {})) for stage in STAGES
        ]
