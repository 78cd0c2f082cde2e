"""From calibrated images to candidates with light curves, in a simulated night."""

from __future__ import annotations

import io
import shutil
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from include.ccd.image import Image
from include.corral.drain import drain
from include.toritos.candidate_alert import CandidateConfirmed
from include.toritos.candidate_steps import ForcedLightCurves
from include.toritos.difference_steps import SubtractReference
from models import Alert, Candidate, Detection, LightCurvePoint, Product, ProductInput
from tests.include.toritos.sky_night import SkyNight, open_night


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The home of a night that is worked through; its frames came in order."""
    home = tmp_path_factory.mktemp("searched")
    night = open_night(home)
    night.arrive(night.camera())
    reports = night.reduce()
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


def candidate_at(night: SkyNight, name: str) -> Candidate:
    """The one candidate within a pixel of a star of the simulator."""
    found = night.rows(Candidate)
    near = [
        row
        for row in found
        if np.hypot(*np.subtract((row.x_px, row.y_px), night.place_of(name, row.filter))) < 1.0
    ]
    assert len(near) == 1, [(row.x_px, row.y_px) for row in found]
    return near[0]


def test_every_image_has_a_difference_as_noisy_as_it_says(night) -> None:
    """Made from the image and the reference of its filter, on the scale of the reference."""
    differences = night.rows(Product, Product.kind == "difference")
    assert len(differences) == 10
    with night.corral.read() as session:
        for row in differences:
            edges = session.scalars(select(ProductInput).where(ProductInput.product_id == row.id))
            roles = {edge.role: edge.input_product for edge in edges}
            assert {role: each.kind for role, each in roles.items()} == {
                "science": "calibrated",
                "reference": "reference",
            }
            assert {each.filter for each in roles.values()} == {row.filter}
            # What is part of the reference differs from it by less than its own noise.
            assert 0.5 < row.metrics["difference_width_sigma"] < 1.1
            assert row.metrics["limit_5sigma_e"] > 0
            image = Image.read(night.corral.store.locate(row.path))
            assert image.psf.shape == (25, 25)
            assert image.cards["CTYPE1"].startswith("RA---TAN")


def test_the_transient_is_a_candidate_with_its_place_and_brightness(night) -> None:
    """Seen on each image on which it shone, new to the catalogue, to an arcsecond and 0.1 mag."""
    row = candidate_at(night, "NEW1")
    assert (row.detections, row.searched) == (3, 3)
    assert row.known_as is None
    index = night.truth.catalogue.index("NEW1")
    true_mag = 25.0 - 2.5 * np.log10(night.truth.catalogue.flux_e_per_s[index])
    assert row.mag == pytest.approx(true_mag, abs=0.1)
    assert 0 < row.mag_err < 0.05
    assert row.score > 0.5
    assert row.name.startswith("field01-20261120-J")
    on = [each for each in night.truth.science if night.truth.transient_on(each)]
    times = [night.truth.conditions(each).starts_at for each in on]
    assert row.first_seen_at == pytest.approx(min(times), abs=np.timedelta64(1, "s").item())


def test_the_variable_star_is_known_to_the_catalogue(night) -> None:
    """It is named by its star; detections of both filters count together."""
    row = candidate_at(night, "VAR1")
    assert row.known_as.startswith("toritos J")
    assert row.separation_arcsec < 1.0
    assert row.detections >= 5


def test_nothing_else_is_a_candidate(night) -> None:
    """Two things change in the simulated sky."""
    assert len(night.rows(Candidate)) == 2


def test_believed_detections_have_stamps(night) -> None:
    """Science, reference and difference around each; doubted ones have their reasons."""
    detections = night.rows(Detection)
    with night.corral.read() as session:
        for row in session.scalars(select(Detection).where(Detection.real)):
            stamps = np.load(io.BytesIO(row.stamps))
            assert stamps.shape == (3, 31, 31)
            assert abs(stamps[2, 15, 15]) > 0
    assert all(bool(row.doubts) != row.real for row in detections)
    assert all((row.score >= 0.5) == row.real for row in detections)


def test_light_curves_are_the_truth(night) -> None:
    """Flux of the transient on every image, shining or not, within errors and 3 %."""
    row = candidate_at(night, "NEW1")
    points = night.rows(LightCurvePoint, LightCurvePoint.source_name == row.name)
    assert len(points) == 10
    index = night.truth.catalogue.index("NEW1")
    rate = night.truth.catalogue.flux_e_per_s[index]
    first = next(each for each in night.truth.science if each.filter == "V")
    scale = 60.0 * night.truth.conditions(first).transparency
    by_time = {night.truth.conditions(e).starts_at: e for e in night.truth.science}
    for point in points:
        nearest = min(by_time, key=lambda t: abs((t - point.observed_at).total_seconds()))
        on = night.truth.transient_on(by_time[nearest])
        true = rate * scale if on else 0.0
        error = 4 * point.flux_err_e + 0.03 * true + 0.02 * rate * scale
        assert point.flux_e == pytest.approx(true, abs=error)
        assert (point.mag is not None) == (point.flux_e > 0)
        assert point.bjd_tdb == pytest.approx(2461365.5, abs=1.0)


def test_it_is_told_of_once(night) -> None:
    """With what a telescope needs; looking again says nothing more."""
    report = drain(night.corral, CandidateConfirmed())
    assert report.failures == []
    with night.corral.read() as session:
        alerts = {alert.context["name"]: alert for alert in session.scalars(select(Alert))}
    row, known = candidate_at(night, "NEW1"), candidate_at(night, "VAR1")
    assert alerts.keys() == {row.name, known.name}
    alert = alerts[row.name]
    assert (alert.severity, alerts[known.name].severity) == ("warning", "info")
    event = alert.context["sky_event"]
    assert event["ra_deg"] == pytest.approx(row.ra_deg)
    assert event["magnitudes"][0]["filter"] == row.filter
    # The night is searched again: other rows, the same names.
    with night.corral.write() as session:
        late = session.scalars(
            select(Product).where(Product.kind == "difference").order_by(Product.id)
        ).first()
        late.current = False
    reports = night.reduce()
    assert reports["ConfirmCandidates"].done == 1
    again = candidate_at(night, "NEW1")
    assert again.id != row.id
    assert again.name == row.name
    drain(night.corral, CandidateConfirmed())
    with night.corral.read() as session:
        assert len(session.scalars(select(Alert)).all()) == 2


def test_a_late_image_is_compared_alone(finished, tmp_path) -> None:
    """Other differences stay; in whatever order frames come, the same files are left at last."""
    night = open_night(tmp_path)
    frames = night.camera()
    names = [exposure.name for exposure in night.truth.science if exposure.filter == "V"]
    late = [path for path in frames if path.name == names[4]]
    night.arrive([path for path in frames if path not in late])
    night.reduce()
    night.arrive(late)
    reports = night.reduce()
    assert reports["BuildReference"].done == 0
    assert reports[SubtractReference.name].done == 1
    assert (reports["ConfirmCandidates"].done, reports["ForcedLightCurves"].done) == (1, 1)
    whole = open_night(finished)
    kinds = ("reference", "coadd", "difference")
    ours, theirs = (
        {row.path: row.sha256 for row in each.rows(Product, Product.kind.in_(kinds))}
        for each in (night, whole)
    )
    assert ours == theirs
    places = [
        sorted((row.detections, row.searched, row.x_px, row.y_px) for row in each.rows(Candidate))
        for each in (night, whole)
    ]
    assert places[0] == places[1]
    whole.corral.close()
    night.corral.close()


def test_light_curves_follow_the_images_at_intervals(night, drain_at) -> None:
    """Another version of them waits until the last one is old enough; that one stands."""
    at = drain_at(night.corral)
    last = max(row.observed_at for row in night.rows(Product) if row.kind == "difference")
    own = night.home / "site-files" / "toritos.toml"
    text = own.read_text() + "\n[light_curves]\nevery_min = 6\n"
    before = sum(row.current for row in night.rows(LightCurvePoint))
    assert before > 0
    own.write_text(text)
    assert at(ForcedLightCurves(), last).done == 0  # when they are made is no part of them
    for elevation_m, minutes, done in ((4600, 1, 1), (4500, 4, 0), (4500, 8, 1)):
        own.write_text(text.replace("elevation_m = 4650", f"elevation_m = {elevation_m}"))
        report = at(ForcedLightCurves(), last + timedelta(minutes=minutes))
        assert (report.done, report.failed) == (done, 1 - done)
        assert sum(row.current for row in night.rows(LightCurvePoint)) == before
