"""Catalogue B6.4, the names: anything but '/' and NUL may be one. They are data.

None begins with a dot: those are hidden, and the inbox does not list them.
"""

from __future__ import annotations

from typing import Final

from tests.bad_fits.case import Case
from tests.bad_fits.frames import Random, frame

NAMES: Final[dict[str, bytes]] = {
    "line break": b"a\nb.fits",
    "carriage return": b"a\r\nBcc: x.fits",
    "quote": b"o'hara\".fits",
    "two dots": b"frame..fits",
    "dots within": b"a..b...fits",
    "leading minus": b"-rf.fits",
    "only a suffix": b" .fits",
    "blanks": b"  a  b  .fits",
    "255 bytes": b"x" * 250 + b".fits",
    "255 bytes of UTF-8": "ü".encode() * 125 + b".fits",
    "not UTF-8": b"caf\xe9_\xff\xfe.fits",
    "half a surrogate": b"\xed\xa0\x80.fits",
    "right to left": "\u202estif.\u202cfits.fits".encode(),
    "shell": b"$(touch x)`id`;|&.fits",
    "template": b"{{ 7*7 }}.fits",
    "SQL": b"x'); DROP TABLE frame;--.fits",
    "per cent": b"%s%n%2e%2e%2f.fits",
    "tilde": b"~root.fits",
    "URL": b"http:evil.example.fits",
    "escape": b"\x1b[2J\x07.fits",
    "pattern": b"*?[a-z].fits",
    "backslash": b"x..\\..\\etc\\passwd.fits",
    "capitals": b"FRAME.FITS",
    "control": bytes(range(1, 32)).replace(b"/", b"") + b".fits",
}


def plain(rng: Random) -> bytes:
    """A good frame."""
    return frame(rng)


FILES: Final = [Case(85, name, "OK", plain, file_name=text) for name, text in NAMES.items()]
