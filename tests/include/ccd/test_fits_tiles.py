from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from include.ccd.errors import Malformed, Unusable
from include.ccd.fits_cards import Cards
from include.ccd.fits_layout import Unit
from include.ccd.fits_tiles import check_compression, check_table
from tests.bad_fits.tiles import packed, unit_in, with_card, with_places

PIXELS = np.random.default_rng(1).normal(1000, 10, (12, 16)).astype(np.int16)
REALS = np.random.default_rng(1).normal(1000, 10, (64, 64)).astype(np.float32)


def unit_of(*cards: str, shape: tuple[int, ...] = (4, 8)) -> Unit:
    raw = "".join(card.ljust(80) for card in (*cards, "END")).encode()
    return Unit(1, raw, Cards(raw), "compressed", 16, shape, 0, 2880, 64)


@pytest.mark.parametrize("name", ["HCOMPRESS_1", "PLIO_1", "NOCOMPRESS", "", "rm -rf"])
def test_a_decoder_with_a_record_is_not_called(name: str) -> None:
    """Only RICE and GZIP are unpacked."""
    with pytest.raises(Unusable) as caught:
        check_compression(unit_of(f"ZCMPTYPE= '{name}'"))
    assert caught.value.code == "compression_not_allowed"


@pytest.mark.parametrize("tile", ["9", "0", "-1", "2.5", "1000000000"])
def test_tiles_must_fit_the_image(tile: str) -> None:
    """A tile of a billion pixels in an image of eight is an attack on the decoder."""
    with pytest.raises(Unusable) as caught:
        check_compression(unit_of("ZCMPTYPE= 'RICE_1'", f"ZTILE1  = {tile}"))
    assert caught.value.code == "bad_tiles"


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2"])
@pytest.mark.parametrize("tile", [(1, 16), (5, 7), (12, 16)])
def test_what_compressors_write_is_a_whole_table(kind: str, tile: tuple[int, int]) -> None:
    """Whole numbers and real ones, tiles that divide the image and others."""
    for pixels in (PIXELS, REALS):
        check_table(*packed(pixels, compression_type=kind, tile_shape=tile))
    check_table(*packed(REALS, compression_type="GZIP_2", quantize_level=0))


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("ZNAXIS2", 6, "6 tiles, the table 12 rows"),
        ("ZNAXIS2", 24, "24 tiles, the table 12 rows"),
        ("ZTILE1", 8, "24 tiles"),
        ("ZTILE2", 2, "6 tiles"),
        ("TFIELDS", 0, "no sense"),
        ("TFORM1", "'2J'", "no sense"),
        ("TFORM1", "'much'", "no sense"),
        ("TFORM1", "'3A'", "no sense"),
        ("TFORM1", "'1PD'", "beyond the heap"),
        ("PCOUNT", 100, "beyond the heap"),
        ("PCOUNT", "'many'", "no sense"),
    ],
)
def test_a_header_of_another_image_is_not_believed(keyword: str, value: object, said: str) -> None:
    """Decoders take the first tiles, or what they find."""
    content, unit = packed(PIXELS)
    content = with_card(content, keyword, value)
    raw = content[unit.start : unit.data_start]
    shape = (int(str(value)), 16) if keyword == "ZNAXIS2" else unit.shape
    changed = Unit(1, raw, Cards(raw), "compressed", 16, shape, unit.start, unit.data_start, 0)

    with pytest.raises(Malformed, match=said) as caught:
        check_table(content, changed)
    assert caught.value.code == "corrupt_tiles"


def moved(row: int, column: int, value: int) -> Callable[[npt.NDArray[Any]], None]:
    """Another length (column 0) or offset (1) of a tile."""

    def change(pairs: npt.NDArray[Any]) -> None:
        pairs[row, column] = value

    return change


def twice(pairs: npt.NDArray[Any]) -> None:
    """One tile in two places of the image."""
    pairs[3] = pairs[2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (moved(5, 0, -3), "impossible place"),
        (moved(5, 1, -1), "impossible place"),
        (moved(11, 0, 100_000), "beyond the heap"),
        (moved(5, 1, 2**31 - 1), "beyond the heap"),
        (moved(0, 0, 60), "share bytes"),
        (twice, "share bytes"),
    ],
)
def test_each_tile_has_bytes_of_its_own(
    change: Callable[[npt.NDArray[Any]], None], said: str
) -> None:
    """Within the heap."""
    content = with_places(packed(PIXELS)[0], change)

    with pytest.raises(Malformed, match=said):
        check_table(content, unit_in(content))


def test_whole_numbers_in_place_of_real_ones_need_their_scale() -> None:
    """Otherwise they would be taken for what they stand for."""
    content, _ = packed(REALS, compression_type="RICE_1")
    content = with_card(content, "TTYPE3", "'OTHER   '")

    with pytest.raises(Malformed, match="without ZSCALE"):
        check_table(content, unit_in(content))
