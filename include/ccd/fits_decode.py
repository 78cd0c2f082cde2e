"""Stored pixels made into numbers: uint16 as cameras write it, float32 for everything else.

Two types are all that the code downstream has to know. float32 holds every integer up to
2^24 exactly, which is more than any CCD converts.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.errors import BadHeader, Malformed
from include.ccd.fits_cards import Cards
from include.ccd.fits_layout import Unit
from include.ccd.fits_tiles import check_compression, check_table

Pixels = npt.NDArray[Any]

UNSIGNED_ZERO: Final = 32768
EXACT: Final = 2**53  # whole numbers up to this one, and not all beyond, are float64

_STORED: Final = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pixels are stored.

    Attributes
    ----------
    bitpix : int
        FITS type code.
    bscale, bzero : float
        Value = bzero + bscale × stored.
    blank : int or None
        Stored integer that means "no value".
    """

    bitpix: int
    bscale: float = 1.0
    bzero: float = 0.0
    blank: int | None = None

    @classmethod
    def of(cls, unit: Unit) -> Encoding:
        """The encoding that a header states; a primary header says nothing of an extension's.

        Raises
        ------
        Malformed
            BSCALE, BZERO or BLANK is unreadable: no pixel has a known value.
        """
        # How values are stored is never inherited from the primary header.
        own = unit.cards.backed_by(None)
        try:
            bscale = _finite(own, "BSCALE", 1.0)
            bzero = _finite(own, "BZERO", 0.0)
            if bscale == 0:
                raise BadHeader("bad_scaling", "BSCALE is 0: every pixel would be the same")
            if unit.bitpix == 64 and abs(bzero) > EXACT:
                raise BadHeader("bad_scaling", f"BZERO is {bzero:g}: pixels would lose digits")
            blank = _blank(own) if unit.bitpix > 0 else None
        except BadHeader as error:
            raise Malformed("bad_scaling", error.message) from error
        return cls(unit.bitpix, bscale, bzero, blank)

    @property
    def stored(self) -> np.dtype[Any]:
        """Type of a stored pixel, big-endian."""
        return np.dtype(_STORED[self.bitpix])

    @property
    def unsigned(self) -> bool:
        """Whether these are the unsigned 16 bits of a camera, by the offset convention."""
        offset = self.bscale == 1 and self.bzero == UNSIGNED_ZERO
        return self.bitpix == 16 and offset and self.blank is None

    @property
    def plain(self) -> bool:
        """Whether the stored pixels are float32 values as they are."""
        return self.bitpix == -32 and self.bscale == 1 and self.bzero == 0

    def identity(self, shape: tuple[int, ...]) -> bytes:
        """What must be equal, besides the stored bytes, for pixels to be the same."""
        return f"{self.bitpix} {self.bscale!r} {self.bzero!r} {self.blank} {shape}\n".encode()

    def decode(self, stored: Pixels) -> Pixels:
        """Values of stored pixels, native byte order: uint16 or float32.

        Parameters
        ----------
        stored : ndarray
            Of type `stored` or its native twin. The memory may be reused for the result.
        """
        if self.unsigned:
            values = stored.view(stored.dtype.str.replace("i", "u"))
            if not values.flags.writeable:
                values = values.astype("=u2")
            elif not values.dtype.isnative:
                values = values.byteswap(inplace=True).view("=u2")
            values ^= UNSIGNED_ZERO
            return values
        # what float32 cannot hold becomes infinite, as it does when it is computed with
        with np.errstate(over="ignore", invalid="ignore"):
            if self.bscale == 1 and self.bzero == 0:
                values = stored.astype(np.float32)
            else:
                values = (self.bzero + self.bscale * stored.astype(np.float64)).astype(np.float32)
        if self.blank is not None:
            values[stored == self.blank] = np.nan
        return values


def _finite(cards: Cards, keyword: str, default: float) -> float:
    if keyword not in cards:
        return default
    value = cards.get(keyword)
    if value is None or isinstance(value, str | bool) or not math.isfinite(value):
        raise BadHeader("bad_scaling", f"{keyword} is {value!r:.40}, not a finite number")
    return float(value)


def _blank(cards: Cards) -> int | None:
    """The stored number that means "no value"."""
    value = cards.get("BLANK")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise BadHeader("bad_scaling", f"BLANK is {value!r:.40}, not a whole number")
    return value


def unpack_tiles(content: bytes | bytearray | memoryview, unit: Unit) -> Pixels:
    """Stored pixels of a tile-compressed image, native byte order.

    Parameters
    ----------
    content : bytes-like
        The whole file.
    unit : Unit
        Of kind 'compressed'.

    Raises
    ------
    Unusable
        The compression is not one we unpack.
    Malformed
        The tiles are corrupt. astropy and its decoders fail in many ways (OSError, ValueError,
        TypeError, KeyError, VerifyError, …): here, and nowhere else, all are one.
    MemoryError
        There is not enough for it.
    """
    check_compression(unit)
    check_table(content, unit)
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(
                io.BytesIO(content), memmap=False, do_not_scale_image_data=True, uint=False
            ) as units:
                stored = np.asarray(units[unit.index].data)
    except MemoryError:
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {error!s:.80}"
        raise Malformed(
            "corrupt_tiles", f"the compressed image cannot be read ({message})"
        ) from error
    if stored.ndim > 2 and stored.size == math.prod(unit.shape):
        stored = stored.reshape(unit.shape)  # the axes that a unit leaves out
    if stored.shape != unit.shape:
        raise Malformed("corrupt_tiles", f"unpacks to {stored.shape}, not to {unit.shape}")
    return np.ascontiguousarray(stored)
