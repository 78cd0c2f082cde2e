"""Lists of sources, from simulated nights, on both databases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from include.ccd.psf import Psf
from include.ccd.source_table import SOURCE_DTYPE, SourceCatalogue
from include.corral.drain import drain
from include.toritos.simulator import NightPlan, simulate_night
from include.toritos.simulator.detector import DetectorSpec
from include.toritos.simulator.sky import SkySpec
from include.toritos.source_steps import FindSources, measurement_values
from models import Measurement, Product, SourceList

NIGHT = "2026-11-20"
TO_SCIENCE = ("MasterBias", "MasterDark", "MasterFlat", "ReduceScience")


def reduce_night(station, plan: NightPlan, run_all, *steps: str):
    """The night in the inbox, through the steps to calibrated images and those named."""
    truth = simulate_night(plan, station.corral.settings.inbox / NIGHT)
    run_all(station.corral, steps=[*TO_SCIENCE, *steps])
    return truth


@pytest.fixture
def dense(small_plan) -> NightPlan:
    """The small night under a sky with enough stars."""
    return replace(small_plan, sky=SkySpec(stars_per_megapixel=900.0))


def test_each_calibrated_image_has_the_sources_that_the_simulator_put_there(
    both, dense, run_all
) -> None:
    """Bright stars are found at their places with their fluxes, in rows of one transaction."""
    truth = reduce_night(both, dense, run_all, "FindSources")
    lists = both.rows(SourceList)
    assert [row.exptime_s for row in lists] == [60.0] * 5
    row = min(lists, key=lambda each: each.observed_at)
    frame = truth.science[0]
    conditions, flux_e = truth.conditions(frame), truth.star_flux_e(frame)
    x = truth.catalogue.x_px + conditions.x_dither_px
    y = truth.catalogue.y_px + conditions.y_dither_px
    query = select(Measurement).where(Measurement.source_list_id == row.id)
    with both.corral.read() as session:
        found = session.scalars(query.order_by(Measurement.number)).all()
    assert [each.number for each in found] == list(range(row.count))
    clean = [
        each for each in found if each.flags == 0 and each.flux_psf_e > 50 * each.flux_psf_err_e
    ]
    assert len(clean) >= 5
    pulls = []
    for each in clean:
        nearest = int(np.argmin(np.hypot(x - each.x_px, y - each.y_px)))
        assert np.hypot(x[nearest] - each.x_px, y[nearest] - each.y_px) < 0.3
        pulls.append((each.flux_psf_e / flux_e[nearest]) - 1)
    assert abs(np.median(pulls)) < 0.02
    assert row.fwhm_px == pytest.approx(conditions.fwhm_px, rel=0.15)
    assert (row.ra_deg, row.dec_deg) == pytest.approx((dense.ra_deg, dense.dec_deg))
    assert (row.width_px, row.height_px) == (256, 256)


def test_a_list_belongs_to_its_image_and_is_superseded_with_it(
    both, small_plan, run_all, monkeypatch
) -> None:
    """A newer version of the step: the old lists stay on record, with their measurements."""
    reduce_night(both, small_plan, run_all, "FindSources")
    count = select(func.count()).select_from(Measurement)
    with both.corral.read() as session:
        before = session.scalar(count)
    monkeypatch.setattr(FindSources, "version", "2")
    report = drain(both.corral, FindSources(), partition=NIGHT)
    assert (report.done, report.outputs) == (5, {"source_list": 5, "measurement": before})
    lists = both.rows(SourceList)
    assert [row.current for row in lists] == [False] * 5 + [True] * 5
    assert {row.product_id for row in lists} == {
        p.id for p in both.rows(Product) if p.kind == "calibrated"
    }
    # What is measured from the same image is the same.
    assert [row.sha256 for row in lists[:5]] == [row.sha256 for row in lists[5:]]


def test_a_frame_of_clouds_has_an_empty_list(both, small_plan, run_all) -> None:
    """No star: nothing is made up, and nothing fails."""
    plan = replace(
        small_plan,
        sky=SkySpec(extinction_mag_per_airmass=25.0),
        detector=DetectorSpec(cosmics_per_cm2_s=0.0),
    )
    reduce_night(both, plan, run_all)
    report = drain(both.corral, FindSources(), partition=NIGHT)
    assert (report.done, report.outputs) == (5, {"source_list": 5})
    for row in both.rows(SourceList):
        assert (row.count, row.fwhm_px, row.ellipticity) == (0, None, None)
        assert row.background_e > 0


def test_what_is_no_number_is_null() -> None:
    """A database takes NaN for a number, or refuses it; None it knows."""
    table = np.zeros(2, SOURCE_DTYPE)
    table["x_px"], table["mag_psf"], table["peak"] = [1.5, 2.5], [np.nan, -9.5], [np.inf, 3.0]
    first, second = measurement_values(SourceCatalogue(table, Psf(2.0, 3.0), 6.0, 1.0, 1.0))
    assert (first["number"], first["x_px"], first["mag_psf"], first["peak_e"]) == (
        0,
        1.5,
        None,
        None,
    )
    assert (second["number"], second["mag_psf"], second["peak_e"]) == (1, -9.5, 3.0)
    assert type(second["flags"]) is int
