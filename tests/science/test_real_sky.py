"""Numbers that the real sky gives: a transit, a pair of images subtracted, standard stars."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from include.ccd.comparing import Differencing
from include.ccd.difference import subtract
from include.ccd.forced import forced_psf
from include.ccd.image import Image
from include.ccd.source_table import SourceFlag
from include.ccd.sources import find_sources
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.instrument import SHIPPED
from include.toritos.light_curves import fit_of, gather_curve
from include.toritos.pipeline import TORITOS
from models import AstrometricSolution, PhotometricSolution, Product

Reduce = Callable[..., Corral]
HAT_P_32_MID = 2458107.71091
LIGHT = int(SourceFlag.SATURATED | SourceFlag.EDGE | SourceFlag.MASKED | SourceFlag.UNCOVERED)


@pytest.fixture
def reduce(real_data: Path, tmp_path: Path) -> Iterator[Reduce]:
    """Load real frames with a profile, and run the steps up to the named one."""
    made: list[Corral] = []

    def reduced(folder: str, profile: str, *, last: str, extra: str = "", every: int = 1) -> Corral:
        own = tmp_path / "profiles"
        own.mkdir()
        text = (SHIPPED / f"{profile}.toml").read_text(encoding="utf-8")
        (own / f"{profile}.toml").write_text(text + extra, encoding="utf-8")
        options = {"profile": profile, "profiles": str(own)}
        corral = Corral(Settings.below(tmp_path / profile, pipeline=options))
        made.append(corral)
        corral.settings.inbox.mkdir(parents=True)
        for path in sorted((real_data / folder).iterdir())[::every]:
            shutil.copy(path, corral.settings.inbox)
        drain(corral, TORITOS.loader()).raise_for_policy("fail")
        names = [step.name for step in TORITOS.steps]
        for step in TORITOS.steps[: names.index(last) + 1]:
            drain(corral, step(), partition=None).raise_for_policy("fail")
        return corral

    yield reduced
    for corral in made:
        corral.close()


def test_hat_p_32_b_transits_when_and_as_deep_as_published(reduce: Reduce) -> None:
    """Mid-transit within 10 minutes, depth 1.7–2.5 %, scatter under 1 %, from every third image.

    `make demo` with that folder and profile shows all 142.
    """
    folder = "microobs_hatp32_2017-12-20/raw"
    corral = reduce(folder, "microobs", last="TargetLightCurves", every=3)
    with corral.read() as session:
        curve = gather_curve(session, "HAT-P-32 b", date(2017, 12, 19))
        fit = fit_of(curve, corral.settings)
    assert len(curve.points) == 48
    assert abs(fit.mid_bjd_tdb - HAT_P_32_MID) * 1440 < 10.0
    assert 0.017 < fit.depth < 0.025
    assert fit.scatter < 0.01
    # The stated errors are those that the curve has.
    assert 0.7 < fit.scatter / np.median([point.relative_flux_err for point in curve.points]) < 1.3


def test_a_pair_of_toros_images_subtracts_to_noise_at_the_stars(reduce: Reduce) -> None:
    """Of all unsaturated stars 95 % are left with less than 3 sigma; the noise is as stated."""
    flagged = '\nmissing_bias = "flag"\nmissing_dark = "flag"\nmissing_flat = "flag"\n'
    corral = reduce("toros_eaba_2015/aligned", "eaba", last="ReduceScience", extra=flagged)
    with corral.read() as session:
        products = session.scalars(select(Product).order_by(Product.observed_at)).all()
        reference, science = (Image.read(corral.store.locate(each.path)) for each in products)
    stars = find_sources(science, exptime_s=60.0).table
    stars = stars[(stars["flags"] & LIGHT) == 0]
    found = subtract(science, reference, differencing=Differencing())
    left = forced_psf(found.image, found.psf, stars["x_px"], stars["y_px"])
    assert found.image.mask is not None
    rows, columns = (np.rint(stars[name]).astype(int) for name in ("y_px", "x_px"))
    clean = np.isfinite(left.snr) & (found.image.mask[rows, columns] == 0)
    assert clean.sum() > 500
    assert (np.abs(left.snr[clean]) < 3.0).mean() > 0.95
    assert 0.9 < found.image.metrics["difference_width_sigma"] < 1.1


def test_landolt_standards_give_one_zero_point(reduce: Reduce) -> None:
    """PG1323-086 in V: four standards are found by a shift, and agree to 0.1 mag."""
    corral = reduce("nickel_2024-05-13/raw", "nickel", last="FindZeroPoint")
    with corral.read() as session:
        placed = session.scalars(select(AstrometricSolution)).all()
        solution = session.scalars(select(PhotometricSolution)).one()
    # The catalogue knows this field alone.
    assert [each.object for each in placed if each.solved] == ["PG1323-085"]
    assert {each.matches for each in placed if each.solved} == {4}
    assert solution.calibrated
    assert solution.stars_used + solution.stars_clipped == 4
    assert solution.zero_point_mag == pytest.approx(23.57, abs=0.1)
    assert solution.scatter_mag < 0.1
    assert solution.zero_point_err_mag < 0.06
