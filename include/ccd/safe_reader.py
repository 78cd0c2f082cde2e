"""Frames from the outside, read so that no file can harm the process that wants them.

Decompressors are old C code fed with bytes from anywhere: they have crashed, hung and taken all
the memory there is. Here another process does it (`reader_process.py`).
"""

from __future__ import annotations

import atexit
import logging
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt

from include.ccd.errors import BadFits, Malformed
from include.ccd.fits_content import Content, Request, examine, is_gzip
from include.ccd.fits_file import MAX_BYTES, PlainSource
from include.ccd.fits_layout import MAX_PIXELS, read_lone_unit
from include.ccd.fits_reader import Inspection, inspect, read_pixels
from include.ccd.reader_process import ReaderProcess

if TYPE_CHECKING:
    from include.ccd.profile import Profile

log = logging.getLogger(__name__)

Pixels = npt.NDArray[Any]


def inspect_safely(
    path: Path,
    *,
    profile: Profile,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    now: datetime | None = None,
) -> Inspection:
    """What `fits_reader.inspect` gives; no file can crash, hang or exhaust this process.

    An uncompressed file of one header-data unit is read here; every other by the reader process.
    Reading the former cannot do harm: it is regular (no blocking open), is opened once and never
    mapped (no SIGBUS); the header is at most 1000 blocks, indexed once in Python by slices of 80
    bytes, parsed by regular expressions without nested repetition, each on a card or on text
    that is cut before it is matched; sizes come from integers that are checked before use, and
    nothing is allocated by them: pixels pass through a buffer of 1 MiB into sha256 and sums.
    Memory is bounded by the header, time by the size, which `max_bytes` bounds. No C code parses
    a byte of it.

    Parameters
    ----------
    path, profile, max_pixels, max_bytes, now
        As for `fits_reader.inspect`.

    Raises
    ------
    BadFits
        As `fits_reader.inspect`; and Unusable with the codes ``reader_died`` (the file killed
        the reader twice, or wants more memory than it may have) and ``reader_timeout``.
    OSError
        The disk failed or does not answer: the file's fault is not known.
    """

    def examine_somewhere(plain: PlainSource, request: Request) -> Content:
        if not is_gzip(plain):
            caps = {"max_pixels": request.max_pixels, "max_bytes": request.max_bytes}
            layout = read_lone_unit(plain, **caps)
            if layout is not None:
                return examine(plain, request, layout=layout)
        return shared_reader().examine(plain, request)

    caps = {"max_pixels": max_pixels, "max_bytes": max_bytes}
    try:
        return inspect(path, profile=profile, now=now, examine=examine_somewhere, **caps)
    except (BadFits, OSError, MemoryError):
        raise
    except Exception as error:
        log.exception("%.80r could not be read, for a reason nobody thought of", path.name)
        message = f"{type(error).__name__}: {error!s:.200}"
        raise Malformed("reader_failed", message) from error


def read_pixels_safely(path: Path, *, hdu: int) -> Pixels:
    """What `fits_reader.read_pixels` gives, found by the reader process.

    Raises
    ------
    BadFits, OSError
        As `inspect_safely`.
    """
    return read_pixels(path, hdu=hdu, decode=shared_reader().decode)


_SHARED: Final = ReaderProcess()
os.register_at_fork(after_in_child=_SHARED.forget)
atexit.register(_SHARED.close)


def shared_reader() -> ReaderProcess:
    """The reader of this process, started when it is first asked."""
    return _SHARED
