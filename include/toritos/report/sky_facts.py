"""What a report tells of the sky: candidates, and stars whose brightness was followed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Something new in the sky.

    Attributes
    ----------
    ra_deg, dec_deg
        ICRS, in degrees; None where the reference has no place on the sky.
    seen, searched
        On so many of so many images.
    known_as
        The catalogue's object at that place; empty where there is none.
    stamps
        Science, reference and difference, an (3, n, n) array as `numpy.save` writes it; None where
        there are none, or too many for a page.
    """

    name: str
    filter: str
    ra_deg: float | None
    dec_deg: float | None
    mag: float | None
    mag_err: float | None
    score: float
    seen: int
    searched: int
    first_at: datetime
    last_at: datetime
    known_as: str
    stamps: bytes | None

    @property
    def ra_text(self) -> str:
        """Right ascension in degrees; empty where it is not known."""
        return "" if self.ra_deg is None else f"{self.ra_deg:.5f}"

    @property
    def dec_text(self) -> str:
        """Declination in degrees; empty where it is not known."""
        return "" if self.dec_deg is None else f"{self.dec_deg:+.5f}"


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement; magnitudes, or a flux relative to the median of the night."""

    at: datetime
    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Curve:
    """How bright one object was through the reported nights, through one filter.

    Attributes
    ----------
    unit
        ``mag``, or empty for a relative flux.
    points
        In the order of time.
    """

    name: str
    filter: str
    unit: str
    points: tuple[Point, ...]

    @property
    def amplitude(self) -> float:
        """Between the brightest and the faintest point."""
        values = [point.value for point in self.points]
        return max(values) - min(values)
