from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from include.ccd.errors import Incomplete, Malformed
from include.ccd.fits_content import Content, Request, decode, examine, is_gzip
from include.ccd.fits_file import open_regular
from include.ccd.fits_layout import read_lone_unit
from tests.bad_fits.frames import (
    empty_primary,
    extension,
    frame,
    header,
    packed,
    pad,
    random,
    scene,
    store,
)

Examine = Callable[..., Content]


@pytest.fixture
def look(tmp_path: Path) -> Examine:
    """Examine a file with the given bytes."""

    def look(content: bytes, **wishes: object) -> Content:
        path = tmp_path / "a.fits"
        path.write_bytes(content)
        with open_regular(path) as plain:
            return examine(plain, Request(**wishes))  # type: ignore[arg-type]

    return look


def test_a_content_is_told_without_its_header_being_understood(look: Examine) -> None:
    """Digests, header blocks, shape, statistics; a header without time or exposure is no matter."""
    pixels = scene(random(1))
    content = header(drop=["DATE-OBS", "JD", "EXPTIME"]) + pad(store(pixels))
    found = look(content)

    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert (found.size_bytes, found.hdu, found.shape, found.bitpix) == (
        len(content),
        0,
        (48, 64),
        16,
    )
    assert found.raw_header == content[:2880]
    assert found.cards.get("OBJECT") == "M83"
    assert found.statistics.maximum == pixels.max()
    assert found.statistics.mean == pytest.approx(pixels.mean())


@pytest.mark.parametrize("wrap", ["plain", "gzip", "RICE_1", "GZIP_2"])
def test_every_wrapping_has_the_same_pixels_digest_and_statistics(
    look: Examine, tmp_path: Path, wrap: str
) -> None:
    """What the camera counted does not depend on who packed it."""
    plain = frame(random(1))
    pixels = scene(random(1))
    content = {"plain": plain, "gzip": gzip.compress(plain)}.get(wrap) or packed(
        random(1), kind=wrap
    )
    expected, found = look(plain), look(content)

    assert found.pixel_sha256 == expected.pixel_sha256
    assert found.statistics == expected.statistics
    with open_regular(tmp_path / "a.fits") as opened:
        assert is_gzip(opened) == (wrap == "gzip")
        np.testing.assert_array_equal(decode(opened, Request(hdu=found.hdu)), pixels)


def test_a_layout_that_is_known_is_not_read_again(tmp_path: Path) -> None:
    """The same content comes out."""
    path = tmp_path / "a.fits"
    path.write_bytes(frame(random(1)))
    with open_regular(path) as plain:
        layout = read_lone_unit(plain)
        known = examine(plain, Request(), layout=layout)
        anew = examine(plain, Request())

    assert layout is not None
    assert (known.sha256, known.pixel_sha256) == (anew.sha256, anew.pixel_sha256)


def test_an_image_is_wanted_by_place_or_by_name(look: Examine) -> None:
    """The second of two extensions; one that is not there may still come."""
    content = empty_primary() + extension(random(1)) + extension(random(2), {"EXTNAME": "'SCI'"})

    assert look(content).hdu == 1
    assert look(content, hdu="SCI").hdu == look(content, hdu=2).hdu == 2
    for absent in ("DQ", 3):
        with pytest.raises(Incomplete, match="not there"):
            look(content, hdu=absent)


def test_unpacked_pixels_are_held_against_the_sum_of_before(look: Examine) -> None:
    """ZDATASUM, that fpack writes: right, wrong, and of an instrument known for wrong ones."""
    from include.ccd.fits_checksum import add_sum

    right = str(add_sum(store(scene(random(1)))))

    def content(stated: str) -> bytes:
        other = packed(random(1))
        at = other.index(b"OBJECT  =")
        return other[:at] + f"ZDATASUM= '{stated}'".ljust(80).encode() + other[at + 80 :]

    assert look(content(right)).shape == (48, 64)
    with pytest.raises(Malformed, match="ZDATASUM is '1'"):
        look(content("1"))
    assert look(content("1"), verify=False).shape == (48, 64)
