from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from include.ccd.errors import Malformed
from include.ccd.fits_cards import Cards
from include.ccd.fits_decode import Encoding, unpack_tiles
from include.ccd.fits_layout import Unit
from tests.bad_fits.tiles import packed


def unit_of(*cards: str, bitpix: int = 16, shape: tuple[int, ...] = (4, 8)) -> Unit:
    raw = "".join(card.ljust(80) for card in (*cards, "END")).encode()
    return Unit(1, raw, Cards(raw), "compressed", bitpix, shape, 0, 2880, 64)


def stored(values: list[int], bitpix: int) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=Encoding(bitpix).stored)


def test_a_camera_writes_unsigned_numbers_by_offset() -> None:
    """The whole range of uint16 comes out as it went in, in native order."""
    encoding = Encoding(16, 1.0, 32768.0)

    pixels = encoding.decode(stored([-32768, -1, 0, 1, 32767], 16))

    assert pixels.dtype == np.uint16
    assert pixels.dtype.isnative
    assert pixels.tolist() == [0, 32767, 32768, 32769, 65535]


def test_memory_that_may_not_be_written_is_left_alone() -> None:
    """Decoding in place is for buffers of one's own."""
    raw = np.frombuffer(b"\x80\x00\x00\x01", dtype=">i2")

    assert Encoding(16, 1.0, 32768.0).decode(raw).tolist() == [0, 32769]
    assert raw.tolist() == [-32768, 1]


@pytest.mark.parametrize(
    ("encoding", "values", "expected"),
    [
        (Encoding(8), [0, 255], [0, 255]),
        (Encoding(16), [-5, 30000], [-5, 30000]),
        (Encoding(32), [-(2**24), 2**24], [-(2**24), 2**24]),
        (Encoding(64), [7, -7], [7, -7]),
        (Encoding(-32), [1.5, -2.25], [1.5, -2.25]),
        (Encoding(-64), [0.5, 1e30], [0.5, np.float32(1e30)]),
        (Encoding(16, 0.5, 10.0), [0, 4], [10, 12]),
        (Encoding(32, 1.0, 2147483648.0), [-(2**31), -(2**31) + 7], [0, 7]),
        (Encoding(16, 1.0, 0.0, -1), [3, -1], [3, np.nan]),
        (Encoding(16, 1.0, 32768.0, 5), [0, 5], [32768, np.nan]),
    ],
)
def test_everything_else_becomes_float32(
    encoding: Encoding, values: list[Any], expected: list[float]
) -> None:
    """Integers that a CCD can give are exact; BLANK is NaN; 32-bit offsets lose nothing."""
    pixels = encoding.decode(stored(values, encoding.bitpix))

    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, np.array(expected, dtype=np.float32))


def test_the_encoding_is_what_the_header_states() -> None:
    """Without cards it is the identity."""
    assert Encoding.of(unit_of("BZERO   = 32768", "BSCALE  = 1")).unsigned
    assert Encoding.of(unit_of()) == Encoding(16)
    assert Encoding.of(unit_of("BLANK   = -1")) == Encoding(16, blank=-1)
    assert Encoding.of(unit_of("BLANK   = -1", bitpix=-32)) == Encoding(-32)


def test_a_primary_header_says_nothing_of_the_pixels_of_an_extension() -> None:
    """Its scale and its BLANK are of its own pixels, even if it has none."""
    unit = unit_of()
    primary = Cards(b"".join(c.ljust(80) for c in (b"BZERO   = 32768", b"BLANK   = 7", b"END")))
    backed = replace(unit, cards=unit.cards.backed_by(primary))

    assert Encoding.of(backed) == Encoding(16)


def test_an_offset_beyond_a_double_is_refused_where_it_would_lose_digits() -> None:
    """Unsigned 64 bits: 1204 would read as 1024."""
    with pytest.raises(Malformed):
        Encoding.of(unit_of("BZERO   = 9223372036854775808", bitpix=64))
    assert Encoding.of(unit_of("BZERO   = 2147483648", bitpix=32)).bzero == 2**31


@pytest.mark.parametrize(
    "card",
    [
        "BZERO   = 32768,0",
        "BSCALE  = 0",
        "BZERO   =",
        "BZERO   = '32768'",
        "BSCALE  = NaN",
        "BSCALE  = T",
        "BZERO   = 1E999",
        "BLANK   = T",
        "BLANK   = '-1'",
    ],
)
def test_an_unreadable_scale_makes_every_pixel_unknown(card: str) -> None:
    """A decimal comma in BZERO is not a zero point of 0."""
    with pytest.raises(Malformed) as caught:
        Encoding.of(unit_of(card))
    assert caught.value.code == "bad_scaling"


def test_the_same_numbers_stored_otherwise_are_not_the_same_pixels() -> None:
    """Type, scale and shape are part of the identity."""
    identities = {
        Encoding(16).identity((2, 3)),
        Encoding(16).identity((3, 2)),
        Encoding(16, 1.0, 32768.0).identity((2, 3)),
        Encoding(32).identity((2, 3)),
    }

    assert len(identities) == 4


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2"])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32"])
def test_tiles_unpack_to_the_stored_pixels(kind: str, dtype: str) -> None:
    """What astropy packed comes out stored as an uncompressed file would store it."""
    pixels = np.arange(32).reshape(4, 8).astype(dtype) * 1000
    content, unit = packed(pixels, compression_type=kind)

    np.testing.assert_array_equal(Encoding.of(unit).decode(unpack_tiles(content, unit)), pixels)


@pytest.mark.parametrize("content", [b"", b"not fits at all", bytes(9000)])
def test_whatever_the_decoder_raises_is_one_error(content: bytes) -> None:
    """OSError, ValueError, KeyError, VerifyError: outside they are all Malformed."""
    with pytest.raises(Malformed) as caught:
        unpack_tiles(content, unit_of("ZCMPTYPE= 'RICE_1'"))
    assert caught.value.code == "corrupt_tiles"


def test_a_value_that_float32_cannot_hold_is_infinite_and_not_a_warning() -> None:
    """As if it had been computed there."""
    pixels = Encoding(-64).decode(stored([1e300, -1e300, 1.5], -64))

    assert pixels.tolist() == [np.inf, -np.inf, 1.5]
    assert Encoding(16, 1e308, 1e308).decode(stored([32767], 16)).tolist() == [np.inf]


def test_too_little_memory_is_not_the_files_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor ours to judge: who set the limit decides."""

    def full(*args: object, **kwargs: object) -> None:
        raise MemoryError

    content, unit = packed(np.arange(32, dtype="i2").reshape(4, 8))
    monkeypatch.setattr("astropy.io.fits.open", full)
    with pytest.raises(MemoryError):
        unpack_tiles(content, unit)
