"""Which observing night an instant belongs to."""

from __future__ import annotations

from datetime import date, datetime, timedelta

HOURS_PER_DEGREE = 1 / 15


def night_of(observed_at: datetime, longitude_deg: float) -> date:
    """Date of the evening on which the night of an instant began.

    A night lasts from noon to noon of local *mean solar* time: no time zone, no summer time,
    so it never jumps and is the same wherever the pipeline runs.

    Parameters
    ----------
    observed_at : datetime
        Aware instant.
    longitude_deg : float
        East-positive longitude of the site in degrees.

    Returns
    -------
    date
        Local date at the noon that began the night.

    Raises
    ------
    ValueError
        The instant is naive, or the longitude is not in [-180, 180].
    """
    offset = observed_at.utcoffset()
    if offset is None:
        raise ValueError(f"observed_at must be aware: {observed_at!r}")
    if not -180 <= longitude_deg <= 180:
        raise ValueError(f"longitude_deg must be in [-180, 180], east positive: {longitude_deg}")
    utc = observed_at.replace(tzinfo=None) - offset
    return (utc + timedelta(hours=longitude_deg * HOURS_PER_DEGREE - 12)).date()
