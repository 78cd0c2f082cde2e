from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.ccd.errors import BadFits, Malformed
from include.ccd.fits_reader import inspect
from include.ccd.profile import Profile
from include.ccd.raw import RawFrame

MakeFits = Callable[..., bytes]
Open = Callable[..., RawFrame]


@pytest.fixture
def open_frame(tmp_path: Path, plain_profile: Profile) -> Open:
    """The raw frame in a file with the given bytes."""

    def open_frame(content: bytes, name: str = "frame.fits") -> RawFrame:
        path = tmp_path / name
        path.write_bytes(content)
        found = inspect(path, profile=plain_profile)
        return RawFrame(path, found.header, found.hdu)

    return open_frame


@pytest.mark.parametrize("rows", [(0, 48), (0, 1), (13, 29), (47, 48), (5, 5)])
def test_any_rows_are_those_of_the_image(
    open_frame: Open, make_fits: MakeFits, raw_pixels: np.ndarray[Any, Any], rows: tuple[int, int]
) -> None:
    """From a plain file by seeking, from a packed one by unpacking."""
    y0, y1 = rows
    for name, content in (("a.fits", make_fits()), ("a.fits.gz", gzip.compress(make_fits()))):
        read = open_frame(content, name).read_rows(y0, y1)
        assert read.dtype == np.uint16
        np.testing.assert_array_equal(read, raw_pixels[y0:y1])


def test_rows_of_a_signed_image_are_float32(
    open_frame: Open, make_fits: MakeFits, raw_pixels: np.ndarray[Any, Any]
) -> None:
    """Two types are all that the code downstream has to know."""
    frame = open_frame(make_fits(drop=["BZERO"]))

    assert frame.pixels().dtype == np.float32
    np.testing.assert_array_equal(frame.pixels(), raw_pixels.astype(np.float32) - 32768)


@pytest.mark.parametrize("rows", [(-1, 2), (3, 2), (0, 49)])
def test_rows_that_are_not_there_are_refused(
    open_frame: Open, make_fits: MakeFits, rows: tuple[int, int]
) -> None:
    """A slice would silently give fewer."""
    with pytest.raises(ValueError, match="rows must lie in 0 to 48"):
        open_frame(make_fits()).read_rows(*rows)


def test_only_the_rows_that_are_asked_for_are_read(
    open_frame: Open, make_fits: MakeFits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stripe of a big frame costs a stripe."""
    import os

    frame = open_frame(make_fits())
    frame.read_rows(0, 1)
    read: list[int] = []
    preadv = os.preadv

    def counting(descriptor: int, buffers: Any, offset: int) -> int:
        count = preadv(descriptor, buffers, offset)
        read.append(count)
        return count

    monkeypatch.setattr(os, "preadv", counting)
    monkeypatch.setattr(os, "pread", None)
    frame.read_rows(10, 14)

    assert read == [4 * 64 * 2]


def test_a_frame_in_memory_needs_no_file(
    open_frame: Open, make_fits: MakeFits, raw_pixels: np.ndarray[Any, Any]
) -> None:
    """Tests and notebooks make frames from arrays."""
    frame = RawFrame.of(raw_pixels, open_frame(make_fits()).header)

    assert frame.shape == (48, 64)
    np.testing.assert_array_equal(frame.read_rows(3, 7), raw_pixels[3:7])


def test_a_frame_without_file_and_array_is_refused(open_frame: Open, make_fits: MakeFits) -> None:
    """There is nothing to read."""
    with pytest.raises(ValueError, match="path or an array"):
        RawFrame(None, open_frame(make_fits()).header).pixels()


def test_a_file_that_was_replaced_is_not_believed(open_frame: Open, make_fits: MakeFits) -> None:
    """Shorter, or of another shape: an error, never wrong pixels."""
    frame = open_frame(make_fits())
    assert frame.path is not None
    frame.read_rows(0, 1)
    frame.path.write_bytes(make_fits()[:4000])
    with pytest.raises(BadFits):
        frame.read_rows(40, 48)

    other = open_frame(make_fits())
    smaller = make_fits({"NAXIS1": "32"}, data=bytes(32 * 48 * 2))
    assert other.path is not None
    other.path.write_bytes(smaller)
    with pytest.raises(Malformed) as caught:
        other.pixels()
    assert caught.value.code == "changed"
