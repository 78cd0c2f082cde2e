"""References and stacks of a simulated field: made of the right images, and placed on the sky."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import select

from include.ccd.image import Image
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.report import FailurePolicy
from include.toritos.simulator.catalog import truth_wcs
from include.toritos.sky_place import magnitude, read_wcs
from include.toritos.stacking import BuildReference, CoaddField
from include.toritos.star_lists import GRID
from include.toritos.steps import ReduceScience
from models import Product, ProductInput
from tests.include.toritos.sky_night import NIGHT, PLAN, STEPS, SkyNight, open_night

TO_STACKS = STEPS[: STEPS.index(CoaddField) + 1]
LATER = date(2026, 11, 23)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The home of a night whose images are stacked."""
    home = tmp_path_factory.mktemp("stacked")
    night = open_night(home)
    night.arrive(night.camera())
    reports = night.reduce(steps=TO_STACKS)
    assert [each for report in reports.values() for each in report.failures] == []
    night.corral.close()
    return home


@pytest.fixture
def night(finished, tmp_path):
    """A copy of it, to be changed."""
    shutil.copytree(finished, tmp_path / "copy")
    opened = open_night(tmp_path / "copy")
    yield opened
    opened.corral.close()


def stacks(night: SkyNight, kind: str) -> dict[str, Product]:
    return {row.filter: row for row in night.rows(Product, Product.kind == kind)}


def inputs(night: SkyNight, product: Product) -> list[tuple[str, Product]]:
    with night.corral.read() as session:
        edges = session.scalars(select(ProductInput).where(ProductInput.product_id == product.id))
        return [(edge.role, edge.input_product) for edge in edges]


def test_a_field_has_a_reference_of_the_first_images_and_a_stack_of_all(night) -> None:
    """In each filter, on the pixels of the first."""
    references, coadds = stacks(night, "reference"), stacks(night, "coadd")
    assert references.keys() == coadds.keys() == {"V", "R"}
    images = night.rows(Product, Product.kind == "calibrated")
    for name, count in (("V", 7), ("R", 3)):
        of_filter = sorted((i for i in images if i.filter == name), key=lambda i: i.observed_at)
        used = inputs(night, references[name])
        assert {row.id for _, row in used} == {row.id for row in of_filter[:3]}
        assert [row.id for role, row in used if role == GRID] == [of_filter[0].id]
        assert len(inputs(night, coadds[name])) == count
        assert coadds[name].metrics["coadd_images"] == count


def test_a_stack_is_deeper_than_an_image_and_as_noisy_as_it_says(night) -> None:
    """Its background scatters as its variances say, and less than that of one image."""
    image = Image.read(night.corral.store.locate(stacks(night, "coadd")["V"].path))
    reference = Image.read(night.corral.store.locate(stacks(night, "reference")["V"].path))
    faint = (image.mask == 0) & (image.sci < 3 * np.sqrt(image.var))
    assert np.median(image.var[faint]) < 0.7 * np.median(reference.var[faint])
    below = image.sci[faint & (image.sci < 0)] / np.sqrt(image.var[faint & (image.sci < 0)])
    # Lanczos leaves some of the noise in the covariance of neighbours.
    assert 0.7 < np.sqrt(np.mean(below**2)) < 1.1


def test_stacks_are_placed_on_the_sky_with_their_zero_point(night) -> None:
    """To a third of a pixel in the corners; magnitudes of stars to some hundredths."""
    for kind in ("reference", "coadd"):
        product = stacks(night, kind)["V"]
        image = Image.read(night.corral.store.locate(product.path))
        first = next(each for each in night.truth.science if each.filter == "V")
        corners = np.array([[0.0, 0.0], [255.0, 0.0], [0.0, 255.0], [255.0, 255.0]])
        world = truth_wcs(night.truth, first).all_pix2world(corners, 0)
        found = read_wcs(image.cards).all_world2pix(world, 0)
        assert np.abs(found - corners).max() < 0.33
        assert product.flags == []
        index = night.truth.catalogue.index("SAT1") - 3
        true_flux = night.truth.star_flux_e(first)[index]
        mag, error = magnitude(true_flux, 10.0, product.metrics)
        assert mag == pytest.approx(
            25 - 2.5 * np.log10(night.truth.catalogue.flux_e_per_s[index]), abs=0.06
        )
        assert 0 < error < 0.05


def test_later_images_leave_the_reference_as_it_is(finished, tmp_path) -> None:
    """And are stacked; an image from before the others changes both."""
    night = open_night(tmp_path)
    frames = night.camera()
    in_time = {exposure.name: exposure.starts_at for exposure in night.truth.science}
    science = sorted((p for p in frames if p.name in in_time), key=lambda p: in_time[p.name])
    visual = [p for p in science if night.truth.exposure(p.name).filter == "V"]
    first, last = visual[0], visual[-1]
    night.arrive([path for path in frames if path not in (first, last)])
    night.reduce(steps=TO_STACKS)
    before = stacks(night, "reference"), stacks(night, "coadd")
    night.arrive([last])
    reports = night.reduce(steps=TO_STACKS)
    assert (reports["BuildReference"].done, reports["CoaddField"].done) == (0, 1)
    assert stacks(night, "reference")["V"].sha256 == before[0]["V"].sha256
    assert stacks(night, "coadd")["R"].sha256 == before[1]["R"].sha256
    night.arrive([first])
    reports = night.reduce(steps=TO_STACKS)
    assert (reports["BuildReference"].done, reports["CoaddField"].done) == (1, 1)
    # What is left at last is what comes out when they come in order.
    whole = open_night(finished)
    for kind in ("reference", "coadd"):
        ours, theirs = stacks(night, kind), stacks(whole, kind)
        assert {name: row.sha256 for name, row in ours.items()} == {
            name: row.sha256 for name, row in theirs.items()
        }
    whole.corral.close()
    night.corral.close()


def test_a_stack_is_made_when_no_more_images_come(night, monkeypatch) -> None:
    """Half way through the night it would be made again with each; until when is on record."""
    profile = night.home / "site-files" / "toritos.toml"
    profile.write_text(profile.read_text() + "\n[coadding]\nstill_min = 45\n")
    last = {
        name: max(each.starts_at for each in night.truth.science if each.filter == name)
        for name in ("V", "R")
    }
    before = stacks(night, "coadd")
    clock = SimpleNamespace(now=max(last.values()) + timedelta(minutes=44))
    monkeypatch.setattr(Corral, "now", lambda _corral: clock.now)
    report = drain(night.corral, CoaddField(), partition=NIGHT.isoformat())
    waiting = [failure for failure in report.failures if "others are waited for" in failure.message]
    assert (
        len(waiting)
        == report.failed
        == sum(clock.now < t + timedelta(minutes=45) for t in last.values())
    )
    report.raise_for_policy(FailurePolicy.TOLERATE_WAITING)
    clock.now += timedelta(minutes=2)
    assert drain(night.corral, CoaddField(), partition=NIGHT.isoformat()).done == len(waiting)
    assert {name: row.sha256 for name, row in stacks(night, "coadd").items()} != before


def test_a_clock_that_is_ahead_keeps_no_stack_waiting(night, monkeypatch) -> None:
    """What it calls the future says nothing of what may come."""
    profile = night.home / "site-files" / "toritos.toml"
    profile.write_text(profile.read_text() + "\n[coadding]\nstill_min = 45\n")
    first = min(each.starts_at for each in night.truth.science)
    monkeypatch.setattr(Corral, "now", lambda _corral: first - timedelta(hours=1))
    assert drain(night.corral, CoaddField(), partition=NIGHT.isoformat()).done == 2


def test_a_later_night_makes_no_reference(night) -> None:
    """While there is an older one; its own is withdrawn when an older one comes to be."""
    after = replace(PLAN, night=LATER, science={"V": 2, "R": 2})
    night.arrive(night.camera(after))
    night.reduce(LATER, TO_STACKS)
    assert {row.partition_key for row in night.rows(Product, Product.kind == "reference")} == {
        NIGHT.isoformat()
    }
    assert stacks(night, "coadd").keys() == {"V", "R"}
    with night.corral.write() as session:  # as when its night is withdrawn
        for row in session.scalars(select(Product).where(Product.kind == "reference")):
            row.current = False
    night.reduce(LATER, TO_STACKS)
    made = night.rows(Product, Product.kind == "reference")
    assert {row.partition_key for row in made} == {LATER.isoformat()}
    with night.corral.write() as session:
        for row in session.scalars(select(Product).where(Product.kind == "reference")):
            row.current = row.partition_key == NIGHT.isoformat() or row.current
    night.reduce(LATER, TO_STACKS)
    assert {row.partition_key for row in night.rows(Product, Product.kind == "reference")} == {
        NIGHT.isoformat()
    }


def test_an_image_that_a_check_keeps_out_is_not_stacked(tmp_path) -> None:
    """A limit of severity quarantine decides, as it does at the gate."""
    limit = '[[checks]]\nname="late"\nmetric="background_e"\nhigh=%f\nseverity="quarantine"\n'
    night = open_night(tmp_path, profile=limit % 1e9)
    night.arrive(night.camera(replace(PLAN, science={"V": 4})))
    night.reduce(steps=STEPS[: STEPS.index(BuildReference)])
    levels = sorted(
        row.metrics["background_e"] for row in night.rows(Product, Product.kind == "calibrated")
    )
    profile = tmp_path / "site-files" / "toritos.toml"
    profile.write_text(profile.read_text().replace(f"{1e9:f}", f"{np.mean(levels[2:]):f}"))
    night.reduce(steps=(ReduceScience, BuildReference, CoaddField))
    for kind in ("reference", "coadd"):
        used = inputs(night, stacks(night, kind)["V"])
        assert sorted(row.metrics["background_e"] for _, row in used) == levels[:3]
    night.corral.close()


def test_too_few_images_make_no_stack_and_no_failure(tmp_path) -> None:
    """One image is not two; the record says so."""
    night = open_night(tmp_path)
    night.arrive(night.camera(replace(PLAN, science={"V": 1})))
    reports = night.reduce(steps=TO_STACKS)
    assert reports["BuildReference"].done == 1
    assert stacks(night, "reference") == stacks(night, "coadd") == {}
    night.corral.close()
