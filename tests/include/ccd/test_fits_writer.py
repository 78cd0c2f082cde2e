from __future__ import annotations

import io
import re
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ccd.fits_cards import Cards
from include.ccd.fits_writer import (
    check_keyword,
    format_card,
    header_bytes,
    write_plane,
    write_primary,
)

PRINTABLE = st.text(alphabet=string.printable[:95], max_size=400)


def read_back(*cards: str) -> Any:
    from astropy.io import fits

    header = fits.Header.fromstring(header_bytes(cards).decode())
    for card in header.cards:
        card.verify("exception")
    return header


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "KEY     =                    T"),
        (False, "KEY     =                    F"),
        (42, "KEY     =                   42"),
        (-1.5, "KEY     =                 -1.5"),
        (1e-5, "KEY     =                1E-05"),
        ("V", "KEY     = 'V       '"),
        ("O'Brien", "KEY     = 'O''Brien'"),
        (None, "KEY     ="),
        (float("nan"), "KEY     ="),
        (float("-inf"), "KEY     ="),
        (np.float64(2.5), "KEY     =                  2.5"),
        (np.int16(7), "KEY     =                    7"),
        (np.bool_(True), "KEY     =                    T"),
    ],
)
def test_a_card_is_what_the_standard_says(value: Any, text: str) -> None:
    """Fixed format; what FITS has no text for is left blank."""
    card = format_card("KEY", value)

    assert len(card) == 80
    assert card.rstrip() == text


@given(PRINTABLE)
def test_any_text_comes_back_from_astropy_and_from_us(text: str) -> None:
    """Short, long, full of quotes and ampersands: only blanks at the end are lost."""
    cards = format_card("KEY", text)

    assert len(cards) % 80 == 0
    assert Cards(header_bytes([cards])).get("KEY") == text.rstrip()
    # astropy takes a slash behind a doubled quote for the beginning of the comment
    if re.search(r"' */", text) is None:
        assert read_back(cards)["KEY"].rstrip() == text.rstrip()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_comes_back_exactly(number: float) -> None:
    """Not one bit is lost, and a float stays a float."""
    cards = format_card("KEY", number)

    for found in (Cards(header_bytes([cards])).get("KEY"), read_back(cards)["KEY"]):
        assert found == number
        assert isinstance(found, float)


@pytest.mark.parametrize("text", ["María", "a\r\nEND", "\x1b[31m", "nul\0", "tab\t"])
def test_no_text_can_break_a_header(text: str) -> None:
    """What is not printable ASCII becomes a question mark."""
    card = format_card("OBJECT", (text, text))

    assert len(card) == 80
    assert card.isascii()
    assert card.isprintable()
    assert read_back(card)["OBJECT"].count("?") == sum(not " " <= char <= "~" for char in text)


def test_a_comment_is_cut_where_the_card_ends() -> None:
    """A value is never cut for the sake of its comment."""
    card = format_card("KEY", ("x" * 60, "c" * 60))

    assert card == f"KEY     = '{'x' * 60}' / ccccc"


def test_a_long_keyword_becomes_a_hierarch_card() -> None:
    """Metrics have names of their own."""
    card = format_card("METRIC BACKGROUND_RMS_E", 3.25)

    assert card.startswith("HIERARCH METRIC BACKGROUND_RMS_E = ")
    assert read_back(card)["METRIC BACKGROUND_RMS_E"] == 3.25
    assert Cards(header_bytes([card])).get("METRIC BACKGROUND_RMS_E") == 3.25
    with pytest.raises(ValueError, match="too long"):
        format_card("METRIC BACKGROUND_RMS_E", "x" * 70)


@pytest.mark.parametrize("keyword", ["RDNOISE", "DATE-OBS", "A_1", "METRIC FWHM_PX"])
def test_a_good_keyword_is_allowed(keyword: str) -> None:
    """Letters, digits, hyphen, underscore."""
    check_keyword(keyword)


@pytest.mark.parametrize(
    "keyword",
    [
        "",
        "lower",
        "GAIN.SPE",
        "A B ",
        "NAXIS1",
        "END",
        "CHECKSUM",
        "BZERO",
        "CONTINUE",
        "X" * 41,
        "Ñ",
    ],
)
def test_a_keyword_that_would_break_the_file_is_refused(keyword: str) -> None:
    """Structure is written by the writer alone."""
    with pytest.raises(ValueError, match="keyword"):
        check_keyword(keyword)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (700, 401)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_astropy_opens_what_is_written_and_its_sums_hold(
    shape: tuple[int, int], dtype: type[np.generic]
) -> None:
    """Without a warning (here warnings are errors), whole, with true checksums."""
    from astropy.io import fits

    plane = (np.random.default_rng(5).random(shape) * 65535).astype(dtype)
    file = io.BytesIO()
    write_primary(file, [format_card("OBJECT", "M83")])
    write_plane(file, "SCI", plane, unit="electron")

    assert len(file.getvalue()) % 2880 == 0
    with fits.open(io.BytesIO(file.getvalue()), checksum=True) as units:
        units.verify("exception")
        assert units[0].header["OBJECT"] == "M83"
        assert units["SCI"].header["BUNIT"] == "electron"
        assert [unit.verify_checksum() for unit in units] == [1, 1]
        assert [unit.verify_datasum() for unit in units] == [1, 1]
        np.testing.assert_array_equal(units["SCI"].data, plane)


def test_a_view_is_written_as_what_it_shows() -> None:
    """A transposed or sliced array is not its memory."""
    from astropy.io import fits

    plane = np.arange(60, dtype=np.float32).reshape(6, 10).T[::2]
    file = io.BytesIO()
    write_primary(file, [])
    write_plane(file, "SCI", plane)

    np.testing.assert_array_equal(fits.getdata(io.BytesIO(file.getvalue()), 1), plane)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_a_file_on_disk_holds_the_bytes_that_memory_holds(
    dtype: type[np.generic], tmp_path: Path
) -> None:
    """Room is taken beforehand for the large planes, and none is left over."""
    plane = (np.random.default_rng(5).random((700, 401)) * 65535).astype(dtype)
    memory, file = io.BytesIO(), tmp_path / "plane.fits"
    with file.open("wb") as disk:
        for stream in (memory, disk):
            write_primary(stream, [])
            write_plane(stream, "SCI", plane)
            write_plane(stream, "VAR", plane)

    assert file.read_bytes() == memory.getvalue()


def test_what_has_no_room_to_take_is_written_to_all_the_same() -> None:
    """A device has no size."""
    with Path("/dev/null").open("wb") as device:
        write_plane(device, "SCI", np.zeros((700, 401), np.float32))


def test_no_pattern_of_bits_is_lost() -> None:
    """Infinities, signs of zero and whatever a NaN carries."""
    bits = np.array([[0x7FC00001, 0xFFC12345, 0x7F800000], [0x80000000, 1, 0x7F800001]], "u4")
    file = io.BytesIO()
    write_plane(file, "SCI", bits.view(np.float32))

    assert file.getvalue()[2880:][: bits.nbytes] == bits.astype(">u4").tobytes()


def test_byte_order_of_the_plane_does_not_matter() -> None:
    """The file holds values, not memory."""
    plane = np.arange(6, dtype=np.float32).reshape(2, 3)
    native, swapped = io.BytesIO(), io.BytesIO()
    write_plane(native, "SCI", plane)
    write_plane(swapped, "SCI", plane.astype(">f4"))

    assert native.getvalue() == swapped.getvalue()
