"""Names of what is seen in the sky, from where it is seen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from models.transient import Candidate

_LONGEST_FIELD = 40
_ARCSEC = 3600.0


def place_name(ra_deg: float, dec_deg: float) -> str:
    """Give a place as catalogues name it: ``J020015.12-293001.4``, cut and not rounded."""
    return f"J{_sexagesimal(ra_deg / 15.0, 2, 2)}{'-' if dec_deg < 0 else '+'}" + _sexagesimal(
        abs(dec_deg), 2, 1
    )


def candidate_name(row: Candidate, night: date) -> str:
    """Name a candidate by its field, its night, and its place on the sky or on the reference."""
    place = f"x{row.x_px:.1f}y{row.y_px:.1f}"
    if row.ra_deg is not None and row.dec_deg is not None:
        place = place_name(row.ra_deg, row.dec_deg)
    known = re.sub(r"[^A-Za-z0-9.+-]+", "_", row.object or "field")[:_LONGEST_FIELD]
    return f"{known}-{night:%Y%m%d}-{place}"


def nearest_name(
    row: Candidate, earlier: Iterable[Candidate], *, radius_px: float, radius_arcsec: float
) -> str | None:
    """Give the name that something had which was found at the place of `row` before.

    Parameters
    ----------
    row
        What is to be named.
    earlier
        Candidates of the same night and field, superseded ones among them.
    radius_px, radius_arcsec
        How near: on the sky where both are placed, else on the pixels of their references.
    """
    distances = ((_apart(row, other, radius_px, radius_arcsec), other.name) for other in earlier)
    near = sorted(found for found in distances if found[0] <= 1.0)
    return near[0][1] if near else None


def separation_arcsec(ra_deg: float, dec_deg: float, ra2_deg: float, dec2_deg: float) -> float:
    """Give the angle between two places, by the haversine."""
    import math

    a, b = math.radians(dec_deg), math.radians(dec2_deg)
    across = math.sin(math.radians(ra2_deg - ra_deg) / 2) ** 2 * math.cos(a) * math.cos(b)
    half = math.sqrt(math.sin((b - a) / 2) ** 2 + across)
    return math.degrees(2 * math.asin(min(1.0, half))) * _ARCSEC


def _apart(row: Candidate, other: Candidate, radius_px: float, radius_arcsec: float) -> float:
    """Distance over the radius."""
    places = (row.ra_deg, row.dec_deg, other.ra_deg, other.dec_deg)
    if None not in places:
        return separation_arcsec(*places) / radius_arcsec  # type: ignore[arg-type]
    off2 = (row.x_px - other.x_px) ** 2 + (row.y_px - other.y_px) ** 2
    return float(off2**0.5) / radius_px


def _sexagesimal(value: float, width: int, decimals: int) -> str:
    """Whole, minutes and seconds, cut, without separators."""
    units = int(value * _ARCSEC * 10**decimals + 1e-6)
    seconds, whole = units % (60 * 10**decimals), units // (60 * 10**decimals)
    size = 3 + decimals
    text = f"{seconds / 10**decimals:0{size}.{decimals}f}"
    return f"{whole // 60:0{width}d}{whole % 60:02d}{text}"
