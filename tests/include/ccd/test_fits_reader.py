from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.ccd.errors import BadFits, FromTheFuture, Incomplete, Malformed, Unusable
from include.ccd.fits_reader import Inspection, inspect, locate, read_pixels
from include.ccd.header import parse_header
from include.ccd.profile import Profile, Reading

MakeFits = Callable[..., bytes]
Inspect = Callable[..., Inspection]


@pytest.fixture
def look(tmp_path: Path, plain_profile: Profile) -> Inspect:
    """Inspect a file with the given bytes."""

    def look(content: bytes, *, name: str = "frame.fits", **kwargs: Any) -> Inspection:
        path = tmp_path / name
        path.write_bytes(content)
        return inspect(path, **{"profile": plain_profile, **kwargs})

    return look


@pytest.fixture
def pack(
    raw_pixels: np.ndarray[Any, Any], make_header: Callable[..., bytes]
) -> Callable[..., bytes]:
    """The frame of `make_fits` tile-compressed by astropy, as fpack would."""
    from astropy.io import fits

    def pack(*, kind: str = "RICE_1", checksum: bool = False) -> bytes:
        header = fits.Header.fromstring(make_header(drop=["BZERO", "BSCALE"]).decode())
        unit = fits.CompImageHDU(raw_pixels, header, compression_type=kind)
        file = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), unit]).writeto(file, checksum=checksum)
        return file.getvalue()

    return pack


def refusal(look: Inspect, content: bytes, **kwargs: Any) -> tuple[type[BadFits], str]:
    with pytest.raises(BadFits) as caught:
        look(content, **kwargs)
    return caught.type, caught.value.code


def test_a_good_frame_is_known_by_its_content(look: Inspect, make_fits: MakeFits) -> None:
    """Digest, size, verbatim header, logical header."""
    content = make_fits()
    found = look(content)

    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.size_bytes == len(content)
    assert found.raw_header == content[:2880]
    assert found.hdu == 0
    assert found.flags == found.header.flags == ()
    assert (found.header.kind, found.header.exptime_s) == ("science", 60.0)


def test_pixels_are_those_of_the_camera(
    tmp_path: Path, make_fits: MakeFits, raw_pixels: np.ndarray[Any, Any]
) -> None:
    """Native uint16, every value of the range."""
    path = tmp_path / "frame.fits"
    path.write_bytes(make_fits())
    pixels = read_pixels(path, hdu=0)

    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, raw_pixels)
    located = locate(path, hdu=0)
    assert located is not None
    assert (located.start, located.shape) == (2880, (48, 64))


def test_the_same_pixels_under_two_headers_have_one_pixel_digest(
    look: Inspect, make_fits: MakeFits
) -> None:
    """Two frames, but the same exposure."""
    one, other = look(make_fits()), look(make_fits({"OBJECT": "'other'"}))

    assert one.sha256 != other.sha256
    assert one.pixel_sha256 == other.pixel_sha256


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_2"])
def test_compression_changes_the_file_and_not_the_frame(
    look: Inspect,
    make_fits: MakeFits,
    pack: Callable[..., bytes],
    raw_pixels: np.ndarray[Any, Any],
    tmp_path: Path,
    kind: str,
) -> None:
    """Plain, .gz and .fz give the same pixels, the same pixel digest and the same values."""
    plain = look(make_fits())
    for name, content in (
        ("frame.fits.gz", gzip.compress(make_fits())),
        ("frame.fits.fz", pack(kind=kind, checksum=True)),
    ):
        found = look(content, name=name)
        assert found.sha256 == hashlib.sha256(content).hexdigest()
        assert found.pixel_sha256 == plain.pixel_sha256
        assert found.header == plain.header
        path = tmp_path / name
        np.testing.assert_array_equal(read_pixels(path, hdu=found.hdu), raw_pixels)
        assert locate(path, hdu=found.hdu) is None


def test_gzip_is_told_by_its_bytes_not_by_its_name(look: Inspect, make_fits: MakeFits) -> None:
    """Gzip bytes named .fits, and plain bytes named .gz, are what they are."""
    assert look(gzip.compress(make_fits()), name="frame.fits").header.kind == "science"
    assert look(make_fits(), name="frame.fits.gz").header.kind == "science"


def test_the_header_of_an_extension_keeps_that_of_its_primary(
    look: Inspect, make_fits: MakeFits, plain_profile: Profile
) -> None:
    """The verbatim blocks alone give the same logical header again."""
    base = {"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0", "DATE-OBS": "'2024-03-05T03:04:05.5'"}
    extension = make_fits(
        {"XTENSION": "'IMAGE   '", "PCOUNT": "0", "GCOUNT": "1"}, drop=["SIMPLE", "DATE-OBS"]
    )
    start = extension.index(b"XTENSION")
    extension = extension[start : start + 80] + extension[:start] + extension[start + 80 :]
    found = look(make_fits(base=base, data=b"") + extension)

    assert found.hdu == 1
    assert found.header.observed_at == datetime(2024, 3, 5, 3, 4, 5, 500000, tzinfo=UTC)
    again = parse_header(found.raw_header, shape=(48, 64), profile=plain_profile)
    assert again == found.header


@pytest.mark.parametrize(
    ("tail", "flag"), [(b"dirt", "trailing_bytes"), (bytes(2880), "trailing_bytes")]
)
def test_oddities_of_the_file_are_flags_of_the_frame(
    look: Inspect, make_fits: MakeFits, tail: bytes, flag: str
) -> None:
    """Registered, but not silently."""
    assert look(make_fits() + tail).flags == (flag,)
    assert look(make_fits()[:9024]).flags == ("padding_missing",)
    assert look(gzip.compress(make_fits() + tail)).flags == (flag,)


@pytest.mark.parametrize("fraction", [0.1, 0.4, 0.75])
def test_a_truncated_file_is_waited_for_in_every_wrapping(
    look: Inspect, make_fits: MakeFits, pack: Callable[..., bytes], fraction: float
) -> None:
    """Plain, .gz and .fz."""
    for name, content in (
        ("a.fits", make_fits()),
        ("a.fits.gz", gzip.compress(make_fits())),
        ("a.fits.fz", pack()),
    ):
        cut = content[: int(len(content) * fraction)]
        assert refusal(look, cut, name=name)[0] is Incomplete


def test_a_packed_file_whose_table_has_not_come_is_waited_for(
    look: Inspect, pack: Callable[..., bytes]
) -> None:
    """The primary unit of a .fz holds nothing: alone it is the beginning of one."""
    assert refusal(look, pack()[:2880], name="a.fits.fz") == (Incomplete, "no_image_yet")


def test_corrupt_tiles_are_found(look: Inspect, pack: Callable[..., bytes]) -> None:
    """By the checksum when there is one, and by the decoder when that fails."""
    summed = bytearray(pack(checksum=True))
    summed[-4000] ^= 0xFF
    assert refusal(look, bytes(summed), name="a.fz") == (Malformed, "bad_checksum")

    packed = bytearray(pack(kind="GZIP_1"))
    heap = packed.rindex(b"\x1f\x8b\x08")
    packed[heap : heap + 40] = bytes(40)
    assert refusal(look, bytes(packed), name="a.fz") == (Malformed, "corrupt_tiles")


def test_a_wrong_checksum_is_refused_unless_the_camera_is_known_for_it(
    look: Inspect, make_fits: MakeFits, plain_profile: Profile
) -> None:
    """Old software wrote wrong sums: a profile may say so."""
    content = make_fits({"DATASUM": "'12345'", "CHECKSUM": "'0000000000000000'"})
    trusting = replace(plain_profile, reading=Reading(verify_checksums=False))

    assert refusal(look, content) == (Malformed, "bad_checksum")
    assert look(content, profile=trusting).header.kind == "science"


def test_a_gzip_bomb_is_refused(look: Inspect, make_fits: MakeFits) -> None:
    """By its header when it announces itself, by the cap when it does not."""
    bomb = gzip.compress(make_fits() + bytes(40 << 20))
    announced = make_fits({"NAXIS1": "100000", "NAXIS2": "100000"})

    assert refusal(look, bomb, max_bytes=8 << 20) == (Unusable, "too_large")
    assert refusal(look, bomb) == (Unusable, "too_large")
    assert refusal(look, gzip.compress(announced)) == (Unusable, "too_many_pixels")


def test_a_frame_from_the_future_is_refused(look: Inspect, make_fits: MakeFits) -> None:
    """The clock of the camera was wrong; the clock of the loader is an argument."""
    arrival = datetime(2024, 3, 3, tzinfo=UTC)

    assert refusal(look, make_fits(), now=arrival) == (FromTheFuture, "too_late")


def test_a_cube_and_a_table_are_no_frames(look: Inspect, make_fits: MakeFits) -> None:
    """Only one image with two dimensions is."""
    cube = make_fits({"NAXIS": "3", "NAXIS1": "32", "NAXIS2": "48", "NAXIS3": "2"})

    assert refusal(look, cube) == (Unusable, "no_image")


@pytest.mark.parametrize(
    "name", ["$(touch x).fits", "-rf.fits", "a\nb.fits", "{{7*7}}.fits", "ü" * 100 + ".fits"]
)
def test_a_hostile_name_is_only_a_name(look: Inspect, make_fits: MakeFits, name: str) -> None:
    """It is never expanded, followed or run."""
    assert look(make_fits(), name=name).header.kind == "science"


def test_noise_of_any_kind_ends_in_a_verdict(look: Inspect, make_fits: MakeFits) -> None:
    """A thousand damaged files: registered or refused, never another exception."""
    rng = np.random.default_rng(11)
    content = make_fits()
    seen: set[str] = set()
    for _ in range(1000):
        damaged = bytearray(content)
        for _ in range(rng.integers(1, 6)):
            damaged[rng.integers(0, 1200)] = rng.integers(0, 256)
        try:
            look(bytes(damaged))
            seen.add("registered")
        except BadFits as error:
            seen.add(error.verdict)

    assert {"registered", "QUARANTINE"} <= seen


def test_damaged_packed_files_end_in_a_verdict(
    look: Inspect, make_fits: MakeFits, pack: Callable[..., bytes]
) -> None:
    """Bits flipped anywhere in gzip and tile-compressed files."""
    rng = np.random.default_rng(12)
    verdicts = set()
    for name, content in (("a.gz", gzip.compress(make_fits())), ("a.fz", pack())):
        for _ in range(60):
            damaged = bytearray(content)
            for _ in range(rng.integers(1, 20)):
                damaged[rng.integers(0, len(damaged))] ^= 1 << rng.integers(0, 8)
            try:
                look(bytes(damaged), name=name)
            except BadFits as error:
                verdicts.add(error.verdict)
    assert "QUARANTINE" in verdicts


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("nickel_2024-05-13", "nickel"),
        ("microobs_hatp32_2017-12-20", "microobs"),
        ("kpno_m92_1987", "kpno"),
        ("toros_eaba_2015", "eaba"),
    ],
)
def test_real_frames_pass_and_their_pixels_are_true(
    real_data: Path,
    shipped_profile: Callable[[str], Profile],
    read_manifest: Callable[..., Any],
    folder: str,
    name: str,
) -> None:
    """Every content is its own; type, shape and maximum are those of the manifest."""
    profile = shipped_profile(name)
    rows = [row for row, _, _ in read_manifest(real_data / folder)]
    found = [inspect(real_data / folder / row["file"], profile=profile) for row in rows[:20]]

    assert len({each.pixel_sha256 for each in found}) == len(found)
    for row, each in list(zip(rows, found, strict=False))[:3]:
        pixels = read_pixels(real_data / folder / row["file"], hdu=each.hdu)
        assert pixels.shape == each.header.shape
        assert pixels.dtype == (np.uint16 if row["dtype"] == "uint16" else np.float32)
        assert (float(np.median(pixels)), pixels.max()) == (float(row["median"]), float(row["max"]))
        if not row["file"].endswith(".gz"):
            assert each.sha256 == row["sha256_uncompressed"]
