"""Catalogue B6.2 without the dates: what cameras, software and people write into headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from tests.bad_fits.case import Case
from tests.bad_fits.frames import Random, frame, scene

HOSTILE: Final = [
    "<script>alert(1)</script>",
    "{{ 7*7 }}${7*7}<%= 7*7 %>",
    "../../etc/passwd",
    "x'; DROP TABLE frame --",
    "$(touch /tmp/x)`id`|cat",
    "%s%n%d\\x00\\u0000",
    "=cmd|' /C calc'!A0",
    "-rf",
    "",
]


def cards(*, drop: tuple[str, ...] = (), extra: tuple[Any, ...] = (), **changes: str) -> Any:
    """A frame with other cards; a '-' in a keyword is written '_'."""
    named = {key.replace("_", "-"): text for key, text in changes.items()}
    return lambda rng: frame(rng, named, drop=drop, extra=extra)


def flagged(number: int, name: str, why: str, make: Callable[[Random], bytes], **k: Any) -> Case:
    """Unusual but usable."""
    return Case(number, name, "FLAG", make, why, **k)


def refused(number: int, name: str, why: str, make: Callable[[Random], bytes], **k: Any) -> Case:
    """Never a frame."""
    return Case(number, name, "QUARANTINE", make, why, **k)


def text_of(number: int, text: str) -> Case:
    """OBJECT holds something that means something elsewhere."""
    quoted = "'" + text.replace("'", "''").ljust(8) + "'"
    return Case(
        number,
        f"OBJECT is {text[:12]!r}",
        "OK",
        cards(OBJECT=quoted),
        values={"object": text or None},
    )


def light(changes: dict[str, str], **kwargs: Any) -> Callable[[Random], bytes]:
    """A frame of another kind: its header, and pixels at another level."""
    return lambda rng: frame(rng, changes, pixels=scene(rng, **kwargs))


HEADERS: Final = [
    flagged(31, "NaN unquoted", "unreadable_card", cards(FOCUS="NaN")),
    flagged(
        31,
        "NaN unquoted in a value we use",
        "temperature_c_unreadable unreadable_card",
        cards(CCD_TEMP="NaN"),
        values={"temperature_c": None},
    ),
    refused(31, "NaN unquoted in EXPTIME", "unreadable_card", cards(EXPTIME="nan")),
    flagged(32, "inf unquoted", "unreadable_card", cards(SCALE="inf")),
    refused(32, "inf unquoted in EXPTIME", "unreadable_card", cards(EXPTIME="inf")),
    refused(32, "infinite by its exponent", "unreadable_value", cards(EXPTIME="1E999")),
    refused(33, "decimal comma in EXPTIME", "unreadable_card", cards(EXPTIME="60,0")),
    refused(33, "decimal comma in quotes", "unreadable_value", cards(EXPTIME="'60,0    '")),
    Case(
        33,
        "decimal comma of a camera that writes so",
        "OK",
        cards(EXPTIME="60,5", DATE_OBS="'05/03/24 03:04:05'", JD="2460374,6278414"),
        profile="careless",
        values={"exptime_s": 60.5},
    ),
    refused(34, "decimal comma in BZERO", "bad_scaling", cards(BZERO="32768,0")),
    refused(34, "BSCALE a text", "bad_scaling", cards(BSCALE="'1       '")),
    refused(34, "BZERO infinite", "bad_scaling", cards(BZERO="1E999")),
    refused(35, "EXPTIME with a unit", "unreadable_value", cards(EXPTIME="'60.0 s'")),
    Case(
        35,
        "EXPTIME with the unit of that camera",
        "OK",
        cards(EXPTIME="'60.5 s'", DATE_OBS="'05/03/24 03:04:05'"),
        profile="careless",
        values={"exptime_s": 60.5},
    ),
    Case(35, "EXPTIME a number in quotes", "OK", cards(EXPTIME="'60.0    '")),
    Case(35, "EXPTIME with a D exponent", "OK", cards(EXPTIME="6.0D1"), values={"exptime_s": 60.0}),
    refused(36, "EXPTIME missing", "no_exptime", cards(drop=("EXPTIME",))),
    refused(36, "EXPTIME empty", "no_exptime", cards(EXPTIME="")),
    Case(
        36,
        "EXPTIME called EXPOSURE",
        "OK",
        cards(drop=("EXPTIME",), EXPOSURE="30"),
        values={"exptime_s": 30.0},
    ),
    flagged(
        36,
        "EXPTIME and EXPOSURE disagree",
        "exptime_disagrees",
        cards(EXPOSURE="30"),
        values={"exptime_s": 60.0},
    ),
    refused(37, "EXPTIME negative", "bad_exptime", cards(EXPTIME="-60.0")),
    refused(37, "EXPTIME longer than a day", "bad_exptime", cards(EXPTIME="1E6")),
    refused(37, "EXPTIME logical", "unreadable_value", cards(EXPTIME="T")),
    flagged(38, "light not exposed", "not_exposed", cards(EXPTIME="0")),
    flagged(38, "bias exposed", "bias_exposed", cards(IMAGETYP="'Bias Frame'", EXPTIME="30")),
    refused(39, "EXPTIME twice", "duplicate_keyword", cards(extra=("EXPTIME = 30.0",))),
    refused(39, "IMAGETYP twice", "duplicate_keyword", cards(extra=("IMAGETYP= 1",))),
    refused(39, "NAXIS1 twice", "duplicate_keyword", cards(extra=("NAXIS1  = 32",))),
    flagged(
        39, "OBSERVER twice", "duplicate_keyword", cards(extra=("OBSERVER= 'A'", "OBSERVER= 'B'"))
    ),
    Case(39, "EXPTIME twice the same", "OK", cards(extra=("EXPTIME = 60.0",))),
    flagged(42, "dot in a keyword", "odd_card", cards(extra=("GAIN.SPE= 1.5",))),
    flagged(42, "keyword in lower case", "odd_card", cards(extra=("focuser = 1.5",))),
    Case(43, "HIERARCH", "OK", cards(extra=("HIERARCH ESO DET OUT1 GAIN = 1.5 / electrons",))),
    Case(
        44,
        "CONTINUE",
        "OK",
        cards(drop=("OBJECT",), extra=("OBJECT  = 'M83 &'", "CONTINUE  'and beyond' / where")),
        values={"object": "M83 and beyond"},
    ),
    flagged(
        44,
        "a filter without end",
        "filter_unknown filter_unreadable",
        cards(drop=("FILTER",), extra=("FILTER  = 'V&'", *["CONTINUE  '" + "V" * 60 + "&'"] * 99)),
        values={"filter": None},
    ),
    flagged(47, "card without =", "odd_card", cards(extra=("TELESCOP Meade LX200",))),
    flagged(
        47, "text without its end", "unreadable_card", cards(extra=("TELESCOP= 'Meade LX200",))
    ),
    flagged(
        48, "Latin-1", "non_ascii_header", cards(OBJECT="'Mar\xeda   '"), values={"object": "María"}
    ),
    flagged(
        49,
        "UTF-8",
        "non_ascii_header",
        cards(OBJECT="'Mar\xc3\xada   '"),
        values={"object": "María"},
    ),
    flagged(
        50,
        "line break in a value",
        "control_characters",
        cards(OBJECT="'M83\r\nBcc: x'"),
        values={"object": "M83??Bcc: x"},
    ),
    flagged(
        50,
        "escape sequence",
        "control_characters",
        cards(OBJECT="'M83\x1b[2J'"),
        values={"object": "M83?[2J"},
    ),
    flagged(
        50,
        "NUL in a value",
        "control_characters null_padding",
        cards(OBJECT="'M83\x00x   '"),
        values={"object": "M83?x"},
    ),
    flagged(
        60,
        "IMAGETYP missing",
        "kind_unknown",
        cards(drop=("IMAGETYP",)),
        values={"kind": "unknown"},
    ),
    flagged(
        60,
        "IMAGETYP mis-spelt",
        "kind_unknown",
        cards(IMAGETYP="'Ligth Frame'"),
        values={"kind": "unknown"},
    ),
    flagged(
        60,
        "bias in full light",
        "level_unusual",
        light({"IMAGETYP": "'Bias Frame'", "EXPTIME": "0"}, level=50_000.0),
    ),
    flagged(
        60,
        "bias above the camera's level",
        "level_unusual",
        light({"IMAGETYP": "'Bias Frame'", "EXPTIME": "0"}, level=3000.0),
        profile="strict",
    ),
    flagged(
        60,
        "flat in the dark",
        "level_unusual",
        light({"IMAGETYP": "'Flat Field'"}),
        profile="strict",
    ),
    Case(
        61,
        "filter in the second wheel",
        "OK",
        cards(drop=("FILTER",), FILTER1="'open    '", FILTER2="'R       '"),
        values={"filter": "R"},
    ),
    Case(
        62,
        "DATE_OBS",
        "OK",
        cards(drop=("DATE-OBS", "JD"), extra=("DATE_OBS= '2024-03-05T03:04:05'",)),
    ),
    Case(
        63,
        "OBJECT from the target before",
        "OK",
        cards(OBJECT="'zenith  '"),
        values={"object": "zenith"},
    ),
    flagged(
        63,
        "coordinates of nowhere",
        "ra_deg_unreadable",
        cards(OBJCTRA="'99 00 00'"),
        values={"ra_deg": None, "dec_deg": None},
    ),
    flagged(63, "another site", "site_disagrees", cards(SITELONG="'-64 32 56'")),
    flagged(65, "BZERO missing", "negative_pixels", cards(drop=("BZERO", "BSCALE"))),
    flagged(
        65,
        "BZERO missing and one bright star",
        "negative_pixels",
        lambda rng: frame(rng, drop=["BZERO"], pixels=_wrapped(rng)),
    ),
    *[text_of(86, text) for text in HOSTILE],
]


def _wrapped(rng: Random) -> Any:
    """Stored 16 bits of which one pixel has the highest set."""
    stored = np.minimum(scene(rng), 20_000).astype(np.int16)
    stored[5, 5] = -25_536
    return stored
