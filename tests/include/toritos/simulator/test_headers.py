"""Files are FITS in the dialect of the camera."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from include.toritos.simulator import Exposure, Truth
from include.toritos.simulator.headers import card, sexagesimal, write_fits


def _file(truth: Truth, exposure: Exposure) -> bytes:
    stream = io.BytesIO()
    write_fits(
        stream,
        truth.raw(exposure),
        plan=truth.plan,
        exposure=exposure,
        conditions=truth.conditions(exposure),
    )
    return stream.getvalue()


def _header(truth: Truth, name: str) -> fits.Header:
    content = _file(truth, truth.exposure(name))
    assert len(content) % 2880 == 0
    with fits.open(io.BytesIO(content)) as hdus:
        hdus.verify("exception")
        return hdus[0].header


@pytest.mark.parametrize(
    ("name", "kind", "exptime_s", "filter_name"),
    [
        ("bias-001.fit", "Bias Frame", 0.0, "Clear"),
        ("dark-020s-001.fit", "Dark Frame", 20.0, "Clear"),
        ("flat-R-001.fit", "Flat Field", 5.0, "R"),
        ("field01-V-0002.fit", "Light Frame", 60.0, "V"),
    ],
)
def test_each_kind_says_what_it_is(
    truth: Truth, name: str, kind: str, exptime_s: float, filter_name: str
) -> None:
    """Type, time and filter; a bias names the filter at which the wheel happens to stand."""
    header = _header(truth, name)
    assert header["IMAGETYP"] == kind
    assert header["EXPTIME"] == header["EXPOSURE"] == exptime_s
    assert header["FILTER"] == filter_name
    assert header["INSTRUME"] == "Apogee USB/Net"
    assert (header["XBINNING"], header["YBINNING"], header["XPIXSZ"]) == (1, 1, 14.0)


def test_a_science_header_tells_where_and_when(truth: Truth) -> None:
    """Site with west negative, pointing, airmass, and one instant in two forms."""
    header = _header(truth, "field01-V-0002.fit")
    assert (header["SITELAT"], header["SITELONG"]) == ("-24 37 23", "-67 19 41")
    assert (header["OBJECT"], header["OBJCTRA"]) == ("field01", "02 00 00")
    assert header["OBJCTDEC"] == "-29 30 00"
    assert header["AIRMASS"] == truth.conditions("field01-V-0002.fit").airmass
    start = datetime.fromisoformat(header["DATE-OBS"])
    assert start.microsecond % 1000 == 0 < start.microsecond
    assert header["JD"] == pytest.approx(start.toordinal() + 1721424.5 + _day(start), abs=1e-8)


def _day(instant: datetime) -> float:
    return (instant - datetime(instant.year, instant.month, instant.day)).total_seconds() / 86400


def test_pixels_are_unsigned_sixteen_bits(truth: Truth) -> None:
    """What is read back is what was exposed, to the ends of the range."""
    pixels = np.array([[0, 1, 32767], [32768, 65000, 65535]], dtype=np.uint16)
    exposure = truth.exposure("bias-001.fit")
    stream = io.BytesIO()
    conditions = truth.conditions(exposure)
    write_fits(stream, pixels, plan=truth.plan, exposure=exposure, conditions=conditions)
    with fits.open(io.BytesIO(stream.getvalue())) as hdus:
        assert hdus[0].data.dtype == np.uint16
        assert np.array_equal(hdus[0].data, pixels)


def test_the_header_has_the_keywords_of_the_real_camera(truth: Truth, real_data: Path) -> None:
    """Every keyword of a genuine TOROS header but who owns the software and what edited it."""
    real = fits.getheader(next((real_data / "toros_eaba_2015" / "aligned").glob("*.fit")))
    simulated = _header(truth, "field01-V-0001.fit")
    assert set(real) - {"SWOWNER", "COMMENT"} <= set(simulated)
    for key in ("EXPTIME", "JD", "IMAGETYP", "SITELAT", "XBINNING", "CCD-TEMP", "READOUTM"):
        assert type(simulated[key]) is type(real[key])


@given(st.integers(-359 * 3600, 359 * 3600))
def test_sexagesimal_text_gives_the_number_back(arcseconds: int) -> None:
    """To the second, with carries and with the sign of values above minus one."""
    text = sexagesimal(arcseconds / 3600.0)
    degrees, minutes, seconds = (int(part) for part in text.lstrip("-").split())
    assert minutes < 60
    assert seconds < 60
    magnitude = degrees * 3600 + minutes * 60 + seconds
    assert (-magnitude if text.startswith("-") else magnitude) == arcseconds


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e90, max_value=1e90))
def test_a_number_in_a_card_loses_no_bit(value: float) -> None:
    """17 digits are enough for a double."""
    text = f"{card('VALUE', value):<80}"
    assert fits.Card.fromstring(text).value == value
    assert len(text) == 80
