"""The sweeps of TORITOS: those of every pipeline, and the camera's silence."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import ClassVar

from include.corral.chores import Backlog, LightSweep
from include.corral.step import Step
from include.corral.sweep import Part
from include.toritos.freshness import silent_camera
from include.toritos.night import STAGES


class ToritosSweep(LightSweep):
    """As any light sweep, and: a camera that is silent at night is told of."""

    parts: ClassVar[Sequence[Part]] = (*LightSweep.parts, silent_camera)


class OpenNights(Backlog):
    """Nights in which a step of the branch has work that nobody does are named."""

    def steps(self) -> Sequence[Step]:
        """Give the steps of the branch, as its tasks run them."""
        return [
            pkgutil.resolve_name(stage["step"])(**stage.get("parameters", {})) for stage in STAGES
        ]
