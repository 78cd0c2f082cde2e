"""The property that every file has: a verdict within limits, or the numbers that its bytes say."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from include.ccd.errors import BadFits
from include.ccd.fits_reader import Inspection
from include.ccd.profile import Profile
from include.ccd.safe_reader import inspect_safely, read_pixels_safely
from tests.bad_fits import twin
from tests.bad_fits.case import ARRIVED_AT

SECONDS: Final = 20.0
STRANGE: Final = frozenset({"non_ascii_header", "control_characters"})
UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)

Found = tuple[Any, Any]


def settle(path: Path, profile: Profile, *, values: bool = True) -> tuple[str, str]:
    """(verdict, code or flags) of a file, after everything that it says has been checked.

    Parameters
    ----------
    path : Path
    profile : Profile
    values : bool
        Whether the profile is the plain one, whose logical values the twin can tell too.
    """
    began = time.perf_counter()
    found: Inspection | BadFits
    try:
        found = inspect_safely(path, profile=profile, now=ARRIVED_AT if values else None)
    except BadFits as error:
        found = error
    assert time.perf_counter() - began < SECONDS
    if isinstance(found, BadFits):
        assert found.verdict in {"WAIT", "QUARANTINE"}
        assert found.message.isprintable()
        assert found.code != "reader_failed", found.message
        return found.verdict, found.code
    content = path.read_bytes()
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.size_bytes == len(content)
    check_pixels(found, path, content)
    if values:
        check_values(found)
    return ("FLAG", " ".join(found.flags)) if found.flags else ("OK", "")


def check_pixels(found: Inspection, path: Path, content: bytes) -> None:
    """Pixels are those that numpy and astropy read from the same bytes."""
    ours = read_pixels_safely(path, hdu=found.hdu)
    assert ours.shape == found.header.shape
    with np.errstate(all="ignore"):
        theirs = twin.astropy_pixels(content, found.hdu)
        if not _is_compressed(found):
            expected = twin.pixels(content, found.hdu).astype(np.float32)
            np.testing.assert_array_equal(ours.astype(np.float32), expected)
        else:
            assert theirs is not None
        # blanks made zeros between two headers lead astropy to another unit
        if theirs is not None and "null_padding" not in found.flags:
            np.testing.assert_allclose(_finite(ours), _finite(theirs), rtol=1e-5, atol=0.05)
        valid = ours[np.isfinite(ours)]
    if valid.size and found.statistics.minimum is not None:
        np.testing.assert_allclose(found.statistics.minimum, valid.min(), rtol=1e-6)


def _finite(pixels: Any) -> Any:
    """As float32; astropy scales in it, and what it cannot hold becomes one thing or the other."""
    return np.nan_to_num(pixels.astype(np.float32), posinf=0, neginf=0)


def _is_compressed(found: Inspection) -> bool:
    return found.hdu > 0 and b"XTENSION= 'BINTABLE'" in found.raw_header


def check_values(found: Inspection) -> None:
    """Logical values are those that astropy's header says, or there are none and a flag."""
    stated = twin.headers(found.raw_header)
    header, flags = found.header, set(found.flags)
    for wanted in WANTED:
        ours, expected = getattr(header, wanted.name), wanted.expected(stated)
        if wanted.skip(header):
            continue
        if expected is twin.NOTHING and isinstance(ours, str) and flags & STRANGE:
            continue  # astropy has no text at all where we keep what is printable
        if isinstance(ours, str) and re.search(r"' */", ours):
            continue  # astropy takes a slash behind a doubled quote for the comment's
        described = (wanted.name, ours, expected, sorted(flags))
        if _reads_into(found, ours, expected):
            continue
        if ours is None or (f"{wanted.name}_unreadable" in flags and ours == 1):
            assert expected is None or f"{wanted.name}_unreadable" in flags, described
        else:
            assert expected is not twin.NOTHING, described
            assert wanted.same(ours, expected), described


def _reads_into(found: Inspection, ours: Any, expected: Any) -> bool:
    """Astropy takes cards for what they are not: a value without '= ', CONTINUE with one."""
    continued = b"CONTINUE=" in found.raw_header
    return "odd_card" in found.flags and (expected is twin.NOTHING or ours is None or continued)


@dataclass(frozen=True)
class Wanted:
    """A logical value: where the plain camera tells it, and what it means there."""

    name: str
    keywords: Sequence[str]
    convert: Callable[[Any], Any]
    default: Any = None
    missing: Sequence[str] = ()
    skip: Callable[[Any], bool] = lambda header: False

    def expected(self, stated: Found) -> Any:
        """The value, the default when there is none, NOTHING when it makes no sense."""
        for keyword in self.keywords:
            value = twin.value_of(stated, keyword)
            if value is None or (isinstance(value, str) and value.strip() in {"", *self.missing}):
                continue
            converted = twin.NOTHING if value is twin.NOTHING else self.convert(value)
            return twin.NOTHING if converted is None else converted
        return self.default

    def same(self, ours: Any, expected: Any) -> bool:
        """Equal, as far as floats and milliseconds can be."""
        if isinstance(ours, datetime):
            return isinstance(expected, datetime) and abs(ours - expected) < timedelta(
                seconds=0.002
            )
        if isinstance(ours, float):
            return bool(np.isclose(ours, expected, rtol=1e-9, atol=1e-9))
        return bool(ours == expected)


def _text(value: Any) -> Any:
    """Text as it must come out; what is not plain ASCII has tests of its own."""
    text = str(value).strip()
    return text[:200] if text.isascii() and text.isprintable() else _Anything()


class _Anything:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def _days(zero: float) -> Callable[[Any], datetime | None]:
    def instant(value: Any) -> datetime | None:
        days = twin.number(value)
        try:
            return None if days is None else UNIX + timedelta(days=days - zero)
        except OverflowError:
            return None

    return instant


def _when(stated: Found) -> Any:
    """Start of the exposure: of several sources the first that is there."""
    for keyword, convert in (
        ("DATE-OBS", twin.start_of),
        ("DATE_OBS", twin.start_of),
        ("MJD-OBS", _days(40587.0)),
        ("JD", _days(2440587.5)),
    ):
        found = Wanted("", [keyword], convert).expected(stated)
        if found is not None:
            return found
    return None


class _Start(Wanted):
    def expected(self, stated: Found) -> Any:
        return _when(stated)


WANTED: Final = [
    Wanted("exptime_s", ["EXPTIME", "EXPOSURE"], twin.number),
    Wanted("kind", ["IMAGETYP"], twin.kind_of, default="unknown"),
    _Start("observed_at", (), twin.start_of),
    Wanted(
        "filter",
        ["FILTER", "FILTER1", "FILTER2"],
        _text,
        missing=["open"],
        skip=lambda header: header.kind in {"bias", "dark"},
    ),
    Wanted("x_binning", ["XBINNING"], twin.number, default=1),
    Wanted("y_binning", ["YBINNING"], twin.number, default=1),
    Wanted("temperature_c", ["CCD-TEMP"], twin.number),
    Wanted("object", ["OBJECT"], _text),
    Wanted("readout", ["READOUTM"], _text),
    Wanted("airmass", ["AIRMASS"], twin.number),
    Wanted("ra_deg", ["OBJCTRA"], twin.angle(15.0), skip=lambda header: header.ra_deg is None),
    Wanted("dec_deg", ["OBJCTDEC"], twin.angle(1.0), skip=lambda header: header.dec_deg is None),
]
