"""Resampling: equal to the obvious sum, flux kept, noise and masks as stated."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.align import AlignError, Resampled, find_alignment, wcs_map
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.star_match import Affine
from tests.star_fields import Stars, expose, make_stars, render


def turned(angle_deg: float, shift: tuple[float, float], *, scale: float = 1.0) -> Affine:
    angle = np.radians(angle_deg)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Affine(matrix, np.array(shift))


def lanczos(t: np.ndarray) -> np.ndarray:
    return np.sinc(t) * np.sinc(t / 3) * (np.abs(t) < 3)


def obvious(image: Image, transform: Affine, y: int, x: int) -> tuple[float, float]:
    """Value and variance of one output pixel, the slow way."""
    sx, sy = transform(np.array([[x, y]], float))[0]
    ny, nx = image.sci.shape
    wy, wx = lanczos(np.arange(ny) - sy), lanczos(np.arange(nx) - sx)
    weight = np.outer(wy / wy.sum(), wx / wx.sum())
    area = abs(np.linalg.det(transform.matrix))
    return area * (weight * image.sci).sum(), area**2 * (weight**2 * image.var).sum()


@pytest.mark.parametrize(
    ("angle_deg", "shift", "scale"),
    [
        (7.0, (6.3, 2.2), 0.8),
        (0.1, (6.3, 2.2), 1.0),
        (180.2, (38.6, 37.3), 1.0),
        (90.0, (36.2, 4.7), 1.0),
        (-30.0, (4.0, 18.0), 0.6),
    ],
)
def test_values_are_those_of_the_obvious_sum(
    angle_deg: float, shift: tuple[float, float], scale: float
) -> None:
    """Lanczos-3 by hand, at every pixel of a small image, to the grid of phases."""
    rng = np.random.default_rng(1)
    plane = rng.normal(100, 10, (40, 44)).astype(np.float32)
    image = Image(plane, rng.uniform(50, 100, plane.shape).astype(np.float32))
    transform = turned(angle_deg, shift, scale=scale)
    found = Resampled(image, transform, shape=(30, 32)).image()
    inside = np.argwhere(found.mask == 0)
    assert len(inside) > 500
    for y, x in inside[::7]:
        value, variance = obvious(image, transform, y, x)
        assert found.sci[y, x] == pytest.approx(value, abs=0.02)
        assert found.var[y, x] == pytest.approx(variance, rel=2e-3)


def test_no_transformation_changes_nothing() -> None:
    """The same pixels come out."""
    image = expose(np.zeros((50, 60), np.float32), sky=300, seed=1)
    found = Resampled(image, turned(0, (0, 0)), shape=(50, 60)).image()
    inner = np.s_[3:-3, 3:-3]
    np.testing.assert_allclose(found.sci[inner], image.sci[inner], rtol=1e-6)
    np.testing.assert_allclose(found.var[inner], image.var[inner], rtol=1e-6)
    assert (found.mask[inner] == 0).all()


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.25])
def test_stars_keep_their_flux_and_go_where_they_should(scale: float) -> None:
    """Whatever the scale of the output."""
    stars = Stars(np.array([130.4]), np.array([121.8]), np.array([1e5]))
    light = render(stars, 256, fwhm=4.0)
    image = Image(light, np.ones_like(light))
    transform = turned(11.0, (30.0, -20.0), scale=scale)
    found = Resampled(image, transform, shape=(300, 300)).image()
    y, x = np.mgrid[:300, :300]
    total = float(found.sci.sum())
    place = np.array([(found.sci * x).sum(), (found.sci * y).sum()]) / total
    assert total == pytest.approx(float(light.sum()), rel=2e-3)
    np.testing.assert_allclose(transform(place[None])[0], [130.4, 121.8], atol=0.02)


def test_noise_is_as_wide_as_the_variance_says() -> None:
    """Pixel by pixel; only neighbours are correlated."""
    image = expose(np.zeros((300, 300), np.float32), sky=500, seed=2)
    found = Resampled(image, turned(3.0, (5.5, 5.5)), shape=(280, 280)).image()
    good = found.mask == 0
    ratio = (found.sci[good] - 500) / np.sqrt(found.var[good])
    assert ratio.std() == pytest.approx(1.0, abs=0.03)


def test_bad_pixels_mark_all_they_touch_and_do_not_leak() -> None:
    """A hot pixel of any value, even NaN, gives what its neighbours give."""
    image = expose(np.zeros((60, 60), np.float32), sky=100, seed=3)
    image.sci[:] = 100.0
    image.sci[30, 30], image.mask[30, 30] = 1e7, MaskBit.HOT
    image.sci[10, 40] = np.nan
    found = Resampled(image, turned(0, (0.4, 0.3)), shape=(60, 60)).image()
    marked = np.argwhere(found.mask & MaskBit.HOT)
    assert [30, 30] in marked.tolist()
    assert len(marked) >= 9
    assert np.abs(marked - 30).max() <= 3
    inner = found.sci[3:-3, 3:-3]
    np.testing.assert_allclose(inner, 100.0, rtol=1e-4)
    assert found.mask[20, 20] == 0


def test_outside_of_the_image_there_is_no_data() -> None:
    """Zero, with zero variance."""
    image = expose(np.zeros((50, 50), np.float32), sky=100, seed=3)
    found = Resampled(image, turned(0, (-20.0, 0.0)), shape=(50, 50)).image()
    assert (found.mask[:, :15] & MaskBit.NO_DATA).all()
    assert (found.sci[:, :15] == 0).all()
    assert (found.mask[5:-5, 25:45] == 0).all()


def test_rows_do_not_depend_on_how_they_are_asked_for() -> None:
    """Stripe by stripe as in one."""
    image = expose(np.zeros((90, 80), np.float32), sky=100, seed=4)
    image.mask[40, 40] = MaskBit.BAD
    resampled = Resampled(image, turned(5, (2.0, 1.0)), shape=(85, 70))
    whole = resampled.image()
    parts = [resampled.read_rows(y, min(y + 13, 85)) for y in range(0, 85, 13)]
    np.testing.assert_array_equal(np.concatenate([part.sci for part in parts]), whole.sci)
    np.testing.assert_array_equal(np.concatenate([part.mask for part in parts]), whole.mask)


def test_alignment_is_found_from_star_places() -> None:
    """To hundredths of a pixel, though lists differ."""
    stars = make_stars(800, 200, seed=5)
    rng = np.random.default_rng(6)
    order = np.argsort(-stars.flux)
    places = np.column_stack([stars.x, stars.y])[order]
    truth = turned(2.0, (14.0, -9.0))
    image = truth(places)[rng.random(len(places)) > 0.15]
    image += rng.normal(0, 0.05, image.shape)
    found = find_alignment(places, image, shape=(800, 800))
    corner = np.array([[0.0, 0.0], [800.0, 800.0]])
    np.testing.assert_allclose(found.transform(corner), truth(corner), atol=0.05)
    assert found.rms_px == pytest.approx(0.05 * np.sqrt(2), rel=0.2)
    assert found.matches > 150


def test_lists_without_common_stars_do_not_align() -> None:
    """The message says how many there were."""
    one, other = np.random.default_rng(7).uniform(0, 500, (2, 40, 2))
    with pytest.raises(AlignError, match="40 stars of the reference and 40 of the image"):
        find_alignment(one, other, shape=(500, 500))


def test_pixels_of_two_wcs_meet_on_the_sky() -> None:
    """A shift of the reference pixel is a shift of the pixels."""
    from astropy.wcs import WCS

    one = WCS(naxis=2)
    one.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    one.wcs.crval, one.wcs.crpix, one.wcs.cdelt = [30, -30], [50, 50], [-2e-4, 2e-4]
    other = one.deepcopy()
    other.wcs.crpix = [57.5, 46]
    moved = wcs_map(one, other)(np.array([[10.0, 20.0]]))
    np.testing.assert_allclose(moved, [[17.5, 16.0]], atol=1e-6)


def test_what_cannot_be_resampled_is_refused() -> None:
    """No variance; or a transformation to nowhere."""
    plane = np.zeros((20, 20), np.float32)
    with pytest.raises(AlignError, match="without variance"):
        Resampled(Image(plane), turned(0, (0, 0)), shape=(20, 20))
    with pytest.raises(AlignError, match="not defined everywhere"):
        Resampled(Image(plane, plane + 1), lambda points: points * np.nan, shape=(20, 20))
