"""Nights of real cameras through the pipeline: another profile, no other code."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from include.ccd.image import Image
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.pipeline import TORITOS
from models import Campaign, Frame, Product, Rejection

Load = Callable[[str, str], Corral]


@pytest.fixture
def load(real_data: Path, tmp_path: Path) -> Iterator[Load]:
    """Copy a night of real frames to an inbox and load it with a profile."""
    made: list[Corral] = []

    def loaded(folder: str, profile: str) -> Corral:
        corral = Corral(Settings.below(tmp_path / profile, pipeline={"profile": profile}))
        raw = real_data / folder
        shutil.copytree(raw / "raw" if (raw / "raw").is_dir() else raw, corral.settings.inbox)
        drain(corral, TORITOS.loader()).raise_for_policy("fail")
        made.append(corral)
        return corral

    yield loaded
    for corral in made:
        corral.close()


def kinds(corral: Corral) -> Counter[tuple[str, str, str | None]]:
    with corral.read() as session:
        assert session.scalars(select(Rejection)).all() == []
        frames = session.scalars(select(Frame)).all()
    return Counter((frame.partition_key, frame.kind, frame.filter) for frame in frames)


def test_nickel_night_is_reduced_without_darks(load: Load) -> None:
    """Ten biases, three flats, six images; read noise as measured elsewhere; no dark, and said."""
    corral = load("nickel_2024-05-13", "nickel")
    # The frames are of 2024-05-13 UT, the evening of the 12th in California.
    assert kinds(corral) == {
        ("2024-05-12", "bias", None): 10,
        ("2024-05-12", "flat", "V"): 3,
        ("2024-05-12", "science", "V"): 6,
    }
    for step in TORITOS.steps[:5]:
        drain(corral, step(), partition="2024-05-12").raise_for_policy("fail")
    with corral.read() as session:
        products = session.scalars(select(Product).order_by(Product.id)).all()
        campaign = session.scalars(select(Campaign)).one()
        assert (repr(campaign), repr(campaign.observatory)) == ("nickel", "Lick Observatory")
    made = Counter(product.kind for product in products)
    assert made == {"master_bias": 1, "master_flat": 1, "calibrated": 6}
    assert products[0].metrics["read_noise_adu"] == pytest.approx(5.3, abs=0.3)
    for product in products:
        missing = [] if product.kind == "master_bias" else ["no_dark"]
        assert [flag for flag in product.flags if flag.startswith("no_")] == missing
        image = Image.read(corral.store.locate(product.path))
        assert image.sci.shape == (1024, 1024)
        if product.kind == "calibrated":
            applied = {name: image.cards[f"{name}COR"][0] for name in ("BIAS", "DARK", "FLAT")}
            assert applied == {"BIAS": True, "DARK": False, "FLAT": True}
            assert np.isfinite(image.sci).all()
            assert 5 < product.metrics["fwhm_px"] < 11


def test_kpno_night_has_its_filters_and_overscan(load: Load) -> None:
    """Dates of 1987, filters by position of the bolt, overscan by the header."""
    corral = load("kpno_m92_1987", "kpno")
    found = kinds(corral)
    assert {kind: n for (_, kind, _), n in found.items() if kind == "bias"} == {"bias": 1}
    assert {(kind, band) for _, kind, band in found} >= {("science", "V"), ("science", "B")}
    for step in TORITOS.steps[:4]:
        drain(corral, step(), partition=None).raise_for_policy("fail")
    with corral.read() as session:
        made = Counter(session.scalars(select(Product.kind)))
        shapes = {
            Image.read(corral.store.locate(path)).sci.shape
            for path in session.scalars(select(Product.path))
        }
    assert made == {"master_bias": 1, "master_flat": 2, "calibrated": 4}
    assert shapes == {(512, 320)}


def test_microobservatory_frames_are_of_one_night(load: Load) -> None:
    """142 compressed frames of one night, by UTC and a longitude that counts westward."""
    corral = load("microobs_hatp32_2017-12-20", "microobs")
    assert kinds(corral) == {("2017-12-19", "science", "Clear"): 142}
    with corral.read() as session:
        frame = session.scalars(select(Frame).order_by(Frame.observed_at)).first()
    assert frame.temperature_c == pytest.approx(271 - 273.15, abs=1)
    assert frame.flags == ["read_noise_unknown"]


def test_toros_frames_of_maxim_load(load: Load) -> None:
    """The two frames of EABA: binned, cooled, without pointing."""
    corral = load("toros_eaba_2015", "eaba")
    with corral.read() as session:
        frames = session.scalars(select(Frame)).all()
    assert {(f.kind, f.filter, f.binning, f.ra_deg) for f in frames} == {
        ("science", "Clear", "3x3", None)
    }
    assert [f.temperature_c for f in frames] == [pytest.approx(-20, abs=0.5)] * 2
