"""The background: close to the truth, to sep's, and never confused by what is masked."""

from __future__ import annotations

import numpy as np
import pytest
import sep
from scipy.interpolate import RectBivariateSpline

from include.ccd.background import Background, measure_background
from include.ccd.image import Image
from include.ccd.measuring import BackgroundMesh


def noise(shape: tuple[int, int] = (300, 200), *, level: float = 500, seed: int = 1) -> Image:
    """A flat sky with normal noise of 10."""
    values = np.random.default_rng(seed).normal(level, 10, shape)
    return Image(values.astype("f4"), mask=np.zeros(shape, "u2"))


def with_stars(image: Image, *, count: int = 40, seed: int = 2) -> Image:
    rng = np.random.default_rng(seed)
    y, x = np.indices(image.sci.shape)
    for y0, x0 in rng.random((count, 2)) * image.sci.shape:
        star = rng.lognormal(6, 1) * np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / 3)
        image.sci += star.astype("f4")
    return image


@pytest.mark.parametrize("level", [0.0, 500.0, -20.0, 60000.0])
def test_flat_sky_has_its_level_and_noise(level: float) -> None:
    """Within four standard errors of box medians, whatever the level."""
    background = measure_background(noise(level=level))
    assert background.median_level == pytest.approx(level, abs=0.3)
    assert background.median_rms == pytest.approx(10, rel=0.01)
    assert np.abs(background.rows(0, 300) - level).max() < 2.5


def test_stars_hardly_move_it() -> None:
    """The level stays within a tenth of the noise."""
    background = measure_background(with_stars(noise()))
    assert background.median_level == pytest.approx(500, abs=1)
    assert background.median_rms == pytest.approx(10, rel=0.05)


def test_it_agrees_with_sep() -> None:
    """Level to a tenth and noise to 5 % of the noise, with the same boxes and masked pixels."""
    image = with_stars(noise((512, 448)))
    image.mask[np.random.default_rng(3).random(image.sci.shape) < 0.02] = 1
    image.sci[image.mask != 0] = 1e6
    ours = measure_background(image)
    peer = sep.Background(image.sci, mask=image.mask != 0, bw=64, bh=64)
    difference = ours.rows(0, 512) - peer.back()
    assert abs(difference.mean()) < 0.3
    assert difference.std() < 1
    assert ours.median_rms == pytest.approx(peer.globalrms, rel=0.05)


def test_spline_is_the_obvious_one() -> None:
    """Natural cubic splines along y and then x, as scipy evaluates them on the whole grid."""
    level = np.random.default_rng(4).normal(0, 1, (7, 9)).astype("f4")
    background = Background(level, np.ones_like(level), (140, 270))
    from scipy.interpolate import CubicSpline

    y, x = 20 * (np.arange(7) + 0.5) - 0.5, 30 * (np.arange(9) + 0.5) - 0.5
    along = CubicSpline(y, level, bc_type="natural")(np.arange(140))
    expected = CubicSpline(x, along, axis=1, bc_type="natural")(np.arange(270))
    np.testing.assert_allclose(background.rows(0, 140), expected, atol=2e-6)
    middle = RectBivariateSpline(y, x, level)(y, x)
    np.testing.assert_allclose(background.at(*np.meshgrid(y, x, indexing="ij")), middle, atol=1e-5)


def test_stripes_are_parts_of_the_whole() -> None:
    """The same bits, whatever rows are asked for at a time; the input is not changed."""
    image = with_stars(noise())
    background = measure_background(image)
    before = image.sci.copy()
    whole = background.subtracted(image.sci)
    parts = [background.subtracted(image.sci[y : y + 37], y0=y) for y in range(0, 300, 37)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(image.sci, before)
    np.testing.assert_allclose(whole + background.rows(0, 300), before, rtol=1e-6)


def test_gradient_is_followed_to_the_edges() -> None:
    """A sky that rises by 1 a pixel is subtracted everywhere, half a box from the edge, too."""
    image = noise((256, 256))
    image.sci += np.arange(256, dtype="f4")
    left = measure_background(image, settings=BackgroundMesh(filter_boxes=1)).subtracted(image.sci)
    assert abs(left.mean()) < 2
    assert abs(left[:, :16].mean()) < 6


def test_masked_region_takes_the_level_of_its_neighbours() -> None:
    """A box without pixels does not leave a hole."""
    image = noise((256, 256))
    image.sci[64:128, 64:128] = np.nan
    image.sci[128:192, 64:128] = 1e9
    image.mask[128:192, 64:128] = 4
    background = measure_background(image)
    assert np.abs(background.rows(0, 256) - 500).max() < 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (30, 20), (64, 129), (100, 500)])
def test_any_shape_has_a_background(shape: tuple[int, int]) -> None:
    """Down to a single pixel, and boxes that do not divide the image."""
    image = Image(np.full(shape, 7, "f4"))
    background = measure_background(image)
    np.testing.assert_allclose(background.rows(0, shape[0]), 7, rtol=1e-6)
    assert background.median_rms == 0


def test_nothing_usable_is_level_zero() -> None:
    """No pixel, no sky, no exception."""
    image = Image(np.full((70, 70), np.nan, "f4"))
    background = measure_background(image)
    assert (background.median_level, background.median_rms) == (0, 0)
    assert not background.rows(0, 70).any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"box_px": 7},
        {"filter_boxes": 2},
        {"filter_boxes": -1},
        {"needed_fraction": 1.1},
        {"max_iters": 0},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict) -> None:
    """Each bound of each parameter."""
    with pytest.raises(ValueError, match="must be"):
        BackgroundMesh(**wrong)
