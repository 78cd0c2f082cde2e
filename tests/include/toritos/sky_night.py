"""A small simulated night with a transient, a variable star and a catalogue, for the sky steps."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select

from include.ccd.reference_catalog import write_catalog
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.report import Report
from include.corral.settings import Settings
from include.corral.step import Step
from include.toritos.candidate_steps import ConfirmCandidates, ForcedLightCurves
from include.toritos.difference_steps import SubtractReference
from include.toritos.instrument import SHIPPED
from include.toritos.loader import FitsInbox
from include.toritos.simulator import NightPlan, Truth, simulate_night
from include.toritos.simulator.catalog import truth_catalog
from include.toritos.simulator.sky import SkySpec
from include.toritos.source_steps import FindSources
from include.toritos.stacking import BuildReference, CoaddField
from include.toritos.steps import MasterBias, MasterDark, MasterFlat, ReduceScience

NIGHT = date(2026, 11, 20)
SIZE = 256
PLAN = NightPlan(
    night=NIGHT,
    size_px=SIZE,
    biases=3,
    darks={60.0: 3},
    flats={"V": 3, "R": 3},
    science={"V": 7, "R": 3},
    seed=7,
    sky=SkySpec(
        stars_per_megapixel=1000.0,
        faintest_e_per_s=60.0,
        transient_first=4,
        transient_last=6,
    ),
)
# References of fewer images than there are.
OWN = "[referencing]\nimages = 3\n"
STEPS: tuple[type[Step], ...] = (
    *(MasterBias, MasterDark, MasterFlat, ReduceScience, FindSources),
    *(BuildReference, CoaddField, SubtractReference, ConfirmCandidates, ForcedLightCurves),
)


@dataclass(frozen=True)
class SkyNight:
    """An installation with a catalogue, a camera folder, and the truth of its frames."""

    corral: Corral
    home: Path
    truth: Truth

    def camera(self, plan: NightPlan = PLAN) -> list[Path]:
        """Frames that wait to come in, in the order of their names."""
        folder = self.home / "camera" / plan.night.isoformat()
        if not folder.is_dir():
            simulate_night(plan, folder)
        return sorted(folder.iterdir())

    def arrive(self, paths: Sequence[Path]) -> None:
        """These frames come in."""
        for path in paths:
            target = self.corral.settings.inbox / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)

    def reduce(self, night: date = NIGHT, steps: Sequence[type[Step]] = STEPS) -> dict[str, Report]:
        """Load, then all steps."""
        reports = {"load": drain(self.corral, FitsInbox())}
        for step in steps:
            reports[step.name] = drain(self.corral, step(), partition=night.isoformat())
        return reports

    def rows(self, model: type[Any], *conditions: Any) -> list[Any]:
        """Current rows of a table, in the order in which they were written."""
        with self.corral.read() as session:
            query = select(model).where(model.current, *conditions).order_by(model.id)
            return list(session.scalars(query))

    def place_of(self, name: str, filter: str) -> tuple[float, float]:
        """Where a star is on the pixels of the first image of the night through a filter."""
        frame = next(each for each in self.truth.science if each.filter == filter)
        conditions, index = self.truth.conditions(frame), self.truth.catalogue.index(name)
        return (
            float(self.truth.catalogue.x_px[index] + conditions.x_dither_px),
            float(self.truth.catalogue.y_px[index] + conditions.y_dither_px),
        )


def open_night(home: Path, plan: NightPlan = PLAN, *, profile: str = "") -> SkyNight:
    """The installation below `home`, new or as it was left.

    Parameters
    ----------
    profile
        What the site's profile says beside the shipped one.
    """
    truth = Truth(plan)
    folder = home / "site-files"
    if not folder.is_dir():
        folder.mkdir(parents=True)
        write_catalog(truth_catalog(truth), folder / "toritos.ecsv")
        shipped = (SHIPPED / "toritos.toml").read_text()
        (folder / "toritos.toml").write_text(shipped + OWN + profile)
    options = {"still_s": "0", "catalogs": str(folder), "profiles": str(folder)}
    corral = Corral(Settings.below(home / "site", pipeline=options))
    corral.settings.inbox.mkdir(parents=True, exist_ok=True)
    return SkyNight(corral, home, truth)
