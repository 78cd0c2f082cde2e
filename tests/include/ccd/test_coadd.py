"""Stacks of images: the weighted mean of what is good, with its noise and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from include.ccd.align import Resampled
from include.ccd.coadd import CoaddError, ImageLayer, coadd
from include.ccd.comparing import Coadding
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.star_match import Affine
from tests.star_fields import expose, make_stars, render

PARAMETERS = Coadding()


def images(count: int, *, sky: float = 500.0, size: int = 60, seed: int = 0) -> list[Image]:
    light = np.zeros((size, size), np.float32)
    return [expose(light, sky=sky, seed=seed + n) for n in range(count)]


def layers(images: list[Image]) -> list[ImageLayer]:
    return [ImageLayer(image) for image in images]


def obvious(values, variances, bits, weight, coadding: Coadding):
    """One pixel, the slow way: value, variance, mask, count."""
    refused = 0xFFFF ^ (MaskBit.SATURATED | MaskBit.INTERPOLATED)
    usable = (bits & refused) == 0
    kept = usable.copy()
    if usable.sum() > 2:
        centre = np.median(values[usable])
        bound = coadding.clip_sigma * np.sqrt(variances) + coadding.misfit * abs(centre)
        kept &= np.abs(values - centre) <= bound * (1 + 1e-7)
    if not kept.any():
        kept = usable if usable.any() else (bits & MaskBit.NO_DATA) == 0
    if not kept.any():
        return 0.0, 0.0, int(MaskBit.NO_DATA), 0
    w = np.where(kept, weight, 0) / weight[kept].sum()
    mask = int(np.bitwise_or.reduce(bits[kept]))
    count = int(kept.sum()) if usable.any() else 0
    return (w * values).sum(), (w**2 * variances).sum(), mask, count


@settings(max_examples=150, deadline=None)
@given(
    values=hnp.arrays(np.float32, (4, 2, 3), elements=st.integers(-40, 40)),
    bits=hnp.arrays(np.uint16, (4, 2, 3), elements=st.sampled_from([0, 0, 0, 1, 4, 16, 64])),
    variance=st.sampled_from([1.0, 7.3]),
)
def test_pixels_are_those_of_the_obvious_computation(values, bits, variance: float) -> None:
    """Usable ones, outliers, and where nothing is usable."""
    coadding = Coadding(clip_sigma=3.01, misfit=0.11)
    weights = [1.0, 2.0, 0.5, 1.5]
    stack = [Image(v, np.full_like(v, variance), b) for v, b in zip(values, bits, strict=True)]
    found = coadd(layers(stack), coadding=coadding, weights=weights)
    for y, x in np.ndindex(2, 3):
        value, noise, mask, count = obvious(
            values[:, y, x].astype(float),
            np.full(4, variance),
            bits[:, y, x],
            np.array(weights),
            coadding,
        )
        assert found.sci[y, x] == pytest.approx(value, abs=1e-4)
        assert found.var[y, x] == pytest.approx(noise, rel=1e-5, abs=1e-9)
        assert found.mask[y, x] == mask
        assert found.count[y, x] == count


def test_noise_falls_as_the_variance_says() -> None:
    """Images of unequal depth, weighted by their noise."""
    stack = images(3, sky=300, size=200) + images(3, sky=1200, size=200, seed=10)
    levels = [300.0] * 3 + [1200.0] * 3
    found = coadd(layers(stack), coadding=PARAMETERS, levels=levels)
    ratio = found.sci / np.sqrt(found.var)
    assert ratio.std() == pytest.approx(1.0, abs=0.03)
    best = 1 / sum(1 / np.median(image.var) for image in stack)
    assert np.median(found.var) == pytest.approx(best, rel=0.01)
    assert found.count.mean() == pytest.approx(6, abs=0.05)


def test_a_satellite_in_one_image_is_gone() -> None:
    """And is counted out where it was."""
    stack = images(4)
    stack[2].sci[30, :] += 4000
    found = coadd(layers(stack), coadding=PARAMETERS)
    assert (found.count[30] == 3).all()
    assert abs(found.sci[30].mean() - 500) < 10
    assert (found.mask == 0).all()


def test_stars_of_unequal_seeing_are_not_clipped() -> None:
    """Their cores differ by more than noise; the tolerance for misfit keeps them."""
    stars = make_stars(200, 25, seed=8, brightest=2e5)
    stack = [
        expose(render(stars, 200, fwhm=fwhm), sky=300, seed=n)
        for n, fwhm in enumerate((3.0, 3.2, 3.4))
    ]
    found = coadd(layers(stack), coadding=Coadding(misfit=0.25))
    bright = stack[1].sci > 2000
    assert bright.sum() > 20
    assert (found.count[bright] == 3).mean() > 0.95


def test_scales_bring_images_to_one_flux() -> None:
    """An image through clouds counts less."""
    clear, cloudy = images(2)
    cloudy.sci, cloudy.var = cloudy.sci * np.float32(0.5), cloudy.var * np.float32(0.25)
    found = coadd(layers([clear, cloudy]), coadding=PARAMETERS, scales=[1.0, 2.0])
    assert found.sci.mean() == pytest.approx(500, abs=2)
    assert np.median(found.var) == pytest.approx(np.median(clear.var) / 2, rel=0.02)


def test_result_does_not_depend_on_memory() -> None:
    """A row at a time gives the same bits."""
    stack = images(5)
    stack[1].mask[7, 7] = MaskBit.BAD
    whole = coadd(layers(stack), coadding=PARAMETERS)
    parts = coadd(layers(stack), coadding=PARAMETERS, memory_bytes=1)
    for name in ("sci", "var", "mask", "count"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


class WatchedLayer(ImageLayer):
    """A layer that remembers the largest piece that was asked of it."""

    largest = 0

    def read_rows(self, y0: int, y1: int):
        WatchedLayer.largest = max(WatchedLayer.largest, y1 - y0)
        return super().read_rows(y0, y1)


def test_memory_for_input_is_bounded() -> None:
    """Stacked rows fit the bytes allowed."""
    watched = [WatchedLayer(image) for image in images(6)]
    coadd(watched, coadding=PARAMETERS, weights=[1.0] * 6, memory_bytes=6 * 60 * 10 * 4)
    assert WatchedLayer.largest == 4


def test_dithered_images_are_stacked_while_they_are_aligned() -> None:
    """A star in three shifted images becomes one star of the same flux."""
    stars = make_stars(220, 12, seed=9, brightest=1e5)
    stack = []
    for n, (dx, dy) in enumerate([(0.0, 0.0), (3.4, -1.2), (-2.7, 4.6)]):
        moved = type(stars)(stars.x + dx, stars.y + dy, stars.flux)
        image = expose(render(moved, 220, fwhm=3.5), sky=300, seed=n)
        transform = Affine(np.eye(2), np.array([dx, dy]))
        stack.append(Resampled(image, transform, shape=(220, 220)))
    found = coadd(stack, coadding=PARAMETERS, levels=[300.0] * 3)
    truth = render(stars, 220, fwhm=3.5)
    good = found.mask == 0
    good[:8], good[-8:], good[:, :8], good[:, -8:] = False, False, False, False
    residual = (found.sci - truth)[good] / np.sqrt(found.var[good])
    assert residual.std() == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize(
    ("count", "kwargs", "message"),
    [
        (1, {}, "2 to 1000 images can be stacked, not 1"),
        (2, {"scales": [1.0]}, "scales must be 2 finite numbers"),
        (2, {"levels": [1.0, np.nan]}, "levels must be 2 finite numbers"),
        (2, {"weights": [1.0, 0.0]}, "weights must be positive"),
    ],
)
def test_what_cannot_be_stacked_is_refused(count: int, kwargs, message: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(CoaddError, match=message):
        coadd(layers(images(count)), coadding=PARAMETERS, **kwargs)


def test_unlike_images_are_refused() -> None:
    """Shapes differ, a variance is missing, or nothing is usable."""
    one, other = images(2)
    with pytest.raises(CoaddError, match="different shapes"):
        coadd(layers([one, *images(1, size=50)]), coadding=PARAMETERS)
    with pytest.raises(CoaddError, match="without variance"):
        coadd(layers([one, Image(other.sci)]), coadding=PARAMETERS)
    other.mask[:] = MaskBit.BAD
    with pytest.raises(CoaddError, match="image 1 has no usable pixel"):
        coadd(layers([one, other]), coadding=PARAMETERS)
