from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.ccd.errors import BadFits, Incomplete, Malformed, Unusable
from include.ccd.image import Image, read_provenance

PROVENANCE = {
    "step": "ReduceScience",
    "version": "1",
    "fingerprint": "ab" * 32,
    "parameters": {"clip_sigma": 4.0},
    "inputs": [{"role": "bias", "sha256": "cd" * 32, "name": "bias.fits"}],
}


@pytest.fixture
def image() -> Image:
    """A calibrated image with every plane and every kind of card."""
    rng = np.random.default_rng(1)
    sci = rng.normal(100, 10, (37, 53)).astype(np.float32)
    sci[0, :3] = np.nan, np.inf, -0.0
    return Image(
        sci=sci,
        var=rng.random((37, 53)).astype(np.float32),
        mask=rng.integers(0, 256, (37, 53)).astype(np.uint16),
        count=rng.integers(0, 65536, (37, 53)).astype(np.uint16),
        unit="electron",
        cards={
            "OBJECT": "M 83 'south'",
            "EXPTIME": (60.0, "[s] exposure time"),
            "BIASCOR": True,
            "NCOMBINE": 12,
            "FILTER": None,
            "HISTORYX": "x" * 200,
            "SMALL": 1.25e-7,
        },
        metrics={"background_rms_e": 3.25, "source_count": 974.0},
    )


def save(image: Image, path: Path, provenance: Mapping[str, Any] = PROVENANCE) -> Path:
    with path.open("wb") as stream:
        image.write(stream, provenance)
    return path


def test_an_image_comes_back_exactly(image: Image, tmp_path: Path) -> None:
    """Every pixel to the bit, every card with its comment, every number."""
    found = Image.read(save(image, tmp_path / "image.fits"))

    for name in ("sci", "var", "mask", "count"):
        before, after = getattr(image, name), getattr(found, name)
        assert after.dtype == before.dtype
        assert after.dtype.isnative
        assert after.tobytes() == before.tobytes()
    assert (found.unit, found.cards, found.metrics) == (image.unit, image.cards, image.metrics)
    assert read_provenance(tmp_path / "image.fits") == PROVENANCE


def test_what_an_image_does_not_have_it_does_not_get(tmp_path: Path) -> None:
    """Only SCI is needed; a flat has no unit."""
    plain = Image(sci=np.ones((2, 3), np.float32), unit="")
    found = Image.read(save(plain, tmp_path / "image.fits", {}))

    assert (found.var, found.mask, found.count) == (None, None, None)
    assert (found.unit, found.cards, found.metrics) == ("", {}, {})


def test_the_same_image_is_the_same_bytes(image: Image) -> None:
    """No clock, no name of a machine: a product is named by its content."""
    first, second = io.BytesIO(), io.BytesIO()
    image.write(first, PROVENANCE)
    image.write(second, dict(reversed(PROVENANCE.items())))

    assert first.getvalue() == second.getvalue()


def test_an_image_read_and_written_is_the_same_bytes(image: Image, tmp_path: Path) -> None:
    """Reading loses nothing that writing needs."""
    path = save(image, tmp_path / "image.fits")
    again = save(Image.read(path), tmp_path / "again.fits")

    assert again.read_bytes() == path.read_bytes()


def test_astropy_opens_a_product_without_a_word(image: Image, tmp_path: Path) -> None:
    """Checksums hold, nothing to verify or to fix, units and names are there."""
    from astropy.io import fits

    with fits.open(save(image, tmp_path / "image.fits"), checksum=True) as units:
        units.verify("exception")
        assert [unit.name for unit in units] == ["PRIMARY", "SCI", "VAR", "MASK", "COUNT"]
        assert [unit.verify_checksum() for unit in units] == [1] * 5
        assert units["SCI"].header["BUNIT"] == "electron"
        assert units["VAR"].header["BUNIT"] == "electron**2"
        assert units[0].header["EXPTIME"] == 60.0
        assert units[0].header["STEP"] == "ReduceScience"
        assert units[0].header["HISTORYX"] == "x" * 200
        np.testing.assert_array_equal(units["MASK"].data, image.mask)
        np.testing.assert_array_equal(units["SCI"].data, image.sci)


def test_a_number_that_was_not_measured_is_still_named(tmp_path: Path) -> None:
    """NaN has no text in FITS: the card is there, without a value."""
    image = Image(sci=np.ones((2, 2), np.float32), metrics={"fwhm_px": math.nan})
    found = Image.read(save(image, tmp_path / "image.fits"))

    assert list(found.metrics) == ["fwhm_px"]
    assert math.isnan(found.metrics["fwhm_px"])


@pytest.mark.parametrize("size", [0, 2000, 2880, 5760, 8640, -3000])
def test_a_product_cut_short_is_not_believed(image: Image, tmp_path: Path, size: int) -> None:
    """A crash while writing leaves part of a file: it is never read as an image."""
    path = save(image, tmp_path / "image.fits")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises((Incomplete, Unusable)):
        Image.read(path)


@pytest.mark.parametrize("unit", range(5))
def test_a_flipped_bit_is_found_in_every_unit(image: Image, tmp_path: Path, unit: int) -> None:
    """Disks lie; checksums do not."""
    path = save(image, tmp_path / "image.fits")
    content = bytearray(path.read_bytes())
    starts = [i for i in range(0, len(content), 2880) if content[i : i + 8] == b"XTENSION"]
    content[40 if unit == 0 else starts[unit - 1] + 2880 + 99] ^= 4
    path.write_bytes(content)
    with pytest.raises(BadFits) as caught:
        Image.read(path)
    assert (caught.type, caught.value.code) == (Malformed, "bad_checksum")


def test_a_raw_frame_is_no_product(tmp_path: Path) -> None:
    """Another program's file is not read as ours."""
    from astropy.io import fits

    path = tmp_path / "raw.fits"
    fits.PrimaryHDU(np.zeros((4, 4), np.int16)).writeto(path)
    with pytest.raises(Unusable) as caught:
        Image.read(path)
    assert caught.value.code == "not_a_product"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sci": np.ones((2, 2))}, "SCI must be f4"),
        ({"sci": np.ones(4, np.float32)}, "SCI must be f4"),
        ({"sci": np.ones((0, 4), np.float32)}, "SCI is"),
        ({"var": np.ones((2, 3), np.float32)}, r"VAR is \(2, 3\), SCI is \(2, 2\)"),
        ({"mask": np.ones((2, 2), np.int16)}, "MASK must be u2"),
        ({"cards": {"exptime": 1}}, "keyword must be of A-Z"),
        ({"cards": {"NAXIS1": 1}}, "belongs to the FITS format"),
        ({"cards": {"STEP": "mine"}}, "written for you"),
        ({"cards": {"METRIC X": 1}}, "written for you"),
        ({"metrics": {"FWHM": 1.0}}, "lower case"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_first_byte(
    change: dict[str, Any], message: str
) -> None:
    """A half-written file would be worse than none."""
    image = Image(**{"sci": np.ones((2, 2), np.float32), **change})
    stream = io.BytesIO()
    with pytest.raises(ValueError, match=message):
        image.write(stream, {})
    assert stream.getvalue() == b""
