from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from include.ccd.errors import Malformed
from include.ccd.fits_content import Request, decode
from include.ccd.fits_file import open_regular
from tests.bad_fits.frames import BLOCK, frame, random, scene

DATA = 48 * 64 * 2


def read(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    with open_regular(path) as plain:
        return decode(plain, Request())


@pytest.mark.parametrize("number", [1, 2, 7, 300])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_pixels_out_of_step_are_not_taken_for_pixels(pack, number: int, tmp_path: Path) -> None:
    """Bytes are missing, or too many, in the middle; the file may be packed."""
    good = frame(random(3))
    lost = good[:5000] + good[5000 + number :]
    added = good[:5001] + random(1).bytes(number) + good[5001:]

    for content, code in ((lost, "bytes_lost"), (added, "bytes_added")):
        with pytest.raises(Malformed) as caught:
            read(tmp_path / "a.fits", pack(content))
        assert caught.value.code == code


def test_a_file_that_was_carried_as_text_is_refused(tmp_path: Path) -> None:
    """Each line feed has become two bytes, or each such pair one."""
    pixels = scene(random(1))
    pixels[::4, ::3] = 0x0D0A ^ 0x8000
    good = frame(random(1), pixels=pixels)

    for content in (good.replace(b"\n", b"\r\n"), good.replace(b"\r\n", b"\n")):
        with pytest.raises(Malformed):
            read(tmp_path / "a.fits", content)


@pytest.mark.parametrize("size", [BLOCK + DATA, BLOCK + DATA + 9, -1, -2, -100])
def test_padding_that_is_cut_changes_no_pixel(size: int, tmp_path: Path) -> None:
    """Whole numbers or real ones, also when the last of these end in zeros."""
    pixels = scene(random(2))
    for each in (pixels, np.full((48, 64), 1000, np.float32)):
        more = {} if each.dtype == np.uint16 else {"BITPIX": "-32", "BZERO": "0"}
        good = frame(random(2), more, pixels=each)
        cut = size if size < 0 else size + (0 if each.dtype == np.uint16 else DATA)

        assert np.array_equal(read(tmp_path / "a.fits", good[:cut]), each)


@pytest.mark.parametrize("behind", [b"\0", b"\0\0", bytes(BLOCK), b"x", b"dirt" * 99])
def test_what_stands_behind_the_padding_changes_no_pixel(behind: bytes, tmp_path: Path) -> None:
    """Zeros or dirt."""
    pixels = scene(random(2))
    good = frame(random(2), pixels=pixels)

    assert np.array_equal(read(tmp_path / "a.fits", good + behind), pixels)
