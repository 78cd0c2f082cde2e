"""A file from the outside, become a frame: what it is, that it is whole, what its header says.

`inspect` reads every byte once, through one descriptor, and either returns what the loader
needs or raises a `BadFits` whose verdict says whether to wait or to quarantine. Nothing in a
header is believed before it has been checked, and nothing is ever evaluated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from include.ccd.fits_decode import Encoding, unpack_tiles
from include.ccd.fits_digest import RangeDigest, UnitSums, sums_of
from include.ccd.fits_file import GZIP_MAGIC, MAX_BYTES, GzipSource, PlainSource, open_regular
from include.ccd.fits_layout import MAX_PIXELS, Layout, Unit, read_layout
from include.ccd.header import FrameHeader, parse_header

if TYPE_CHECKING:
    from include.ccd.profile import Profile

Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a file after every byte of it has been read.

    Attributes
    ----------
    sha256 : str
        Hex digest of the file as it is: the identity of its content.
    size_bytes : int
        Size of the file as it is.
    pixel_sha256 : str
        Hex digest of the stored pixels, their type and shape: equal for the same exposure
        under another header or another compression.
    raw_header : bytes
        Header blocks of the image, verbatim; of an extension, after those of the primary unit.
    header : FrameHeader
    hdu : int
        Which unit holds the image.
    flags : tuple of str
        All that is unusual but usable, of the file and of its header; sorted.
    """

    sha256: str
    size_bytes: int
    pixel_sha256: str
    raw_header: bytes
    header: FrameHeader
    hdu: int
    flags: tuple[str, ...]


def inspect(
    path: Path,
    *,
    profile: Profile,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    now: datetime | None = None,
) -> Inspection:
    """The content of a file, when it is a complete frame of this instrument.

    Parameters
    ----------
    path : Path
        A name that somebody else chose: data, never expanded, never followed.
    profile : Profile
    max_pixels, max_bytes : int
        Caps, applied before anything is allocated; also to what a compressed file unpacks to.
    now : datetime, optional
        Aware instant of arrival; the clock's when not given.

    Returns
    -------
    Inspection

    Raises
    ------
    Incomplete
        WAIT: the file may still be arriving.
    Malformed, Unusable, BadHeader
        QUARANTINE: it will never be a frame.
    OSError
        The disk failed.
    """
    with open_regular(path, max_bytes=max_bytes) as plain:
        opened = _open(plain, max_pixels=max_pixels, max_bytes=max_bytes)
        unit = opened.layout.image(profile.reading.hdu, expect_more=path.suffix == ".fz")
        encoding = Encoding.of(unit)
        sha256, pixel_sha256 = opened.digests(
            unit, encoding, verify=profile.reading.verify_checksums
        )
    header = parse_header(
        unit.cards,
        shape=(unit.shape[0], unit.shape[1]),
        profile=profile,
        arrived_at=now or datetime.now(UTC),
    )
    flags = tuple(sorted({*header.flags, *opened.flags()}))
    return Inspection(
        sha256=sha256,
        size_bytes=plain.size,
        pixel_sha256=pixel_sha256,
        raw_header=unit.raw if unit.index == 0 else opened.layout.units[0].raw + unit.raw,
        header=replace(header, flags=flags),
        hdu=unit.index,
        flags=flags,
    )


def read_pixels(path: Path, *, hdu: int) -> Pixels:
    """Pixels of one image, (ny, nx), native byte order: uint16 from a camera, else float32.

    Raises
    ------
    BadFits
        As `inspect`.
    """
    with open_regular(path) as plain:
        opened = _open(plain, max_pixels=MAX_PIXELS, max_bytes=MAX_BYTES)
        unit = opened.layout.image(hdu)
        encoding = Encoding.of(unit)
        if unit.kind == "compressed":
            return encoding.decode(unpack_tiles(opened.content(), unit))
        return encoding.decode(opened.stored(unit, encoding))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pixels of an uncompressed image are: byte offset, (ny, nx), and how stored."""

    start: int
    shape: tuple[int, ...]
    encoding: Encoding


def locate(path: Path, *, hdu: int) -> Place | None:
    """Where the pixels of an image are; None when the file is compressed.

    Raises
    ------
    BadFits
        As `inspect`.
    """
    with open_regular(path) as plain:
        if bytes(plain.read(0, 2)) == GZIP_MAGIC:
            return None
        unit = read_layout(plain).image(hdu)
        if unit.kind == "compressed":
            return None
        return Place(unit.data_start, unit.shape, Encoding.of(unit))


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file whose structure is known and whose bytes are at hand."""

    plain: PlainSource
    unpacked: GzipSource | None
    layout: Layout

    def flags(self) -> set[str]:
        packed = self.unpacked.flags if self.unpacked is not None else set()
        return {*self.layout.flags, *packed}

    def content(self) -> bytes | bytearray | memoryview:
        """The whole FITS file in memory."""
        if self.unpacked is not None:
            return self.unpacked.finish()
        return self.plain.read(0, self.plain.size)

    def stored(self, unit: Unit, encoding: Encoding) -> Pixels:
        """Stored pixels in memory of their own, big-endian."""
        stored = np.empty(unit.shape, dtype=encoding.stored)
        buffer = stored.data.cast("B")
        if self.unpacked is None:
            self.plain.read_into(buffer, unit.data_start)
        else:
            buffer[:] = memoryview(self.content())[unit.data_start :][: unit.data_bytes]
        return stored

    def digests(self, unit: Unit, encoding: Encoding, *, verify: bool) -> tuple[str, str]:
        """(sha256 of the file, sha256 of the stored pixels); every stated checksum holds."""
        whole = hashlib.sha256()
        kind = encoding.identity(unit.shape)
        pixels = RangeDigest(unit.data_start, unit.data_start + unit.data_bytes, prefix=kind)
        sums = sums_of(self.layout.units) if verify else []
        watches: Sequence[RangeDigest | UnitSums] = (
            [pixels, *sums] if unit.kind == "image" else sums
        )
        for offset, chunk in self.plain.chunks():
            whole.update(chunk)
            if self.unpacked is None:
                _show(watches, offset, chunk)
        if self.unpacked is not None:
            _show(watches, 0, memoryview(self.unpacked.finish()))
        for each in sums:
            each.verify()
        if unit.kind == "image":
            return whole.hexdigest(), pixels.hexdigest()
        stored = unpack_tiles(self.content(), unit).astype(encoding.stored, copy=False)
        return whole.hexdigest(), hashlib.sha256(kind + stored.tobytes()).hexdigest()


def _open(plain: PlainSource, *, max_pixels: int, max_bytes: int) -> _Opened:
    unpacked = None
    if bytes(plain.read(0, 2)) == GZIP_MAGIC:
        unpacked = GzipSource(plain, max_bytes=max_bytes)
    layout = read_layout(unpacked or plain, max_pixels=max_pixels, max_bytes=max_bytes)
    return _Opened(plain, unpacked, layout)


def _show(watches: Sequence[RangeDigest | UnitSums], offset: int, chunk: memoryview) -> None:
    for watch in watches:
        watch.see(offset, chunk)
