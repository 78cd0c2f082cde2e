"""The same bytes read by somebody else: astropy for headers, numpy for pixels, the standard's text.

Where this and the reader both give a number, it is the same; where this has none, the reader has
none either, or the frame was refused.
"""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]

NOTHING: Final = object()
DTYPES: Final = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


def unzipped(content: bytes) -> bytes:
    """The content, or what is inside of it when it is gzip; what stands behind is left out."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    parts = []
    while content.startswith(b"\x1f\x8b"):
        inflater = zlib.decompressobj(wbits=31)
        parts.append(inflater.decompress(content))
        content = inflater.unused_data
    return b"".join(parts)


def headers(raw_header: bytes) -> tuple[Any, Any]:
    """(header of the image, of the primary unit or None), as astropy reads them."""
    from astropy.io import fits

    cards = [raw_header[at : at + 80] for at in range(0, len(raw_header), 80)]
    first = next(i for i, card in enumerate(cards) if card.rstrip(b" \0") == b"END")
    blocks = -(-(first + 1) * 80 // 2880) * 2880
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        primary = fits.Header.fromstring(raw_header[:blocks].decode("latin-1"))
        if blocks >= len(raw_header):
            return primary, None
        return fits.Header.fromstring(raw_header[blocks:].decode("latin-1")), primary


def value_of(found: tuple[Any, Any], keyword: str) -> Any:
    """Value of a keyword in the image's header or else the primary one; NOTHING if unreadable."""
    for header in found:
        if header is None or keyword not in header:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = header[keyword]
        except Exception:  # noqa: BLE001 - whatever astropy raises, it has no value to compare
            return NOTHING
        return None if type(value).__name__ == "Undefined" else value
    return None


def pixels(content: bytes, hdu: int) -> Pixels:
    """Pixels of an uncompressed image by the text of the standard, float64."""
    content = unzipped(content)
    start = 0
    for _ in range(hdu):
        start = _extent(content, start)[1]
    data_start, _ = _extent(content, start)
    cards = _cards(content, start)
    shape = tuple(int(cards[f"NAXIS{i}"]) for i in range(int(cards["NAXIS"]), 0, -1))
    bitpix = int(cards["BITPIX"])
    stored = np.frombuffer(content, DTYPES[bitpix], count=int(np.prod(shape)), offset=data_start)
    scale, zero = (
        float(_number(cards.get(key, default)))
        for key, default in (("BSCALE", "1"), ("BZERO", "0"))
    )
    with np.errstate(all="ignore"):
        values = zero + scale * stored.astype(np.float64)
    blank = cards.get("BLANK", "")
    if bitpix > 0 and re.fullmatch(r"[+-]?\d+", blank):
        values[stored == int(blank)] = np.nan
    return values.reshape(shape)


def astropy_pixels(content: bytes, hdu: int) -> Pixels | None:
    """Pixels as astropy gives them, float64; None when it does not open the file."""
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(io.BytesIO(unzipped(content)), memmap=False) as units:
                return np.asarray(units[hdu].data, dtype=np.float64)
    except Exception:  # noqa: BLE001 - in many ways
        return None


def sums_hold(content: bytes) -> bool:
    """Whether astropy finds no checksum that fails.

    Missing padding adds nothing to a sum; a blank one is, by the standard, not defined.
    """
    from astropy.io import fits

    content = re.sub(rb"CHECKSUM(= *' *' )", rb"COMMENT \1", unzipped(content))
    content = content.ljust(-(-len(content) // 2880) * 2880, b"\0")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with fits.open(io.BytesIO(content), memmap=False, checksum=True) as units:
            for unit in units:
                unit.data  # noqa: B018 - reading it is what verifies it
    return not any("verification failed" in str(each.message) for each in told)


def start_of(value: Any) -> datetime | None:
    """Instant of an ISO text; None when it is not one."""
    match = re.fullmatch(
        r"(\d{4})-(\d\d)-(\d\d)[T ]+(\d\d):(\d\d):(\d\d)(\.\d+)? *(Z|[+-]\d\d:?\d\d)?",
        str(value).strip(),
        re.ASCII,
    )
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    at += timedelta(microseconds=int(float(match[7] or 0) * 1e6 + 1e-3))
    if match[8] not in {None, "Z"}:
        offset = timedelta(hours=int(match[8][1:3]), minutes=int(match[8][-2:]))
        at -= offset if match[8][0] == "+" else -offset
    return at


def kind_of(value: Any) -> str:
    """Kind of a frame by the rules of the plain profile."""
    text = str(value).strip().lower()
    for kind, names in KINDS.items():
        if text in names:
            return kind
    return "unknown"


KINDS: Final = {
    "bias": {"bias", "bias frame"},
    "dark": {"dark", "dark frame"},
    "flat": {"flat", "flat field"},
    "science": {"light", "light frame"},
}


def number(value: Any) -> float | None:
    """A number, also in quotes; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip()
        if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value, re.ASCII) is None:
            return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if np.isfinite(found) else None


def angle(per_unit: float) -> Callable[[Any], float | None]:
    """Degrees of a decimal or sexagesimal angle."""

    def degrees(value: Any) -> float | None:
        plain = number(value)
        if plain is not None:
            return plain * per_unit
        parts = re.split(r"[:\s]\s*", str(value).strip().lstrip("+-").strip())
        try:
            first, second, third = (float(part) for part in (*parts, "0")[:3])
        except ValueError:
            return None
        sign = -1 if str(value).strip().startswith("-") else 1
        return sign * (first + second / 60 + third / 3600) * per_unit

    return degrees


def _cards(content: bytes, start: int) -> dict[str, str]:
    """Keyword to literal text, the first one counts."""
    found: dict[str, str] = {}
    for at in range(start, len(content), 80):
        card = content[at : at + 80].decode("latin-1")
        if card.rstrip(" \0") == "END":
            break
        if card[8:10] == "= ":
            text = card[10:]
            quoted = text.lstrip().startswith("'")
            literal = text.strip()[1:].partition("'")[0] if quoted else text.partition("/")[0]
            found.setdefault(card[:8].strip(" ").upper(), literal.strip(" "))
    return found


def _extent(content: bytes, start: int) -> tuple[int, int]:
    """Where the data of the unit that starts there start and end, whole blocks."""
    at = start
    while content[at : at + 80].rstrip(b" \0") != b"END":
        at += 80
    data = start + -(-(at + 80 - start) // 2880) * 2880
    cards = _cards(content, start)
    axes = [int(cards[f"NAXIS{i}"]) for i in range(1, int(cards["NAXIS"]) + 1)]
    size = int(np.prod(axes, dtype=object)) if axes else 0
    if start:
        size = int(cards.get("GCOUNT") or 1) * (int(cards.get("PCOUNT") or 0) + size)
    return data, data + -(-size * abs(int(cards["BITPIX"])) // 8 // 2880) * 2880


def _number(text: str) -> float:
    return float(text.upper().replace("D", "E")) if text else 1.0
