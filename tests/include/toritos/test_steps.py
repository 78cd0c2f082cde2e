"""A simulated night through the steps, without Airflow."""

from __future__ import annotations

import errno
from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from sqlalchemy import inspect, select, text

from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.corral.audit import audit
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.corral.views import explain_lines
from include.toritos.instrument import SHIPPED
from include.toritos.loader import FitsInbox
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import NightPlan, Truth, simulate_night
from include.toritos.steps import MasterBias, MasterDark, MasterFlat, NightGate, ReduceScience
from models import Base, Frame, Product, ProductInput, QualityCheck, Unit, UnitRun

NIGHT = "2026-11-20"
# Rows that tell of triggers, which a rerun adds to, and marks and notes of the planner.
OF_TRIGGERS = {"step_run", "planned", "due"}


def dump(corral: Corral) -> dict[str, list]:
    """Every row of every table that a rerun must leave as it is."""
    with corral.read() as session:
        there = set(inspect(session.connection()).get_table_names())
        return {
            table.name: session.execute(select(table).order_by(*table.primary_key)).all()
            for table in Base.metadata.sorted_tables
            if table.name in there - OF_TRIGGERS
        }


def files(corral: Corral) -> dict[str, bytes]:
    root = corral.settings.products
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def products(corral: Corral, *, current: bool = True) -> list[Product]:
    with corral.read() as session:
        query = select(Product).where(Product.current == current).order_by(Product.id)
        return list(session.scalars(query))


def test_night_goes_from_files_to_checked_images(site, small_night, run_all) -> None:
    """Masters, calibrated images and checks are there; the gate lets the night pass."""
    reports = run_all(site)
    assert [report.failures for report in reports.values()] == [[]] * (1 + len(TORITOS.steps))
    assert Counter(product.kind for product in products(site)) == {
        "master_bias": 1,
        "master_dark": 1,
        "master_flat": 2,
        "calibrated": 5,
        "reference": 2,
        "coadd": 2,
    }
    assert reports["NightGate"].done == 1
    with site.read() as session:
        verdicts = Counter(session.scalars(select(QualityCheck.verdict)))
    assert verdicts.total() == 5 * 6
    assert verdicts["bad"] == 0


def test_product_knows_everything_it_is_made_from(site, small_night, run_all) -> None:
    """From a calibrated image, edges lead to its frame and masters, and from these to frames."""
    run_all(site)
    with site.read() as session:
        image = session.scalars(select(Product).where(Product.kind == "calibrated")).first()
        edges = session.scalars(select(ProductInput).where(ProductInput.product_id == image.id))
        roles = {edge.role: edge.input_product or edge.frame for edge in edges}
        lines = "\n".join(explain_lines(session, image))
        dark_inputs = Counter(
            session.scalars(
                select(ProductInput.role).where(ProductInput.product_id == roles["dark"].id)
            )
        )
    assert {"science", "bias", "dark", "flat"} == roles.keys()
    assert roles["flat"].filter == image.filter == roles["science"].filter
    assert dark_inputs == {"dark": 3, "bias": 1}
    assert "taken (level 0)" in lines


def test_rerun_changes_no_row_and_no_byte(site, small_night, run_all) -> None:
    """A night that is reduced stays as it is, however often it is triggered."""
    run_all(site)
    rows, bytes_ = dump(site), files(site)
    reports = run_all(site)
    assert sum(report.done for report in reports.values()) == 0
    assert dump(site) == rows
    assert files(site) == bytes_


def test_two_installations_make_the_same_bytes(
    site, small_plan, small_night, run_all, tmp_path
) -> None:
    """The same frames give the same files, whatever order they came in."""
    run_all(site)
    other = Corral(Settings.below(tmp_path / "other"))
    simulate_night(small_plan, tmp_path / "camera")
    inbox = other.settings.inbox / NIGHT
    inbox.mkdir(parents=True)
    # Every frame comes alone and is reduced at once, the last one first: calibrations last.
    for path in sorted((tmp_path / "camera").iterdir(), reverse=True):
        path.rename(inbox / path.name)
        run_all(other)
    assert {p.path: p.sha256 for p in products(other)} == {p.path: p.sha256 for p in products(site)}


def test_what_the_database_held_before_leaves_no_trace(
    site, small_plan, small_night, run_all, tmp_path
) -> None:
    """Another night came first there: no number that the database gives is in a product."""
    run_all(site)
    other = Corral(Settings.below(tmp_path / "other", pipeline={"still_s": "0"}))
    simulate_night(
        replace(small_plan, night=date(2026, 3, 1), science={}), other.settings.inbox / "old"
    )
    run_all(other, "2026-03-01")
    simulate_night(small_plan, other.settings.inbox / NIGHT)
    run_all(other)
    made = {p.path: p.sha256 for p in products(other) if p.partition_key == NIGHT}
    assert made == {p.path: p.sha256 for p in products(site)}
    other.close()


@pytest.mark.parametrize("step", [MasterBias, MasterDark, MasterFlat])
def test_night_that_goes_on_without_a_master_is_remade_when_it_comes(
    site, small_plan, small_night, run_all, tmp_path, monkeypatch, step
) -> None:
    """Its unit failed in a way that passes; what was made meanwhile is superseded, to the byte."""
    calm = Corral(Settings.below(tmp_path / "calm", pipeline={"still_s": "0"}))
    simulate_night(small_plan, calm.settings.inbox / NIGHT)
    run_all(calm)

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(step, "combine", failing)
        reports = run_all(site)
    assert {failure.failure_class for failure in reports[step.name].failures} == {"retry"}
    without = {product.path for product in products(site)}
    run_all(site)
    made = {p.path: p.sha256 for p in products(site)}
    assert made == {p.path: p.sha256 for p in products(calm)}
    assert without != made.keys()
    assert audit(site, promises=TORITOS.promises) == []
    calm.close()


def test_new_version_redoes_its_products_and_those_made_from_them(
    site, small_night, run_all, monkeypatch
) -> None:
    """Flats of another version: new flats, new images; bias and dark stay."""
    run_all(site)
    before = {product.id: product for product in products(site)}
    monkeypatch.setattr(MasterFlat, "version", "2")
    reports = run_all(site)
    done = {name: report.done for name, report in reports.items()}
    assert (done["load"], done["MasterBias"], done["MasterDark"], done["MasterFlat"]) == (
        0,
        0,
        0,
        2,
    )
    assert (done["ReduceScience"], done["CheckQuality"], done["FindSources"]) == (5, 5, 5)
    assert done["NightGate"] == 1
    old = products(site, current=False)
    assert {product.kind for product in old} == {
        "master_flat",
        "calibrated",
        "reference",
        "coadd",
    }
    after = {product.id: product for product in products(site)}
    assert all(p.superseded_by_id in after for p in old)
    assert {after[p.superseded_by_id].kind == before[p.id].kind for p in old} == {True}
    # What was superseded is still there, byte for byte.
    assert all(site.store.verify(product.path, product.sha256) for product in old)


def test_changed_profile_redoes_what_depends_on_it(site, small_night, run_all, tmp_path) -> None:
    """A threshold of the checks changes the checks, not the images."""
    run_all(site)
    own = tmp_path / "profiles"
    own.mkdir()
    shipped = (SHIPPED / "toritos.toml").read_text()
    (own / "toritos.toml").write_text(shipped.replace("high = 12", "high = 0.1"))
    settings = Settings.below(site.settings.inbox.parent, pipeline={"profiles": str(own)})
    with_own = Corral(settings)
    reports = run_all(with_own)
    with_own.close()
    assert reports["ReduceScience"].done == 0
    assert reports["CheckQuality"].done == 5
    with site.read() as session:
        seeing = select(QualityCheck.verdict).where(
            QualityCheck.name == "seeing", QualityCheck.current
        )
        assert set(session.scalars(seeing)) == {"warn"}


def test_one_poisoned_frame_in_forty_fails_alone(site, run_all) -> None:
    """Thirty-nine are reduced, one is recorded as failed, and a retry touches only that one."""
    simulate_night(NightPlan.demo(size_px=256), site.settings.inbox / NIGHT)
    drain(site, FitsInbox())
    with site.read() as session:
        victim = session.scalars(select(Frame).where(Frame.kind == "science")).first()
    # The frame was registered whole; then its file rots.
    path = site.settings.inbox / victim.path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    reports = {step.name: drain(site, step(), partition=NIGHT) for step in TORITOS.steps}
    report = reports["ReduceScience"]
    assert (report.done, report.failed) == (39, 1)
    assert report.failures[0].failure_class == "bad_data"
    assert reports["NightGate"].failures[0].failure_class == "upstream_missing"
    path.write_bytes(whole)
    again = drain(site, ReduceScience(), partition=NIGHT, retry_failed=True)
    assert (again.done, again.failed) == (1, 0)
    with site.read() as session:
        query = select(UnitRun).join(Unit).where(Unit.step == "ReduceScience")
        outcomes = Counter(run.outcome for run in session.scalars(query))
    assert outcomes == {"done": 40, "failed": 1}


def test_night_without_darks_is_reduced_and_says_so(site, small_plan, run_all) -> None:
    """The missing dark is a flag of every product that should have had one."""
    simulate_night(replace(small_plan, darks={}), site.settings.inbox / NIGHT)
    run_all(site)
    flags = {(product.kind, *product.flags) for product in products(site)}
    assert flags == {
        ("master_bias",),
        ("master_flat", "no_dark"),
        ("calibrated", "no_dark"),
        ("reference", "not_placed"),
        ("coadd", "not_placed"),
    }


def test_night_without_flats_waits_for_them(site, small_plan, run_all) -> None:
    """Without a flat nothing is made up: the frames wait, and are reduced when flats come."""
    folder = site.settings.inbox / NIGHT
    simulate_night(replace(small_plan, flats={}), folder)
    reports = run_all(site)
    classes = {failure.failure_class for failure in reports["ReduceScience"].failures}
    assert (reports["ReduceScience"].failed, classes) == (5, {"upstream_missing"})
    simulate_night(small_plan, folder)
    reports = run_all(site)
    assert reports["ReduceScience"].done == 5
    assert reports["NightGate"].done == 1


def test_gate_stops_a_night_with_too_many_bad_images(site, small_night, run_all) -> None:
    """The gate fails when more images are bad than its parameter allows."""
    run_all(site)
    with site.write() as session:
        session.execute(text("UPDATE quality_check SET verdict = 'bad'"))
    report = drain(site, NightGate(max_bad_fraction=0.1), partition=NIGHT)
    assert report.failures[0].failure_class == "bad_data"
    assert "5 of 5" in report.failures[0].message


def test_masters_of_the_night_are_read_noise_and_level_of_the_simulator(
    site, small_night: Truth, run_all
) -> None:
    """The measured read noise is the simulator's, in ADU."""
    run_all(site, steps=[MasterBias.name])
    (bias,) = products(site)
    expected = 8.0 / 1.5
    np.testing.assert_allclose(bias.metrics["read_noise_adu"], expected, rtol=0.03)


def test_cosmic_rays_are_replaced_where_the_simulator_put_them(
    site, small_night: Truth, run_all
) -> None:
    """Nearly all bright hits have the bit and no longer stand out; the number is a metric."""
    run_all(site, steps=["MasterBias", "MasterDark", "MasterFlat", "ReduceScience"])
    found = missed = 0
    images = [product for product in products(site) if product.kind == "calibrated"]
    images.sort(key=lambda product: product.observed_at)
    for product, frame in zip(images, small_night.science, strict=True):
        image = Image.read(site.store.locate(product.path))
        excess = image.sci - small_night.image(frame)
        hit = small_night.cosmic(frame)
        cosmic = (image.mask & MaskBit.COSMIC) != 0
        found += np.count_nonzero(hit & cosmic)
        missed += np.count_nonzero(hit & (image.mask == 0) & (excess > 300))
        assert product.metrics["cosmic_count"] == np.count_nonzero(cosmic)
        assert product.metrics["cosmic_fraction"] == pytest.approx(cosmic.mean())
    assert found > 3
    assert missed <= 1


def test_profile_without_cosmic_rays_leaves_them(site, small_night, run_all, tmp_path) -> None:
    """As where stars are as sharp as they."""
    own = tmp_path / "profiles"
    own.mkdir()
    shipped = (SHIPPED / "toritos.toml").read_text()
    (own / "toritos.toml").write_text(shipped.replace("[cosmic_rays]", ""))
    site.settings.pipeline["profiles"] = str(own)
    run_all(site, steps=["MasterBias", "MasterDark", "MasterFlat", "ReduceScience"])
    (image, *_) = [product for product in products(site) if product.kind == "calibrated"]
    assert "cosmic_count" not in image.metrics
    mask = Image.read(site.store.locate(image.path)).mask
    assert not (mask & MaskBit.COSMIC).any()
