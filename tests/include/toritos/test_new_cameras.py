"""A newcomer writes a profile, and the nights of a camera are reduced: no line of code."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select

from include.ccd.image import Image
from include.corral.audit import audit
from include.corral.corral import Corral
from include.toritos.account import account
from include.toritos.pipeline import TORITOS
from models import Frame, Product, Rejection
from tests.include.toritos.new_cameras import PROFILES, SKY_E, southside, twochip

CAMERAS = {"southside": (southside, "2026-07-03"), "twochip": (twochip, "2026-07-03")}
MADE = {
    "southside": {"master_bias": 1, "master_dark": 1, "master_flat": 1, "calibrated": 4},
    "twochip": {"master_bias": 1, "master_flat": 1, "calibrated": 4},
}


@pytest.fixture(params=CAMERAS)
def camera(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def place(site, camera) -> Corral:
    """An installation with the profile of the camera, and its files in the inbox."""
    options = {"profile": camera, "profiles": str(PROFILES), "still_s": "0"}
    make, _ = CAMERAS[camera]
    for name, content in make():
        (site.settings.inbox / name).write_bytes(content)
    corral = Corral(replace(site.settings, pipeline=options))
    yield corral
    corral.close()


def mark_complete(corral: Corral) -> None:
    """The camera says that its files are complete."""
    for file in list(corral.settings.inbox.glob("*.fz")):
        file.with_name(f"{file.name}.ok").touch()


def current(corral: Corral, kind: str) -> list[Product]:
    with corral.read() as session:
        query = select(Product).where(Product.kind == kind, Product.current)
        return list(session.scalars(query.order_by(Product.observed_at)))


def test_night_of_a_new_camera_goes_from_files_to_products(place, camera, run_all) -> None:
    """All files count, masters and images are made, and images are in electrons of the sky."""
    mark_complete(place)
    _, night = CAMERAS[camera]
    reports = run_all(place, night)
    assert [report.failures for report in reports.values()] == [[]] * len(reports)
    with place.read() as session:
        total = account(session)[-1]
        made = Counter(session.scalars(select(Product.kind)))
        nights = {frame.partition_key for frame in session.scalars(select(Frame))}
        assert session.scalars(select(Rejection)).all() == []
    number = len(list(CAMERAS[camera][0]()))
    assert (total.seen, total.registered, total.difference) == (number, number, 0)
    assert nights == {night}
    assert {kind: made[kind] for kind in MADE[camera]} == MADE[camera]
    for product in current(place, "calibrated"):
        image = Image.read(place.store.locate(product.path))
        assert np.median(image.sci) == pytest.approx(SKY_E, rel=0.03)
        assert set(product.flags) <= {"no_dark"}
    assert audit(place, promises=TORITOS.promises) == []


@pytest.mark.parametrize("camera", ["southside"], indirect=True)
def test_what_the_school_writes_is_understood(place, run_all) -> None:
    """Summer time, two digits of the year, milliseconds, kelvin, a filter by its position."""
    run_all(place, "2026-07-03")
    with place.read() as session:
        query = select(Frame).where(Frame.kind == "science").order_by(Frame.observed_at)
        frame = session.scalars(query).first()
    assert frame.observed_at.isoformat() == "2026-07-03T22:30:00+00:00"
    assert (frame.filter, frame.exptime_s, frame.binning) == ("V", 60.0, "2x2")
    assert (frame.temperature_c, frame.width_px, frame.height_px) == (-14.95, 64, 48)
    assert (frame.ra_deg, frame.dec_deg) == pytest.approx((250.4233, 36.4614), abs=1e-3)


@pytest.mark.parametrize("camera", ["twochip"], indirect=True)
def test_packed_chip_waits_for_its_mark_and_begins_before_its_middle(place, run_all) -> None:
    """The time that the header tells is that of half the exposure."""
    run_all(place, "2026-07-03")
    with place.read() as session:
        reasons = Counter(session.scalars(select(Rejection.reason)))
    assert reasons == {"not_marked": 14}
    mark_complete(place)
    run_all(place, "2026-07-03")
    with place.read() as session:
        query = select(Frame).where(Frame.kind == "science").order_by(Frame.observed_at)
        frame = session.scalars(query).first()
    assert frame.observed_at.isoformat(timespec="seconds") == "2026-07-04T04:30:00+00:00"
    assert (frame.filter, frame.exptime_s, frame.hdu, frame.readout) == ("r_SDSS", 90.0, 3, "slow")
