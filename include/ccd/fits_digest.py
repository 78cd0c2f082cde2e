"""Digests and checksums of a file whose bytes go by once, in chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from include.ccd.errors import BadHeader, Malformed
from include.ccd.fits_checksum import ALL_ONES, add_sum
from include.ccd.fits_layout import Unit


class RangeDigest:
    """sha256 of the bytes in one range of a file."""

    def __init__(self, start: int, end: int, *, prefix: bytes = b"") -> None:
        self._start = start
        self._end = end
        self._digest = hashlib.sha256(prefix)

    def see(self, offset: int, chunk: memoryview) -> None:
        """Take what of a chunk lies in the range."""
        part = _overlap(self._start, self._end, offset, chunk)
        if part:
            self._digest.update(part)

    def hexdigest(self) -> str:
        """Digest of what has been seen."""
        return self._digest.hexdigest()


class UnitSums:
    """The sums of one header-data unit, to be held against its CHECKSUM and DATASUM."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._header = 0
        self._data = 0

    def see(self, offset: int, chunk: memoryview) -> None:
        """Take what of a chunk belongs to the unit. Chunks begin and end at FITS blocks."""
        unit = self._unit
        header = _overlap(unit.start, unit.data_start, offset, chunk)
        if header:
            self._header = add_sum(header, self._header)
        data = _overlap(unit.data_start, unit.end, offset, chunk)
        if data:
            self._data = add_sum(data, self._data)

    def verify(self) -> None:
        """Hold the sums against the cards.

        Raises
        ------
        Malformed
            They differ: bytes were changed after the file was written.
        """
        try:
            datasum, checksum = (self._stated(word) for word in ("DATASUM", "CHECKSUM"))
        except BadHeader as error:
            raise Malformed("bad_checksum", error.message) from error
        if datasum and datasum != str(self._data):
            found = (
                f"unit {self._unit.index}: DATASUM is {datasum!r:.40}, the data give {self._data}"
            )
            raise Malformed("bad_checksum", found)
        if checksum and add_sum(b"", self._header + self._data) not in {ALL_ONES, 0}:
            raise Malformed("bad_checksum", f"unit {self._unit.index}: CHECKSUM does not hold")

    def _stated(self, keyword: str) -> str:
        if not self._unit.cards.states(keyword):
            return ""
        value = self._unit.cards.get(keyword)
        return "" if value is None else str(value).strip()


def sums_of(units: Iterable[Unit]) -> list[UnitSums]:
    """Sums for the units that state any."""
    return [
        UnitSums(unit)
        for unit in units
        if unit.cards.states("CHECKSUM") or unit.cards.states("DATASUM")
    ]


def _overlap(start: int, end: int, offset: int, chunk: memoryview) -> memoryview:
    return chunk[max(start - offset, 0) : max(min(end - offset, len(chunk)), 0)]
