from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest

from include.ccd.errors import Malformed
from include.ccd.fits_digest import RangeDigest, UnitSums, sums_of
from include.ccd.fits_file import open_regular
from include.ccd.fits_layout import read_layout


@pytest.mark.parametrize(("start", "end"), [(0, 10), (5, 25), (10, 20), (29, 30), (12, 12)])
def test_a_range_is_the_same_however_it_goes_by(start: int, end: int) -> None:
    """The digest of a range does not depend on the chunks it came in."""
    content = os.urandom(30)
    digest = RangeDigest(start, end, prefix=b"kind")
    for offset in range(0, 30, 7):
        digest.see(offset, memoryview(content[offset : offset + 7]))

    assert digest.hexdigest() == hashlib.sha256(b"kind" + content[start:end]).hexdigest()


@pytest.fixture
def summed_file(tmp_path: Path) -> Path:
    """A file of two units with astropy's checksums."""
    from astropy.io import fits

    pixels = np.random.default_rng(3).integers(0, 65536, (30, 50)).astype(np.uint16)
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(pixels), fits.ImageHDU(pixels[:7])]).writeto(file, checksum=True)
    path = tmp_path / "summed.fits"
    path.write_bytes(file.getvalue())
    return path


def verify(path: Path) -> int:
    with open_regular(path) as source:
        sums = sums_of(read_layout(source).units)
        for offset, chunk in source.chunks():
            for each in sums:
                each.see(offset, chunk)
    for each in sums:
        each.verify()
    return len(sums)


def test_sums_that_another_program_wrote_hold(summed_file: Path) -> None:
    """Every unit that states sums is verified."""
    assert verify(summed_file) == 2


@pytest.mark.parametrize("where", [40, 2880 + 11, 11520 + 11])
def test_one_changed_bit_is_found(summed_file: Path, where: int) -> None:
    """In a header and in the data of either unit."""
    content = bytearray(summed_file.read_bytes())
    content[where] ^= 1
    summed_file.write_bytes(content)
    with pytest.raises(Malformed) as caught:
        verify(summed_file)
    assert caught.value.code == "bad_checksum"


def test_a_unit_without_sums_has_nothing_to_verify(tmp_path: Path) -> None:
    """Most cameras write none."""
    from astropy.io import fits

    path = tmp_path / "plain.fits"
    fits.PrimaryHDU(np.zeros((3, 4), np.int16)).writeto(path)

    assert verify(path) == 0


def test_a_blank_checksum_is_no_checksum(summed_file: Path) -> None:
    """The standard allows an empty string for "not computed"."""
    with open_regular(summed_file) as source:
        unit = read_layout(source).units[0]
    raw = unit.raw.replace(b"CHECKSUM", b"CHECKOLD").replace(b"DATASUM ", b"DATAOLD ")
    raw = raw.replace(b"END".ljust(80), b"CHECKSUM= ''".ljust(80) + b"END".ljust(80))
    summed_file.write_bytes(raw[:2880] + summed_file.read_bytes()[2880 : unit.end])

    assert verify(summed_file) == 1


def test_sums_need_no_order_of_chunks(summed_file: Path) -> None:
    """Header and data are summed apart, so that only block boundaries matter."""
    content = summed_file.read_bytes()
    with open_regular(summed_file) as source:
        sums = UnitSums(read_layout(source).units[0])
    for offset in reversed(range(0, len(content), 2880)):
        sums.see(offset, memoryview(content[offset : offset + 2880]))

    sums.verify()
