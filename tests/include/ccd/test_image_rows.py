"""Rows of a product are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.errors import BadFits
from include.ccd.image import Image
from include.ccd.image_rows import open_rows


@pytest.fixture
def product(tmp_path):
    """A file with all planes, and what is in it."""
    rng, shape = np.random.default_rng(1), (30, 20)
    image = Image(
        sci=rng.normal(size=shape).astype(np.float32),
        var=rng.random(shape).astype(np.float32),
        mask=rng.integers(0, 9, shape).astype(np.uint16),
        psf=rng.random((5, 5)).astype(np.float32),
        unit="electron",
        cards={"OBJECT": "M83", "EXPTIME": (60.0, "[s]")},
        metrics={"fwhm_px": 3.0},
    )
    path = tmp_path / "a.fits"
    with path.open("wb") as stream:
        image.write(stream, {})
    return path, image


def test_rows_are_those_of_the_whole(product) -> None:
    """Values, variances and masks, in native byte order."""
    path, image = product
    with open_rows(path) as rows:
        part = rows.read(7, 12)
    assert rows.shape == (30, 20)
    for name in ("sci", "var", "mask"):
        np.testing.assert_array_equal(getattr(part, name), getattr(image, name)[7:12])
        assert getattr(part, name).dtype.isnative
    assert (part.count, part.unit) == (None, "electron")
    assert rows.cards == {"OBJECT": "M83", "EXPTIME": (60.0, "[s]")}


def test_the_profile_of_stars_has_sum_one(product) -> None:
    """As what measures with it needs it; the image gives it back as it was written."""
    path, image = product
    with open_rows(path) as rows:
        np.testing.assert_allclose(rows.psf(), image.psf / image.psf.sum(), rtol=1e-6)
    np.testing.assert_array_equal(Image.read(path).psf, image.psf)


@pytest.mark.parametrize("rows", [(-1, 3), (5, 5), (28, 31)])
def test_rows_that_are_not_there_are_refused(product, rows) -> None:
    """No other rows are given in their place."""
    with open_rows(product[0]) as opened, pytest.raises(ValueError, match="of an image with 30"):
        opened.read(*rows)


def test_a_file_cut_short_is_incomplete(product) -> None:
    """It is told, not read as zeros."""
    path, _ = product
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(BadFits), open_rows(path) as rows:
        rows.read(0, 30)
