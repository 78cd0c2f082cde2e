"""Calibrated images against the truth of the simulator, through the whole pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
from sqlalchemy import select

from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import NightPlan, Truth, simulate_night
from models import Frame, Product, ProductInput

NIGHT = date(2026, 11, 20)


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Corral, Truth]]:
    """A night of 512² frames, reduced; and its truth."""
    corral = Corral(Settings.below(tmp_path_factory.mktemp("night")))
    plan = NightPlan.demo(NIGHT, size_px=512, seed=3)
    truth = simulate_night(plan, corral.settings.inbox / NIGHT.isoformat())
    drain(corral, TORITOS.loader())
    for step in TORITOS.steps:
        drain(corral, step(), partition=NIGHT.isoformat()).raise_for_policy("fail")
    yield corral, truth
    corral.close()


@pytest.fixture(scope="module")
def images(reduced: tuple[Corral, Truth]) -> list[tuple[str, Image]]:
    """The calibrated images with the names of their raw frames."""
    corral, _ = reduced
    query = (
        select(Frame.path, Product.path)
        .join(ProductInput, ProductInput.frame_id == Frame.id)
        .join(Product, ProductInput.product_id == Product.id)
        .where(Product.kind == "calibrated", Product.current)
        .order_by(Frame.path)
    )
    with corral.read() as session:
        rows = session.execute(query).all()
    return [(raw.rpartition("/")[2], Image.read(corral.store.locate(path))) for raw, path in rows]


def test_residuals_are_within_the_stated_variance(reduced, images) -> None:
    """The reduced chi-square of every image against the truth is 0.95 to 1.05."""
    _, truth = reduced
    chi_squares = []
    for name, image in images:
        good = (image.mask == 0) & ~truth.cosmic(name)
        residual = (image.sci - truth.image(name))[good]
        chi_squares.append(float(np.mean(residual**2 / image.var[good])))
    assert len(chi_squares) == 40
    assert min(chi_squares) > 0.95
    assert max(chi_squares) < 1.05


def test_every_bad_pixel_of_the_truth_is_masked(reduced, images) -> None:
    """All hot, dead and saturated pixels are masked, and hardly any other."""
    _, truth = reduced
    for name, image in images:
        assert np.all(image.mask[truth.detector.hot] & MaskBit.HOT)
        assert np.all(image.mask[truth.detector.dead] & MaskBit.BAD)
        assert np.all(image.mask[truth.saturated(name)] & MaskBit.SATURATED)
        bad = truth.detector.hot | truth.detector.dead | truth.saturated(name)
        assert np.mean((image.mask != 0) & ~bad & ~truth.cosmic(name)) < 0.002


def test_images_are_in_electrons_and_finite(images) -> None:
    """No pixel is NaN, in any plane, masked or not."""
    for _, image in images:
        assert image.unit == "electron"
        assert np.isfinite(image.sci).all()
        assert np.isfinite(image.var).all()
        assert (image.var > 0).all()
