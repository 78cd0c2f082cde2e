"""Rows of a file on other pixels are those of the image resampled as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from include.ccd.align import Resampled
from include.ccd.aligned_rows import AlignedRows
from include.ccd.coadd import ImageLayer, coadd
from include.ccd.comparing import Coadding
from include.ccd.image import Image
from include.ccd.image_rows import open_rows
from include.ccd.mask import MaskBit
from include.ccd.star_match import Affine
from tests.star_fields import expose, make_stars, render

SIZE = 160
ANGLE = np.radians(3.0)
TURN = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
TRANSFORM = Affine(TURN, np.array([6.3, -11.6]))


def star_field(seed: int) -> Image:
    """An exposure with some masked pixels."""
    image = expose(render(make_stars(SIZE, 40), SIZE, fwhm=3.0), sky=200.0, seed=seed)
    rng = np.random.default_rng(seed)
    image.mask[rng.integers(0, SIZE, 30), rng.integers(0, SIZE, 30)] = MaskBit.HOT
    return image


def written(image: Image, path: Path) -> Path:
    with path.open("wb") as stream:
        image.write(stream, {})
    return path


@pytest.mark.parametrize("rows", [(0, 20), (70, 71), (100, SIZE), (0, SIZE)])
def test_rows_are_those_of_the_whole(tmp_path, rows) -> None:
    """Values and variances to rounding, masks exactly, at the borders too."""
    image = star_field(1)
    whole = Resampled(image, TRANSFORM, shape=(SIZE, SIZE)).read_rows(*rows)
    with open_rows(written(image, tmp_path / "a.fits")) as source:
        part = AlignedRows(source, TRANSFORM, (SIZE, SIZE)).read_rows(*rows)
    np.testing.assert_array_equal(part.mask, whole.mask)
    np.testing.assert_allclose(part.sci, whole.sci, rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(part.var, whole.var, rtol=1e-5, atol=1e-2)


def test_rows_beyond_the_file_hold_no_data(tmp_path) -> None:
    """Far off, nothing of the file is read."""
    away = Affine(np.eye(2), np.array([0.0, 3.0 * SIZE]))
    with open_rows(written(star_field(1), tmp_path / "a.fits")) as source:
        rows = AlignedRows(source, away, (SIZE, SIZE)).read_rows(0, 10)
    assert (rows.mask == MaskBit.NO_DATA).all()


def test_a_stack_of_files_is_that_of_images(tmp_path) -> None:
    """However few rows are in memory at a time."""
    images = [star_field(seed) for seed in (1, 2, 3)]
    paths = [written(image, tmp_path / f"{n}.fits") for n, image in enumerate(images)]
    whole = coadd([ImageLayer(image) for image in images], coadding=Coadding())
    still = Affine(np.eye(2), np.zeros(2))
    with open_rows(paths[0]) as a, open_rows(paths[1]) as b, open_rows(paths[2]) as c:
        layers = [AlignedRows(rows, still, (SIZE, SIZE)) for rows in (a, b, c)]
        few = coadd(layers, coadding=Coadding(), memory_bytes=1)
    np.testing.assert_array_equal(few.mask[4:-4, 4:-4], whole.mask[4:-4, 4:-4])
    clean = whole.mask == 0
    np.testing.assert_allclose(few.sci[clean], whole.sci[clean], rtol=1e-4, atol=0.05)
