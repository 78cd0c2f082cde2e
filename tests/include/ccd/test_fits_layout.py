from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.ccd.errors import BadFits, Incomplete, Malformed, Unusable
from include.ccd.fits_file import open_regular
from include.ccd.fits_layout import Layout, read_layout, read_lone_unit

MakeFits = Callable[..., bytes]
Read = Callable[..., Layout]

TABLE = {
    "XTENSION": "'BINTABLE'",
    "BITPIX": "8",
    "NAXIS": "2",
    "NAXIS1": "10",
    "NAXIS2": "20",
    "PCOUNT": "5",
    "GCOUNT": "1",
    "TFIELDS": "0",
}
IMAGE = {
    "XTENSION": "'IMAGE   '",
    "BITPIX": "16",
    "NAXIS": "2",
    "NAXIS1": "64",
    "NAXIS2": "48",
    "PCOUNT": "0",
    "GCOUNT": "1",
}
EMPTY_PRIMARY = {"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0", "EXTEND": "T"}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Layout of a file with the given bytes."""

    def read(content: bytes, **kwargs: Any) -> Layout:
        path = tmp_path / "frame.fits"
        path.write_bytes(content)
        with open_regular(path) as source:
            return read_layout(source, **kwargs)

    return read


def refusal(read: Read, content: bytes, **kwargs: Any) -> tuple[type[BadFits], str]:
    with pytest.raises(BadFits) as caught:
        read(content, **kwargs)
    return caught.type, caught.value.code


def test_a_plain_image_is_one_unit(read: Read, make_fits: MakeFits) -> None:
    """Its size is what the header implies."""
    layout = read(make_fits())
    (unit,) = layout.units

    assert layout.flags == frozenset()
    assert (unit.kind, unit.shape, unit.bitpix) == ("image", (48, 64), 16)
    assert (unit.start, unit.data_start, unit.data_bytes, unit.end) == (0, 2880, 6144, 11520)
    assert layout.image(None) is unit


def test_an_image_is_found_behind_a_table(read: Read, make_fits: MakeFits) -> None:
    """The first unit with two dimensions, or the one that the profile names."""
    primary = make_fits(base=EMPTY_PRIMARY, data=b"")
    layout = read(primary + make_fits(base=TABLE, data=bytes(205)) + make_fits(base=IMAGE))

    assert [unit.kind for unit in layout.units] == ["empty", "other", "image"]
    assert layout.image(None).index == 2
    assert layout.image(2).index == 2
    with pytest.raises(Unusable):
        layout.image(1)


def test_a_named_extension_that_is_not_there_may_still_come(
    read: Read, make_fits: MakeFits
) -> None:
    """A camera writes its primary header first."""
    layout = read(make_fits(base=EMPTY_PRIMARY, data=b""))

    with pytest.raises(Incomplete):
        layout.image(1)
    with pytest.raises(Incomplete):
        layout.image(None, expect_more=True)
    with pytest.raises(Unusable):
        layout.image(None)


@pytest.mark.parametrize("size", [1, 100, 2879, 2880, 2881, 9000, 9023])
def test_a_truncated_file_is_waited_for(read: Read, make_fits: MakeFits, size: int) -> None:
    """Inside the header, right after it, and in the data up to the last byte."""
    assert refusal(read, make_fits()[:size])[0] is Incomplete


@pytest.mark.parametrize("size", [9024, 9025, 11519])
def test_missing_padding_is_flagged(read: Read, make_fits: MakeFits, size: int) -> None:
    """All pixels are there."""
    assert read(make_fits()[:size]).flags == {"padding_missing"}


def test_a_file_cut_anywhere_never_passes_as_whole(read: Read, make_fits: MakeFits) -> None:
    """Two units, cut at every hundredth byte: waited for, or whole up to the first unit."""
    first = make_fits()
    content = first + make_fits(base=IMAGE)
    for size in range(1, len(content) - 2496, 100):
        try:
            layout = read(content[:size])
        except Incomplete:
            continue
        assert 9024 <= size <= len(first) or layout.flags == {"padding_missing"}


@pytest.mark.parametrize(
    ("tail", "flags"),
    [
        (b"garbage", {"trailing_bytes"}),
        (bytes(2880), {"trailing_bytes"}),
        (b"\xff" * 3000, {"trailing_bytes"}),
    ],
)
def test_what_follows_the_last_unit_is_flagged(
    read: Read, make_fits: MakeFits, tail: bytes, flags: set[str]
) -> None:
    """Nothing of it is used."""
    layout = read(make_fits() + tail)

    assert layout.flags == flags
    assert len(layout.units) == 1


def test_a_next_unit_that_has_only_begun_is_waited_for(read: Read, make_fits: MakeFits) -> None:
    """'XTEN' at the end is an extension that is being written."""
    assert refusal(read, make_fits() + b"XTEN") == (Incomplete, "truncated_header")


def test_null_padding_in_the_header_is_flagged(read: Read, make_fits: MakeFits) -> None:
    """Some writers pad with zeros where the standard wants blanks."""
    content = make_fits()
    end = content.index(b"END" + b" " * 77) + 3
    padded = content[:end] + bytes(2880 - end) + content[2880:]

    assert read(padded).flags == {"null_padding"}


@pytest.mark.parametrize(
    ("changes", "drop", "code"),
    [
        ({"BITPIX": "17"}, [], "bad_bitpix"),
        ({"BITPIX": "16.0"}, [], "bad_bitpix"),
        ({"BITPIX": "'16'"}, [], "bad_bitpix"),
        ({}, ["BITPIX"], "bad_bitpix"),
        ({"NAXIS1": "64.0"}, [], "bad_naxis"),
        ({"NAXIS1": "-64"}, [], "bad_naxis"),
        ({"NAXIS1": "T"}, [], "bad_naxis"),
        ({"NAXIS": "1000"}, [], "bad_naxis"),
        ({}, ["NAXIS"], "bad_naxis"),
        ({}, ["NAXIS2"], "bad_naxis"),
        ({"NAXIS1": "64,0"}, [], "unreadable_card"),
        ({"SIMPLE": "F"}, [], "not_simple"),
        ({"SIMPLE": "'T'"}, [], "not_simple"),
    ],
)
def test_a_header_that_gives_no_size_is_refused(
    read: Read, make_fits: MakeFits, changes: dict[str, str], drop: list[str], code: str
) -> None:
    """Where astropy raises TypeError, KeyError, OSError, or nothing at all."""
    assert refusal(read, make_fits(changes, drop=drop)) == (Malformed, code)


def test_structure_told_twice_is_refused(read: Read, make_fits: MakeFits) -> None:
    """Two widths are none."""
    assert refusal(read, make_fits(extra=["NAXIS1  = 65"])) == (Malformed, "duplicate_keyword")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"NAXIS1": "200000", "NAXIS2": "200000"}, "too_many_pixels"),
        ({"NAXIS1": "281474976710656", "NAXIS2": "281474976710656"}, "too_many_pixels"),
    ],
)
def test_a_bomb_is_refused_by_its_header(
    read: Read, make_fits: MakeFits, changes: dict[str, str], code: str
) -> None:
    """Hundreds of gibibytes are announced; not one is allocated, nor waited for."""
    assert refusal(read, make_fits(changes)) == (Unusable, code)


def test_a_table_that_announces_too_much_is_refused(read: Read, make_fits: MakeFits) -> None:
    """Tables have no pixels, but bytes."""
    table = make_fits({"NAXIS2": "99999999999"}, base=TABLE, data=b"")

    found = refusal(read, make_fits() + table, max_bytes=1 << 30)

    assert found == (Unusable, "too_large")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"NAXIS": "0"}, "no_image"),
        ({"NAXIS": "1"}, "no_image"),
        ({"NAXIS1": "0"}, "no_image"),
        ({"NAXIS": "3", "NAXIS1": "16", "NAXIS2": "16", "NAXIS3": "12"}, "no_image"),
    ],
)
def test_what_is_not_one_image_is_refused(
    read: Read, make_fits: MakeFits, changes: dict[str, str], reason: str
) -> None:
    """Nothing, a line, an empty image, a cube."""
    content = make_fits(changes)
    layout = read(content[:2880] if changes.get("NAXIS") in {"0"} else content)
    with pytest.raises(Unusable) as caught:
        layout.image(None)
    assert caught.value.code == reason


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<!DOCTYPE html><html>" + b" " * 4000, "not_fits"),
        (b"\x7fELF" + bytes(4000), "not_fits"),
        (b"PK\x03\x04" + bytes(4000), "not_fits"),
        (b"simple  =                    T".ljust(2880), "not_fits"),
        (b"BITPIX  =                   16".ljust(2880), "not_fits"),
    ],
)
def test_what_is_not_fits_is_refused(read: Read, content: bytes, code: str) -> None:
    """Error pages and programs are named .fits too."""
    assert refusal(read, content) == (Malformed, code)


@pytest.mark.parametrize("end", [b"end" + b" " * 77, b" END" + b" " * 76, b" " * 80])
def test_a_header_without_end_is_refused(read: Read, make_fits: MakeFits, end: bytes) -> None:
    """Lower case, misplaced or missing: pixels must not be read as cards."""
    content = make_fits().replace(b"END" + b" " * 77, end)

    assert refusal(read, content) == (Malformed, "no_end")


def test_zeros_where_the_file_will_be_are_waited_for(read: Read, make_fits: MakeFits) -> None:
    """Preallocated: the right size before the first byte, and with half a header."""
    content = make_fits()

    assert refusal(read, bytes(len(content))) == (Incomplete, "preallocated")
    half = content[:800] + bytes(len(content) - 800)
    assert refusal(read, half) == (Incomplete, "preallocated")


def test_a_header_without_end_is_not_read_for_ever(read: Read) -> None:
    """A text file that begins like FITS is given up after some blocks."""
    content = b"SIMPLE  =                    T".ljust(2880) + b"x" * 2880 * 1500

    assert refusal(read, content) == (Malformed, "header_too_long")


def test_more_units_than_anybody_needs_are_refused(read: Read, make_fits: MakeFits) -> None:
    """A hundred is the cap."""
    extension = make_fits({"NAXIS": "0"}, base=IMAGE, data=b"")

    assert refusal(read, make_fits() + extension * 100) == (Unusable, "too_many_units")


@pytest.mark.parametrize("bitpix", ["8", "32", "-32", "64"])
def test_a_size_that_only_another_type_has_is_refused(
    read: Read, make_fits: MakeFits, bitpix: str
) -> None:
    """BITPIX is wrong, and not the file too short or too long."""
    assert refusal(read, make_fits({"BITPIX": bitpix})) == (Malformed, "bad_bitpix")


def test_a_size_that_no_type_has_says_nothing_about_the_type(
    read: Read, make_fits: MakeFits
) -> None:
    """A file cut or extended by a block, or extended by something that is no padding."""
    content = make_fits()

    assert refusal(read, make_fits({"BITPIX": "32"})[:-1]) == (Incomplete, "truncated_data")
    assert read(content + bytes(2880)).flags == {"trailing_bytes"}
    assert read(content + b"x" * 6144).flags == {"trailing_bytes"}


def test_headers_that_run_into_each_other_are_refused(read: Read, make_fits: MakeFits) -> None:
    """The END between them was overwritten."""
    merged = make_fits(base=EMPTY_PRIMARY, data=b"").replace(b"END" + b" " * 77, b" " * 80)
    content = merged + make_fits(base=IMAGE)

    assert refusal(read, content) == (Malformed, "two_headers")


@pytest.mark.parametrize("changes", [{"PCOUNT": "3"}, {"GCOUNT": "2"}, {"GCOUNT": "0"}])
def test_an_image_extension_has_no_groups(
    read: Read, make_fits: MakeFits, changes: dict[str, str]
) -> None:
    """Its size would not be that of its pixels."""
    content = make_fits(base=EMPTY_PRIMARY, data=b"") + make_fits(changes, base=IMAGE)

    assert refusal(read, content + bytes(20_000))[0] is Malformed


def test_all_headers_together_have_a_cap(read: Read, make_fits: MakeFits) -> None:
    """Many units with long headers cannot take more memory than one."""
    long = [f"NOTE{i:<4}= {i}" for i in range(36 * 99)]
    extension = make_fits({"NAXIS": "0"}, base=IMAGE, data=b"", extra=long)

    assert len(extension) == 100 * 2880
    assert len(read(make_fits() + extension * 9).units) == 10
    assert refusal(read, make_fits() + extension * 10) == (Malformed, "header_too_long")


def test_a_file_cut_between_header_blocks_is_waited_for(read: Read, make_fits: MakeFits) -> None:
    """Also when zeros stand where the next block will be."""
    content = make_fits(extra=[f"NOTE{i:<4}= {i}" for i in range(60)])

    assert refusal(read, content[:2880]) == (Incomplete, "truncated_header")
    assert refusal(read, content[:2880] + bytes(9000)) == (Incomplete, "preallocated")


def test_a_lone_unit_is_told_from_the_first_of_several(tmp_path: Path, make_fits: MakeFits) -> None:
    """Of several nothing more is read; what is wrong with the first is found here already."""
    path = tmp_path / "frame.fits"

    def lone(content: bytes) -> Layout | None:
        path.write_bytes(content)
        with open_regular(path) as source:
            return read_lone_unit(source)

    found = lone(make_fits() + b"garbage")
    assert found is not None
    assert (len(found.units), found.flags) == (1, {"trailing_bytes"})
    assert lone(make_fits() + make_fits(base=IMAGE)) is None
    assert lone(make_fits() + make_fits(base=IMAGE)[:2000]) is None
    with pytest.raises(Incomplete):
        lone(make_fits()[:3000])


def test_an_extension_is_known_by_its_name(read: Read, make_fits: MakeFits) -> None:
    """The name of the primary unit is not that of the others; one that is unreadable is none."""
    primary = make_fits({"EXTNAME": "'ALL'"}, base=EMPTY_PRIMARY, data=b"")
    layout = read(
        primary
        + make_fits({"EXTNAME": "'SCI     '"}, base=IMAGE)
        + make_fits({"EXTNAME": "NaN"}, base=IMAGE)
        + make_fits(base=IMAGE)
    )

    assert [unit.name for unit in layout.units] == ["ALL", "SCI", "", ""]
    assert layout.image("SCI").index == 1
    with pytest.raises(Unusable, match="no two-dimensional"):
        layout.image("ALL")
    with pytest.raises(Incomplete):
        layout.image("DQ")
