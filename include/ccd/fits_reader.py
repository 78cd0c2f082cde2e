"""A file from the outside, become a frame: what it is, that it is whole, what its header says.

`inspect` reads every byte once, through one descriptor, and either returns what the loader
needs or raises a `BadFits` whose verdict says whether to wait or to quarantine. Nothing in a
header is believed before it has been checked, and nothing is ever evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from include.ccd.fits_content import Content, Request, decode, examine, is_gzip
from include.ccd.fits_decode import Encoding
from include.ccd.fits_file import MAX_BYTES, PlainSource, open_regular
from include.ccd.fits_layout import MAX_PIXELS, read_layout
from include.ccd.header import FrameHeader, parse_header
from include.ccd.pixel_checks import judge_pixels
from include.ccd.pixel_tally import PixelStatistics

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
        All that is unusual but usable, of the file, its header and its pixels; sorted.
    statistics : PixelStatistics
    """

    sha256: str
    size_bytes: int
    pixel_sha256: str
    raw_header: bytes
    header: FrameHeader
    hdu: int
    flags: tuple[str, ...]
    statistics: PixelStatistics


def inspect(
    path: Path,
    *,
    profile: Profile,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    now: datetime | None = None,
    examine: Callable[[PlainSource, Request], Content] = examine,
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
    examine : callable, optional
        Who reads the bytes; `safe_reader.inspect_safely` has another process do it.

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
    request = Request(
        hdu=profile.reading.hdu,
        expect_more=path.suffix == ".fz",
        verify=profile.reading.verify_checksums,
        max_pixels=max_pixels,
        max_bytes=max_bytes,
    )
    with open_regular(path, max_bytes=max_bytes) as plain:
        content = examine(plain, request)
    header = parse_header(
        content.cards,
        shape=content.shape,
        profile=profile,
        name=path.name,
        arrived_at=now or datetime.now(UTC),
    )
    pixels = judge_pixels(content.statistics, header, integer=content.bitpix > 0, profile=profile)
    flags = tuple(sorted({*header.flags, *content.flags, *pixels}))
    return Inspection(
        sha256=content.sha256,
        size_bytes=content.size_bytes,
        pixel_sha256=content.pixel_sha256,
        raw_header=content.raw_header,
        header=replace(header, flags=flags),
        hdu=content.hdu,
        flags=flags,
        statistics=content.statistics,
    )


def read_pixels(
    path: Path,
    *,
    hdu: int,
    decode: Callable[[PlainSource, Request], Pixels] = decode,
) -> Pixels:
    """Pixels of one image, (ny, nx), native byte order: uint16 from a camera, else float32.

    Parameters
    ----------
    path : Path
    hdu : int
    decode : callable, optional
        Who reads the bytes; `safe_reader.read_pixels_safely` has another process do it.

    Raises
    ------
    BadFits, OSError
        As `inspect`.
    """
    with open_regular(path) as plain:
        return decode(plain, Request(hdu=hdu))


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
    BadFits, OSError
        As `inspect`.
    """
    with open_regular(path) as plain:
        if is_gzip(plain):
            return None
        unit = read_layout(plain).image(hdu)
        if unit.kind == "compressed":
            return None
        return Place(unit.data_start, unit.shape, Encoding.of(unit))
