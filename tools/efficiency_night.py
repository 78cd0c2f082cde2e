"""New stars in raw frames of a simulated night, which the steps of the pipeline then look for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.corral.step import Step
from include.toritos.candidate_steps import ConfirmCandidates
from include.toritos.difference_steps import SubtractReference
from include.toritos.loader import FitsInbox
from include.toritos.simulator import NightPlan, Truth
from include.toritos.simulator.night import write_frames
from include.toritos.simulator.plan import Exposure
from include.toritos.simulator.sky import SkySpec, add_star, moffat_alpha_px
from include.toritos.source_steps import FindSources
from include.toritos.stacking import BuildReference
from include.toritos.steps import MasterBias, MasterDark, MasterFlat, ReduceScience
from models import Candidate, Product

# As many as the reference is made of, by default; new stars shine afterwards.
REFERENCE_FRAMES, MARGIN_PX = 5, 40
FAINTEST_E, BRIGHTEST_E = 400.0, 20_000.0
STEPS: tuple[type[Step], ...] = (
    *(MasterBias, MasterDark, MasterFlat, ReduceScience, FindSources),
    *(BuildReference, SubtractReference, ConfirmCandidates),
)


class NewStars(Truth):
    """A night in which stars appear after the images of the reference.

    Attributes
    ----------
    places : float64 (n, 2)
        (x, y) without dither.
    flux_e : float64 (n,)
        Electrons of one exposure, above the air.
    """

    def __init__(self, plan: NightPlan, *, stars: int) -> None:
        super().__init__(plan)
        rng = np.random.default_rng(plan.seed)
        self.places = rng.uniform(MARGIN_PX, plan.size_px - MARGIN_PX, (stars, 2))
        self.flux_e = np.exp(rng.uniform(np.log(FAINTEST_E), np.log(BRIGHTEST_E), stars))

    def image(self, frame: int | str | Exposure) -> Any:
        """As of any night, with the new stars once they shine."""
        plane = super().image(frame)
        exposure = self.exposure(frame)
        conditions = self.conditions(exposure)
        if exposure.index <= REFERENCE_FRAMES:
            return plane
        for (x_px, y_px), flux_e in zip(self.places, self.flux_e, strict=True):
            add_star(
                plane,
                x_px=x_px + conditions.x_dither_px,
                y_px=y_px + conditions.y_dither_px,
                flux_e=flux_e * conditions.transparency,
                alpha_px=moffat_alpha_px(conditions.fwhm_px),
            )
        return plane


def look_for_new_stars(
    *, size_px: int, frames: int, stars: int, seed: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Simulate raw frames with calibrations, reduce them by the steps, and see what is confirmed.

    Bad pixels, cosmic rays, dark current, flats with their noise: all that the simulator knows is
    in the frames, and is taken out by the masters of the same night.

    Returns
    -------
    mag : float64 (stars,)
        Of the new stars, relative to the 5 sigma limit of the median difference.
    places : float64 (stars, 2)
        Of them on the pixels of the reference.
    candidates : float64 (k, 2)
        Places of what was confirmed.
    """
    sky = SkySpec(stars_per_megapixel=600.0, transient_e_per_s=1e-6, variable_amplitude=0.0)
    plan = NightPlan.demo(date(2026, 11, 20), size_px=size_px, seed=seed)
    plan = replace(
        plan,
        biases=5,
        darks={plan.exptime_s: 5},
        flats={"V": 5},
        science={"V": REFERENCE_FRAMES + frames},
        sky=sky,
    )
    truth = NewStars(plan, stars=stars)
    with TemporaryDirectory(prefix="corral-efficiency-") as home:
        corral = Corral(Settings.below(Path(home), pipeline={"still_s": "0"}))
        list(write_frames(truth, corral.settings.inbox / plan.night.isoformat()))
        drain(corral, FitsInbox()).raise_for_policy("fail")
        for step in STEPS:
            drain(corral, step(), partition=None).raise_for_policy("fail")
        with corral.read() as session:
            differences = session.scalars(select(Product).where(Product.kind == "difference"))
            limit_e = np.median([each.metrics["limit_5sigma_e"] for each in differences])
            found = session.execute(
                select(Candidate.x_px, Candidate.y_px).where(Candidate.current)
            ).all()
        corral.close()
    first = truth.conditions(0)
    flux_e = truth.flux_e * first.transparency
    places = truth.places + np.array([first.x_dither_px, first.y_dither_px])
    candidates = np.array([tuple(row) for row in found], np.float64).reshape(-1, 2)
    return -2.5 * np.log10(flux_e / limit_e), places, candidates
