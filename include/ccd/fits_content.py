"""What the bytes of a file say, before anybody asks what its header means.

This is the part of reading that decompressors take part in, and the part that a process of its
own can do (`reader_process.py`): an open file goes in, plain values come out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from include.ccd.errors import Malformed
from include.ccd.fits_cards import Cards
from include.ccd.fits_checksum import add_sum
from include.ccd.fits_decode import Encoding, unpack_tiles
from include.ccd.fits_digest import RangeDigest, UnitSums, sums_of
from include.ccd.fits_file import GZIP_MAGIC, MAX_BYTES, GzipSource, PlainSource
from include.ccd.fits_layout import MAX_PIXELS, Layout, Unit, read_layout
from include.ccd.pixel_tally import PixelStatistics, PixelTally

Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a file.

    Attributes
    ----------
    hdu : int, str or None
        Where the image is: position, EXTNAME, or the first with two dimensions.
    expect_more : bool
        A file of this kind has its image in an extension: without one it is incomplete.
    verify : bool
        Whether stated checksums must hold.
    max_pixels, max_bytes : int
        Caps, applied before anything is allocated; also to what a compressed file unpacks to.
    """

    hdu: int | str | None = None
    expect_more: bool = False
    verify: bool = True
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Content:
    """A whole file that holds an image; other attributes are those of `fits_reader.Inspection`.

    Attributes
    ----------
    shape : tuple of int
        (ny, nx) of the image.
    bitpix : int
        FITS code of how its pixels are stored.
    cards : Cards
        Its header, with that of the primary unit to fall back on.
    """

    sha256: str
    size_bytes: int
    pixel_sha256: str
    raw_header: bytes
    cards: Cards
    hdu: int
    shape: tuple[int, int]
    bitpix: int
    flags: tuple[str, ...]
    statistics: PixelStatistics


def examine(plain: PlainSource, request: Request, *, layout: Layout | None = None) -> Content:
    """Everything about the content of an open file; every byte of it is read.

    Parameters
    ----------
    plain : PlainSource
    request : Request
    layout : Layout, optional
        That of an uncompressed file, when it is known already.

    Raises
    ------
    BadFits, OSError
        As `fits_reader.inspect`.
    """
    opened = OpenFits.of(plain, request, layout=layout)
    unit = opened.layout.image(request.hdu, expect_more=request.expect_more)
    encoding = Encoding.of(unit)
    tally = PixelTally(encoding, start=unit.data_start, end=unit.data_start + unit.data_bytes)
    sha256, pixel_sha256 = opened.digests(unit, encoding, tally, verify=request.verify)
    return Content(
        sha256=sha256,
        size_bytes=plain.size,
        pixel_sha256=pixel_sha256,
        raw_header=unit.raw if unit.index == 0 else opened.layout.units[0].raw + unit.raw,
        cards=unit.cards,
        hdu=unit.index,
        shape=(unit.shape[0], unit.shape[1]),
        bitpix=unit.bitpix,
        flags=opened.flags(request.hdu),
        statistics=tally.statistics(),
    )


def decode(plain: PlainSource, request: Request) -> Pixels:
    """Pixels of the image of an open file, (ny, nx), native byte order: uint16 or float32.

    Raises
    ------
    BadFits, OSError
        As `fits_reader.inspect`.
    """
    opened = OpenFits.of(plain, request)
    unit = opened.layout.image(request.hdu)
    encoding = Encoding.of(unit)
    if unit.kind == "compressed":
        return encoding.decode(unpack_tiles(opened.content(), unit))
    return encoding.decode(opened.stored(unit, encoding))


@dataclass(frozen=True, slots=True)
class OpenFits:
    """A file whose structure is known and whose bytes are at hand."""

    plain: PlainSource
    unpacked: GzipSource | None
    layout: Layout

    @classmethod
    def of(cls, plain: PlainSource, request: Request, *, layout: Layout | None = None) -> Self:
        """The structure of an open file, gzip or not; gzip is told by its bytes."""
        if layout is not None:
            return cls(plain, None, layout)
        caps = {"max_pixels": request.max_pixels, "max_bytes": request.max_bytes}
        if not is_gzip(plain):
            return cls(plain, None, read_layout(plain, **caps))
        unpacked = GzipSource(plain, max_bytes=request.max_bytes)
        return cls(plain, unpacked, read_layout(unpacked, **caps))

    def flags(self, hdu: int | str | None) -> tuple[str, ...]:
        """What is unusual about the arrangement of the file; sorted."""
        packed = self.unpacked.flags if self.unpacked is not None else set()
        several = {"several_images"} if self.layout.is_ambiguous(hdu) else set()
        return tuple(sorted({*self.layout.flags, *packed, *several}))

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

    def digests(
        self, unit: Unit, encoding: Encoding, tally: PixelTally, *, verify: bool
    ) -> tuple[str, str]:
        """(sha256 of the file, sha256 of the stored pixels); every stated checksum holds."""
        whole = hashlib.sha256()
        kind = encoding.identity(unit.shape)
        pixels = RangeDigest(unit.data_start, unit.data_start + unit.data_bytes, prefix=kind)
        sums = sums_of(self.layout.units) if verify else []
        watches: list[RangeDigest | PixelTally | UnitSums] = [*sums]
        if unit.kind == "image":
            watches += [pixels, tally]
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
        if verify:
            _verify_unpacked(unit, stored)
        tally.add(stored)
        return whole.hexdigest(), _digest(kind, stored)


def is_gzip(plain: PlainSource) -> bool:
    """Whether a file is gzip, by its first bytes: names are no promise."""
    return bytes(plain.read(0, 2)) == GZIP_MAGIC


def _verify_unpacked(unit: Unit, stored: Pixels) -> None:
    """Hold unpacked whole numbers against ZDATASUM, the sum of the image before it was packed."""
    stated = unit.cards.get("ZDATASUM") if unit.cards.states("ZDATASUM") else None
    if stated is None or unit.bitpix < 0:
        return
    found = add_sum(stored.data.cast("B"))
    if str(stated).strip() != str(found):
        message = f"ZDATASUM is {stated!r:.40}, the unpacked image gives {found}"
        raise Malformed("bad_checksum", message)


def _digest(kind: bytes, stored: Pixels) -> str:
    digest = hashlib.sha256(kind)
    digest.update(stored.data.cast("B"))
    return digest.hexdigest()


def _show(
    watches: Sequence[RangeDigest | PixelTally | UnitSums], offset: int, chunk: memoryview
) -> None:
    for watch in watches:
        watch.see(offset, chunk)
