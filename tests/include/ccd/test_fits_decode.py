from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from include.ccd.errors import Malformed, Unusable
from include.ccd.fits_cards import Cards
from include.ccd.fits_decode import Encoding, check_compression, unpack_tiles
from include.ccd.fits_layout import Unit


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
@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32"])
def test_tiles_unpack_to_the_stored_pixels(kind: str, dtype: str) -> None:
    """What astropy packed comes out stored as an uncompressed file would store it."""
    from astropy.io import fits

    pixels = np.arange(32).reshape(4, 8).astype(dtype) * 1000
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type=kind)]).writeto(
        file
    )
    bzero = 32768.0 if dtype == "uint16" else 0.0
    encoding = Encoding(32 if dtype == "int32" else 16, 1.0, bzero)

    unpacked = unpack_tiles(file.getvalue(), unit_of(f"ZCMPTYPE= '{kind}'", bitpix=encoding.bitpix))

    np.testing.assert_array_equal(encoding.decode(unpacked), pixels)


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

    monkeypatch.setattr("astropy.io.fits.open", full)
    with pytest.raises(MemoryError):
        unpack_tiles(b"", unit_of("ZCMPTYPE= 'RICE_1'"))
