"""TORITOS as a whole, and its command line."""

from __future__ import annotations

from include.corral import cli
from include.corral.pipeline import Pipeline
from include.toritos.account import account_table
from include.toritos.alerts import QuarantinedFiles
from include.toritos.candidate_alert import CandidateConfirmed
from include.toritos.candidate_steps import ConfirmCandidates, ForcedLightCurves
from include.toritos.commands import add_light_curve, add_report
from include.toritos.difference_steps import SubtractReference
from include.toritos.loader import FitsInbox
from include.toritos.look_command import add_look
from include.toritos.sky_steps import FindZeroPoint, SolveAstrometry
from include.toritos.source_steps import FindSources
from include.toritos.stacking import BuildReference, CoaddField
from include.toritos.steps import (
    CheckQuality,
    MasterBias,
    MasterDark,
    MasterFlat,
    NightGate,
    ReduceScience,
)
from include.toritos.sweeps import PROMISES, ToritosAudit, ToritosSweep
from include.toritos.target_steps import TargetLightCurves

TORITOS = Pipeline(
    name="TORITOS",
    loader=FitsInbox,
    steps=(
        MasterBias,
        MasterDark,
        MasterFlat,
        ReduceScience,
        CheckQuality,
        FindSources,
        SolveAstrometry,
        FindZeroPoint,
        TargetLightCurves,
        BuildReference,
        CoaddField,
        SubtractReference,
        ConfirmCandidates,
        ForcedLightCurves,
        NightGate,
    ),
    alerts=(QuarantinedFiles, CandidateConfirmed),
    promises=PROMISES,
    sweeps=(ToritosSweep,),
    deep_sweeps=(ToritosAudit,),
    commands=(add_report, add_light_curve, add_look),
    account=account_table,
)


def main() -> int:
    """Run the command ``corral``."""
    return cli.main(TORITOS)
