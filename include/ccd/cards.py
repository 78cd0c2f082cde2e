"""What a product says of itself: fresh cards, and reading them back."""

from __future__ import annotations

from collections.abc import Iterable

from include.ccd.header import FrameHeader
from include.ccd.image import Card, CardValue, Image


def ascii_text(text: str) -> str:
    """The text with what a FITS card cannot hold replaced by '?'."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def identity_cards(header: FrameHeader, *, kind: str) -> dict[str, Card]:
    """Cards that tell which exposure or group of exposures this is, without the raw header."""
    cards: dict[str, Card] = {
        "IMAGETYP": kind,
        "INSTRUME": header.camera,
        "FILTER": header.filter,
        "EXPTIME": (header.exptime_s, "[s] exposure time"),
        "DATE-OBS": (header.observed_at.replace(tzinfo=None).isoformat(), "UTC, start of exposure"),
        "XBINNING": header.x_binning,
        "YBINNING": header.y_binning,
        "READOUTM": header.readout,
        "CCD-TEMP": (header.temperature_c, "[deg C] detector temperature"),
        "OBJECT": header.object,
        "RA": (header.ra_deg, "[deg] pointing"),
        "DEC": (header.dec_deg, "[deg] pointing"),
        "AIRMASS": header.airmass,
    }
    return {key: _clean(card) for key, card in cards.items() if _value(card) is not None}


def card_value(image: Image, keyword: str) -> CardValue:
    """Value of a card without its comment; None when it is absent."""
    return _value(image.cards.get(keyword))


def card_number(image: Image, keyword: str) -> float | None:
    """Value of a card as a number; None when it is absent or not one."""
    value = card_value(image, keyword)
    return None if value is None or isinstance(value, str) else float(value)


def flag_text(flags: Iterable[str]) -> str:
    """Flags as one card holds them: sorted, once each, separated by spaces."""
    return " ".join(sorted(set(flags)))


def flags_of(image: Image) -> tuple[str, ...]:
    """What was missing or unusual when the image was made, such as ``('no_dark',)``."""
    return tuple(str(card_value(image, "FLAGS") or "").split())


def _value(card: Card) -> CardValue:
    return card[0] if isinstance(card, tuple) else card


def _clean(card: Card) -> Card:
    if isinstance(card, str):
        return ascii_text(card)
    if isinstance(card, tuple) and isinstance(card[0], str):
        return ascii_text(card[0]), card[1]
    return card
