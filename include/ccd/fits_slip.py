"""Bytes lost or added within a file, told by where the zeros at its end begin.

What carries files as text (FTP in ASCII mode) and links that drop bytes leave a header that reads
well, a size that is nearly right, and pixels of which halves are taken for wholes from there on.
The padding at the end is out of step with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.ccd.errors import Malformed
from include.ccd.fits_file import Source

if TYPE_CHECKING:
    from include.ccd.fits_layout import Unit


def refuse_slipped(source: Source, unit: Unit, there: int) -> None:
    """Refuse a file whose last unit has all its padding, and yet another size.

    Parameters
    ----------
    source : Source
    unit : Unit
        The last one.
    there : int
        Size of the file in bytes, not that of its headers.

    Raises
    ------
    Malformed
        As many bytes as it has too few or too many are missing, or too many, before its padding.
    """
    padding, slip = unit.end - unit.data_end, there - unit.end
    width = abs(unit.bitpix) // 8
    # the last bytes of a whole number, as a real one, and of a heap may well be zeros themselves
    ambiguous = unit.kind != "image" or unit.bitpix < 0
    if not padding or (ambiguous and -width < slip < 0):
        return
    if slip > 0:  # nearer to the padding than so is what may have been padding before
        width = min(width, slip)
    tail = bytes(source.read(there - padding - width, padding + width))
    if any(tail[width:]) or not any(tail[:width]):
        return
    if slip < 0:
        raise Malformed("bytes_lost", f"{-slip} bytes are missing somewhere before the padding")
    raise Malformed("bytes_added", f"{slip} bytes too many are somewhere before the padding")
