"""Cosmic rays: equal to the obvious computation, to astroscrappy's, and harmless to the rest."""

from __future__ import annotations

import astroscrappy
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import binary_dilation
from scipy.special import erf

from include.ccd.cosmic_rays import remove_cosmic_rays
from include.ccd.errors import CalibrationError
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.measuring import CosmicRays

BOX = np.ones((3, 3), bool)
REPLACED = MaskBit.COSMIC | MaskBit.INTERPOLATED


def sky_with_hits(
    shape: tuple[int, int] = (70, 131), *, seed: int = 1, stars: int = 12, tracks: int = 25
) -> tuple[Image, np.ndarray]:
    """Stars of 2.8 px on a noisy sky, with tracks of cosmic rays; and where those are."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    sky = np.full(shape, 300.0)
    for _ in range(stars):
        y0, x0 = rng.random(2) * shape
        sky += rng.lognormal(6, 1) * np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / (2 * 1.2**2))
    sci = rng.poisson(sky) + rng.normal(0, 8, shape)
    hit = np.zeros(shape, bool)
    for _ in range(tracks):
        y0, x0 = rng.random(2) * shape
        along = np.arange(0, 1 + rng.exponential(5), 0.5)
        angle = rng.random() * np.pi
        rows, columns = (y0 + along * np.sin(angle)).astype(int), (x0 + along * np.cos(angle))
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        track = rows[inside], columns[inside].astype(int)
        sci[track] += rng.lognormal(6.5, 0.7)
        hit[track] = True
    var = np.maximum(sci, 0) + 64
    return Image(sci.astype("f4"), var.astype("f4"), np.zeros(shape, "u2"), unit="electron"), hit


def spoilt(image: Image, seed: int) -> Image:
    """Dead, hot, absent and saturated pixels, at the edges, too."""
    rng = np.random.default_rng(seed)
    for bit, value in ((MaskBit.BAD, 0.0), (MaskBit.HOT, 9000.0), (MaskBit.NO_DATA, np.nan)):
        chosen = rng.random(image.sci.shape) < 0.01
        image.sci[chosen] = value
        if value == value:
            image.mask[chosen] |= int(bit)
    image.var[5, 7] = np.nan
    y, x = np.indices(image.sci.shape)
    image.sci += (4e5 * np.exp(-((y - 30) ** 2 + (x - 60) ** 2) / (2 * 1.5**2))).astype("f4")
    image.sci[50, 50] = 90000
    saturated = image.sci > 60000
    image.sci[saturated] = 60000
    image.mask[saturated] |= int(MaskBit.SATURATED)
    return image


def windows(plane: np.ndarray, radius: int) -> np.ndarray:
    padded = np.pad(plane, radius, constant_values=np.nan)
    size = 2 * radius + 1
    return sliding_window_view(padded, (size, size)).reshape(*plane.shape, -1)


def median(plane: np.ndarray, radius: int) -> np.ndarray:
    return np.nanmedian(windows(plane, radius), axis=-1)


class Obvious:
    """The method on whole planes of float64, NaN for what is masked."""

    def __init__(self, image: Image, settings: CosmicRays) -> None:
        self.settings = settings
        self.sci, self.var = image.sci.astype(float), image.var.astype(float)
        self.mask = image.mask.copy()
        unknown = ~np.isfinite(self.sci) | ~(self.var >= 0) | ~np.isfinite(self.var)
        self.mask[unknown] |= int(MaskBit.NO_DATA)
        self.fixed = self.mask != 0
        self.star = self._near_stars()
        self.hit = np.zeros(self.sci.shape, bool)
        for _ in range(settings.max_iters):
            found = self._detect() & ~self.hit
            if not found.any():
                break
            self.hit |= found
            self._replace()
        self.hit |= self._faint_parts()
        self._replace()

    def _near_stars(self) -> np.ndarray:
        saturated = (self.mask & MaskBit.SATURATED) != 0
        core = saturated & (median(self.sci, 2) > 0.1 * self.sci)
        size = 2 * self.settings.star_margin_px + 1
        return binary_dilation(core, np.ones((size, size)))

    def _noise(self) -> np.ndarray:
        return np.sqrt(np.maximum(median(np.where(self.fixed, np.nan, self.var), 2), 1e-5))

    def _fine_structure(self) -> np.ndarray:
        smooth = median(np.where(self.fixed, np.nan, self.sci), 1)
        wide = median(np.where(self.fixed, np.nan, smooth), 3)
        return np.maximum((smooth - wide) / self._noise(), 0.01)

    def _detect(self) -> np.ndarray:
        sci = np.where(self.fixed, np.nan, self.sci)
        padded = np.pad(sci, 1, constant_values=np.nan)
        around = (padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1])
        left, right, up, down = (np.where(np.isnan(side), sci, side) for side in around)
        corners = [2 * sci - side - end for side in (left, right) for end in (up, down)]
        laplacian = np.mean([np.maximum(corner, 0) for corner in corners], axis=0)
        strength = laplacian / (2 * self._noise())
        excess = np.where(self.fixed, 0, strength - median(strength, 2))
        clip, sharp = self.settings.sigma_clip, self.settings.contrast * self._fine_structure()
        found = (excess > clip) & (excess > sharp) & ~self.star
        for _ in range(self.settings.track_rounds):
            found = binary_dilation(found, BOX) & (excess > clip) & ~self.star
        return found

    def _faint_parts(self) -> np.ndarray:
        sci = np.where(self.fixed, np.nan, self.sci)
        above = (sci - median(sci, 2)) / self._noise()
        sharp = self.settings.contrast * self._fine_structure()
        near = binary_dilation(self.hit, BOX) & ~self.star
        return near & (above > self.settings.faint_sigma) & (above > sharp)

    def _replace(self) -> None:
        bad = self.fixed | self.hit
        for plane in (self.sci, self.var):
            mean = np.nanmean(windows(np.where(bad, np.nan, plane), 2), axis=-1)
            plane[self.hit] = mean[self.hit]


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:All-NaN slice")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rounds", [1, 3])
def test_result_is_that_of_the_obvious_computation(seed: int, rounds: int) -> None:
    """Flags are equal and values agree to 1e-6, with masked, saturated and NaN pixels and edges."""
    image, _ = sky_with_hits(seed=seed)
    image = spoilt(image, seed)
    settings = CosmicRays(track_rounds=rounds)
    obvious = Obvious(image, settings)
    hits = remove_cosmic_rays(image, settings=settings)
    assert len(hits) > 50
    flagged = (image.mask & MaskBit.COSMIC) != 0
    np.testing.assert_array_equal(flagged, obvious.hit)
    np.testing.assert_array_equal(image.mask & ~np.uint16(REPLACED), obvious.mask)
    np.testing.assert_allclose(image.sci, obvious.sci, rtol=1e-6)
    np.testing.assert_allclose(image.var, obvious.var, rtol=1e-6)


@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_without_masks_and_edges_it_is_astroscrappy(iterations: int) -> None:
    """The same pixels, and values to 1e-6, as astroscrappy with full medians and a variance.

    It follows a track over two pixels, too, where it may not lower its limit for the second.
    """
    image, _ = sky_with_hits((300, 260), seed=8, stars=60, tracks=80)
    inner = np.s_[12:-12, 12:-12]
    expected_mask, expected = astroscrappy.detect_cosmics(
        image.sci, invar=image.var, sepmed=False, sigfrac=1.0, satlevel=1e9, niter=iterations
    )
    settings = CosmicRays(
        track_rounds=2, faint_sigma=np.inf, star_margin_px=0, max_iters=iterations
    )
    remove_cosmic_rays(image, settings=settings)
    found = (image.mask & MaskBit.COSMIC) != 0
    assert found[inner].sum() > 200
    np.testing.assert_array_equal(found[inner], expected_mask[inner])
    np.testing.assert_allclose(image.sci[inner], expected[inner], rtol=1e-6)


def test_hits_tell_where_and_what_was_there() -> None:
    """The report restores the image as it was."""
    image, hit = sky_with_hits(seed=3)
    before = image.sci.copy()
    hits = remove_cosmic_rays(image)
    changed = image.sci != before
    assert 0 < len(hits) == np.count_nonzero(image.mask) == image.metrics["cosmic_count"]
    assert np.all(image.mask[hits.y_px, hits.x_px] == int(REPLACED))
    assert not np.any(changed & (image.mask == 0))
    assert np.mean(hit[hits.y_px, hits.x_px]) > 0.8
    image.sci[hits.y_px, hits.x_px] = hits.original
    np.testing.assert_array_equal(image.sci, before)


def test_cleaned_image_has_nothing_left_to_clean() -> None:
    """A second time finds no pixel that the first did not."""
    image, _ = sky_with_hits(seed=4)
    remove_cosmic_rays(image, settings=CosmicRays(max_iters=20))
    mask = image.mask.copy()
    assert len(remove_cosmic_rays(image)) == 0
    np.testing.assert_array_equal(image.mask, mask)


def test_saturated_star_is_not_a_cosmic_ray() -> None:
    """Neither core nor surroundings of a saturated star are flagged; a hit beside it is."""
    image, _ = sky_with_hits(seed=5, stars=0, tracks=0)
    y, x = np.indices(image.sci.shape)
    image.sci += (5e5 * np.exp(-((y - 35) ** 2 + (x - 60) ** 2) / 4)).astype("f4")
    image.var[:] = image.sci + 64
    image.sci[20, 60] += 5000
    saturated = image.sci > 50000
    image.mask[saturated] |= int(MaskBit.SATURATED)
    hits = remove_cosmic_rays(image)
    assert saturated.sum() > 10
    assert (20, 60) in zip(hits.y_px, hits.x_px, strict=True)
    assert np.all(np.hypot(hits.y_px - 35, hits.x_px - 60) > 10)


def test_faint_end_of_a_track_is_found_beside_the_bright_one() -> None:
    """3 sigma are enough beside a track, and not elsewhere."""
    image, _ = sky_with_hits(seed=7, stars=0, tracks=0)
    image.sci[:] = 300
    image.var[:] = 400
    image.sci[20, 20:24] = 2000, 1500, 1000, 360
    image.sci[40, 40] = 360
    remove_cosmic_rays(image)
    assert np.argwhere(image.mask).tolist() == [[20, 20], [20, 21], [20, 22], [20, 23]]


@pytest.mark.parametrize(("fwhm_px", "contrast"), [(1.5, 7.0), (1.7, 5.0), (2.0, 5.0), (3.0, 5.0)])
def test_undersampled_stars_keep_their_pixels(fwhm_px: float, contrast: float) -> None:
    """Of stars of all brightness, hardly a pixel is taken for a track or for the end of one."""
    rng = np.random.default_rng(9)
    sky = np.full((640, 640), 300.0)
    edges, width = np.arange(-6, 8) - 0.5, fwhm_px / 2.3548 * np.sqrt(2)
    for row, column in np.mgrid[10:630:20, 10:630:20].reshape(2, -1).T:
        y, x = (np.diff(erf((edges - shift) / width)) / 2 for shift in rng.random(2) - 0.5)
        star = rng.lognormal(7, 1.5) * np.outer(y, x)
        sky[row - 6 : row + 7, column - 6 : column + 7] += star
    sci = rng.poisson(sky) + rng.normal(0, 8, sky.shape)
    image = Image(sci.astype("f4"), (np.maximum(sci, 0) + 64).astype("f4"))
    remove_cosmic_rays(image, settings=CosmicRays(contrast=contrast))
    stars = sky > 400
    assert stars.sum() > 4000
    assert np.mean(image.mask[stars] != 0) < 0.0005


def test_hit_without_neighbours_keeps_its_value() -> None:
    """COSMIC but not INTERPOLATED where nothing is left to interpolate from."""
    plane = np.full((9, 9), 100, "f4")
    image = Image(plane, plane.copy(), np.full((9, 9), int(MaskBit.BAD), "u2"))
    image.mask[4, 3:6] = 0
    image.sci[4, 4] = 9000
    hits = remove_cosmic_rays(image)
    assert (hits.y_px.tolist(), hits.x_px.tolist()) == ([4], [4])
    assert image.sci[4, 4] == 9000
    assert image.mask[4, 4] == int(MaskBit.COSMIC)


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (3, 2), (65, 1), (130, 64)])
@pytest.mark.parametrize("level", [0.0, 500.0])
def test_image_without_structure_has_no_cosmic_rays(shape: tuple[int, int], level: float) -> None:
    """Constant images of any shape, also without any variance or with every pixel masked."""
    for mask in (None, np.zeros(shape, "u2"), np.full(shape, 16, "u2")):
        image = Image(np.full(shape, level, "f4"), np.full(shape, level, "f4"), mask)
        assert len(remove_cosmic_rays(image)) == 0
        assert np.all(image.sci == level)


def test_pixels_that_are_not_numbers_become_no_data() -> None:
    """NaN and infinity, in value or variance, whatever stands around them."""
    image, _ = sky_with_hits(seed=6, tracks=0)
    image.sci[3, 4], image.sci[0, 0] = np.nan, np.inf
    image.var[10, 70], image.var[69, 130] = -1, np.inf
    remove_cosmic_rays(image)
    places = np.argwhere(image.mask & MaskBit.NO_DATA).tolist()
    assert places == [[0, 0], [3, 4], [10, 70], [69, 130]]


def test_image_without_variance_is_refused() -> None:
    """What is noise and what is not cannot be known without."""
    with pytest.raises(CalibrationError, match="no variance"):
        remove_cosmic_rays(Image(np.zeros((4, 4), "f4")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma_clip": 0},
        {"contrast": 0},
        {"faint_sigma": 0},
        {"track_rounds": 0},
        {"max_iters": 0},
        {"star_margin_px": -1},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict) -> None:
    """Each bound of each parameter."""
    with pytest.raises(ValueError, match="must be"):
        CosmicRays(**wrong)
