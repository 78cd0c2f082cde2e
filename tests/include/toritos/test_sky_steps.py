"""Places on the sky and zero points of simulated nights, from a small local catalogue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from include.ccd.reference_catalog import write_catalog
from include.ccd.world import wcs_from_cards
from include.corral.drain import drain
from include.toritos.instrument import SHIPPED
from include.toritos.simulator import NightPlan, Truth, simulate_night
from include.toritos.simulator.catalog import ZERO_POINT, truth_catalog, truth_wcs
from include.toritos.simulator.detector import DetectorSpec
from include.toritos.simulator.sky import SkySpec
from include.toritos.sky_steps import FindZeroPoint, SolveAstrometry
from models import AstrometricSolution, PhotometricSolution, UnitRun

NIGHT = "2026-11-20"
TO_SOURCES = ("MasterBias", "MasterDark", "MasterFlat", "ReduceScience", "FindSources")


@pytest.fixture
def plan(small_plan) -> NightPlan:
    """One filter, and enough stars for a pattern."""
    sky = SkySpec(stars_per_megapixel=900.0)
    return replace(small_plan, flats={"V": 3}, science={"V": 2}, sky=sky)


def keep_catalog(station, truth: Truth) -> Path:
    """The truth as the site's catalogue."""
    folder = station.corral.settings.inbox.parent / "catalogs"
    folder.mkdir(exist_ok=True)
    station.corral.settings.pipeline["catalogs"] = str(folder)
    write_catalog(truth_catalog(truth), folder / "toritos.ecsv")
    return folder


def own_profile(station, old: str, new: str) -> None:
    """The site's own edition of the shipped profile."""
    folder = station.corral.settings.inbox.parent / "profiles"
    folder.mkdir(exist_ok=True)
    text = (SHIPPED / "toritos.toml").read_text()
    assert old in text
    (folder / "toritos.toml").write_text(text.replace(old, new))
    station.corral.settings.pipeline["profiles"] = str(folder)


def observe(station, plan: NightPlan, run_all, **header) -> Truth:
    """A night in the inbox, and the lists of its sources."""
    pointed = replace(plan, **header)
    simulate_night(pointed, station.corral.settings.inbox / NIGHT)
    run_all(station.corral, steps=TO_SOURCES)
    return Truth(plan)


def place(station) -> list[AstrometricSolution]:
    """What the two steps have found."""
    for step in (SolveAstrometry(), FindZeroPoint()):
        report = drain(station.corral, step, partition=NIGHT)
        assert report.failures == []
    return station.rows(AstrometricSolution, AstrometricSolution.current)


def test_images_are_placed_and_calibrated_as_the_simulator_knows(both, plan, run_all) -> None:
    """To a fifth of a pixel, to a hundredth of a magnitude, with all numbers in the rows."""
    truth = observe(both, plan, run_all)
    keep_catalog(both, truth)
    solutions = place(both)
    assert [row.solved for row in solutions] == [True, True]
    for row in solutions:
        frame = truth.science[0 if row.observed_at == min(s.observed_at for s in solutions) else 1]
        corners = np.array([[0.0, 0.0], [255.0, 0.0], [0.0, 255.0], [127.0, 127.0]])
        world = truth_wcs(truth, frame).all_pix2world(corners, 0)
        found = wcs_from_cards(row.wcs).all_world2pix(world, 0)
        assert np.abs(found - corners).max() < 0.2
        assert row.rms_arcsec < 0.2
        assert row.matches >= 8
        assert row.scale_arcsec_per_px == pytest.approx(0.7105, rel=2e-3)
    for row in both.rows(PhotometricSolution):
        conditions = truth.conditions(truth.science[0])
        expected = ZERO_POINT + 2.5 * np.log10(conditions.transparency)
        assert row.calibrated
        assert row.zero_point_mag == pytest.approx(expected, abs=0.03)
        assert 0 < row.zero_point_err_mag < 0.02
        assert row.stars_used >= 5
        assert 17 < row.limiting_mag < 24
        sky_e_per_s_arcsec2 = 10.0 / 0.7105**2
        expected_sky = row.zero_point_mag - 2.5 * np.log10(sky_e_per_s_arcsec2)
        assert row.sky_mag_per_arcsec2 == pytest.approx(expected_sky, abs=0.4)


def test_a_wrong_pointing_is_found_in_a_wider_search(station, plan, run_all) -> None:
    """Off by more than the radius: twice it is tried, and what was tried is on record."""
    own_profile(station, "radius_deg = 0.5", "radius_deg = 0.05")
    truth = observe(station, plan, run_all, dec_deg=plan.dec_deg + 0.15)
    keep_catalog(station, truth)
    (first, _) = place(station)
    assert first.solved
    assert first.dec_deg == pytest.approx(plan.dec_deg, abs=0.01)
    assert len(first.attempts) > 1
    assert "no match" in first.attempts[0]


def test_without_a_catalogue_an_image_is_flagged_and_solved_when_one_comes(
    station, plan, run_all
) -> None:
    """The reason names the file and the remedy; the new file makes the step look again."""
    truth = observe(station, plan, run_all)
    rows = place(station)
    assert [row.solved for row in rows] == [False, False]
    assert "no catalogue toritos.ecsv" in rows[0].reason
    assert "CORRAL_CATALOGS" in rows[0].reason
    assert station.rows(PhotometricSolution) == []
    keep_catalog(station, truth)
    assert [row.solved for row in place(station)] == [True, True]
    assert drain(station.corral, SolveAstrometry(), partition=NIGHT).done == 0


def test_a_frame_of_clouds_is_flagged_and_not_failed(both, plan, run_all) -> None:
    """No stars: not solved, with the number of sources in the reason and on the attempt."""
    clouds = replace(
        plan,
        sky=SkySpec(extinction_mag_per_airmass=25.0),
        detector=DetectorSpec(cosmics_per_cm2_s=0.0),
    )
    keep_catalog(both, observe(both, clouds, run_all))
    rows = place(both)
    assert {(row.solved, row.reason) for row in rows} == {(False, "0 sources; 8 stars are needed")}
    assert (rows[0].ra_deg, rows[0].wcs, rows[0].attempts) == (None, {}, [])
    remarks = [run.message for run in both.rows(UnitRun) if run.message]
    assert remarks.count("not solved: 0 sources; 8 stars are needed") == 2


def test_a_filter_that_the_catalogue_lacks_is_said(station, plan, run_all) -> None:
    """Placed all the same; the zero point has a reason."""
    own_profile(station, 'file = "toritos.ecsv"', 'file = "toritos.ecsv"\nfilters = { V = "g" }')
    keep_catalog(station, observe(station, plan, run_all))
    assert [row.solved for row in place(station)] == [True, True]
    (first, _) = station.rows(PhotometricSolution)
    assert not first.calibrated
    assert "mag_g" in first.reason


def test_a_camera_without_astrometry_has_nothing_to_do(station, plan, run_all) -> None:
    """Units are done, no row is made, the attempt says why."""
    text = (SHIPPED / "toritos.toml").read_text()
    section = text[text.index("[astrometry]") : text.index("[[checks]]")]
    own_profile(station, section, "")
    observe(station, plan, run_all)
    assert place(station) == []
    assert any("names no astrometry" in (run.message or "") for run in station.rows(UnitRun))
