"""Light curves of targets, from simulated nights, against what the simulator knows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from include.ccd.reference_catalog import write_catalog
from include.corral.drain import drain
from include.corral.errors import FailureClass
from include.toritos.instrument import SHIPPED
from include.toritos.simulator import NightPlan, Truth, simulate_night
from include.toritos.simulator.catalog import truth_catalog, truth_wcs
from include.toritos.simulator.detector import DetectorSpec
from include.toritos.simulator.sky import SkySpec
from include.toritos.target_steps import TargetLightCurves
from models import LightCurvePoint, SourceList

NIGHT = "2026-11-20"
STEPS = ("MasterBias", "MasterDark", "MasterFlat", "ReduceScience", "FindSources")


@pytest.fixture
def plan(small_plan) -> NightPlan:
    """Ten images of a field with enough stars, in two filters; no cosmic rays."""
    return replace(
        small_plan,
        size_px=320,
        science={"V": 9, "R": 3},
        sky=SkySpec(stars_per_megapixel=900.0, faintest_e_per_s=60.0),
        detector=DetectorSpec(cosmics_per_cm2_s=0.0),
    )


def with_targets(station, folder: Path, *targets: str) -> None:
    """The site has a profile that names targets."""
    text = (SHIPPED / "toritos.toml").read_text(encoding="utf-8")
    folder.mkdir(exist_ok=True)
    tables = "".join(f"\n[[targets]]\n{target}" for target in targets)
    (folder / "toritos.toml").write_text(text + tables, encoding="utf-8")
    station.corral.settings.pipeline["profiles"] = str(folder)


def target(name: str, truth: Truth, star: int, *, field: str = "field01", chart: int = 20) -> str:
    """The entry of a star, with a chart of the brightest around it."""
    x, y = truth.catalogue.x_px, truth.catalogue.y_px
    text = f'name = "{name}"\nra_deg = 30.0\ndec_deg = -29.5\nfield = "{field}"\n'
    text += f"pixel = [{x[star]:.1f}, {y[star]:.1f}]\n"
    inside = (x > 5) & (x < 315) & (y > 5) & (y < 315)
    bright = np.argsort(-np.where(inside, truth.catalogue.flux_e_per_s, 0.0))[:chart]
    places = ", ".join(f"[{x[n]:.1f}, {y[n]:.1f}]" for n in bright)
    return text + f"chart = [{places}]\n"


def expected(truth: Truth, star: int, band: str) -> np.ndarray:
    """Relative flux above the air on each image of a filter: what an ensemble should see."""
    images = [each for each in truth.science if each.filter == band]
    flux = np.array([truth.star_flux_e(each) for each in images])
    seen = (flux > 0).all(axis=0)
    steady = np.median(flux[:, seen] / flux[0, seen], axis=1)
    curve = flux[:, star] / steady
    return curve / np.median(curve)


def test_a_variable_star_has_its_true_curve_in_each_filter(both, plan, run_all, tmp_path) -> None:
    """Within the errors; the times rise by the cadence; every image has its point."""
    truth = simulate_night(plan, both.corral.settings.inbox / NIGHT)
    star = truth.catalogue.index("VAR1")
    with_targets(both, tmp_path / "own", target("VAR1", truth, star))
    run_all(both.corral, steps=STEPS)
    report = drain(both.corral, TargetLightCurves(), partition=NIGHT)
    assert (report.done, report.outputs) == (2, {"light_curve_point": 12})
    points = both.rows(LightCurvePoint)
    for band, count in (("V", 9), ("R", 3)):
        mine = sorted((p for p in points if p.filter == band), key=lambda p: p.observed_at)
        flux = np.array([p.relative_flux for p in mine])
        error = np.array([p.relative_flux_err for p in mine])
        assert len(mine) == count
        assert (error < 0.02).all()
        pull = (flux - expected(truth, star, band)) / error
        assert np.abs(pull).max() < 4.0
    assert np.ptp([p.relative_flux for p in points]) > 0.1
    first = min(points, key=lambda p: p.observed_at)
    # 30 s of exposure, 69 s to TT, and the light's way of up to eight minutes.
    start = first.observed_at.timestamp() / 86400.0 + 2440587.5
    assert abs((first.bjd_tdb - start) * 86400.0 - 99.0) < 499.0
    assert {(p.method, p.source_name) for p in points} == {("ensemble", "VAR1")}


def test_what_changes_nothing_is_not_done_again_and_another_target_is(
    station, plan, run_all, tmp_path
) -> None:
    """The targets are part of the fingerprint; older points stay, and are not current."""
    truth = simulate_night(plan, station.corral.settings.inbox / NIGHT)
    star = truth.catalogue.index("VAR1")
    with_targets(station, tmp_path / "own", target("VAR1", truth, star))
    run_all(station.corral, steps=STEPS)
    assert drain(station.corral, TargetLightCurves(), partition=NIGHT).done == 2
    assert drain(station.corral, TargetLightCurves(), partition=NIGHT).done == 0
    steady = int(np.argmin(np.abs(truth.catalogue.flux_e_per_s - 900.0)))
    entries = [target("VAR1", truth, star), target("STEADY", truth, steady)]
    with_targets(station, tmp_path / "own", *entries, target("ELSEWHERE", truth, 0, field="x"))
    assert drain(station.corral, TargetLightCurves(), partition=NIGHT).done == 2
    current = [p.source_name for p in station.rows(LightCurvePoint) if p.current]
    assert set(current) <= {"VAR1", "STEADY"}
    assert current.count("VAR1") == 12


def test_a_night_without_targets_or_stars_is_done_without_points(
    station, small_plan, run_all, tmp_path
) -> None:
    """Clouds: nothing is made up."""
    plan = replace(small_plan, sky=SkySpec(extinction_mag_per_airmass=25.0))
    truth = simulate_night(plan, station.corral.settings.inbox / NIGHT)
    run_all(station.corral, steps=STEPS)
    assert len(station.rows(SourceList)) == 5
    assert drain(station.corral, TargetLightCurves(), partition=NIGHT).done == 2
    with_targets(station, tmp_path / "own", target("VAR1", truth, truth.catalogue.index("VAR1")))
    report = drain(station.corral, TargetLightCurves(), partition=NIGHT)
    assert (report.done + report.failed, report.outputs) == (2, {})


def test_an_object_is_found_by_its_position_and_has_magnitudes_of_the_catalogue(
    station, plan, run_all, tmp_path
) -> None:
    """No chart: the first good image is placed on the sky, and its stars give the zero point."""
    plan = replace(plan, science={"V": 6}, flats={"V": 3})
    truth = simulate_night(plan, station.corral.settings.inbox / NIGHT)
    catalog = truth_catalog(truth)
    write_catalog(catalog, tmp_path / "toritos.ecsv")
    station.corral.settings.pipeline["catalogs"] = str(tmp_path)
    star = truth.catalogue.index("VAR1")
    sky = truth_wcs(truth)
    ra_deg, dec_deg = sky.all_pix2world(
        [[truth.catalogue.x_px[star], truth.catalogue.y_px[star]]], 0
    )[0]
    place = f'name = "VAR1"\nra_deg = {ra_deg}\ndec_deg = {dec_deg}\n'
    far = f'name = "FAR"\nra_deg = {ra_deg}\ndec_deg = {dec_deg + 1}\n'
    with_targets(station, tmp_path / "own", place, far)
    run_all(station.corral, steps=STEPS)
    report = drain(station.corral, TargetLightCurves(), partition=NIGHT)
    assert (report.done, report.outputs) == (1, {"light_curve_point": 6})
    points = sorted(station.rows(LightCurvePoint), key=lambda p: p.observed_at)
    assert {p.source_name for p in points} == {"VAR1"}
    flux = np.array([p.relative_flux for p in points])
    error = np.array([p.relative_flux_err for p in points])
    assert (np.abs(flux - expected(truth, star, "V")) < 4 * error).all()
    # Constant part of the star's light is what the catalogue has; the rest is its variation.
    nearest = np.argmin(np.hypot(catalog.ra_deg - ra_deg, catalog.dec_deg - dec_deg))
    mag = np.array([p.mag for p in points])
    assert np.abs(mag - catalog.mag["V"][nearest]).max() < 0.5
    np.testing.assert_allclose(np.diff(mag), -2.5 * np.diff(np.log10(flux)), atol=1e-6)
    assert all(p.mag_err > 0 for p in points)


def current(station) -> int:
    """How many points are."""
    return sum(row.current for row in station.rows(LightCurvePoint))


def test_a_light_curve_follows_the_images_at_intervals(
    station, plan, run_all, tmp_path, drain_at
) -> None:
    """The first one is made at once; until the next one, it stands; in the end nothing is left."""
    plan = replace(plan, science={"V": 6}, flats={"V": 3})
    truth = simulate_night(plan, tmp_path / "camera")
    with_targets(station, tmp_path / "own", target("VAR1", truth, truth.catalogue.index("VAR1")))
    inbox = station.corral.settings.inbox / NIGHT
    late = tmp_path / "camera" / truth.science[-1].name
    shutil.copytree(tmp_path / "camera", inbox)
    (inbox / late.name).unlink()
    run_all(station.corral, steps=STEPS)
    at = drain_at(station.corral)
    made = max(row.observed_at for row in station.rows(SourceList)) + timedelta(minutes=2)
    assert at(TargetLightCurves(), made).done == 1
    assert current(station) == 5
    shutil.copy(late, inbox)
    run_all(station.corral, steps=STEPS)
    (failure,) = at(TargetLightCurves(), made + timedelta(minutes=9)).failures
    assert failure.failure_class == FailureClass.UPSTREAM_MISSING
    assert "6 images of field01 are here; those that came after" in failure.message
    assert current(station) == 5
    assert at(TargetLightCurves(), made + timedelta(minutes=10)).done == 1
    assert current(station) == 6
    assert at(TargetLightCurves(), made + timedelta(minutes=11)).done == 0
