"""Something new in the sky: who is told, and what a robotic telescope is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from include.corral.alert import Alert
from include.corral.sky_event import Magnitude, Place, SkyEvent
from include.toritos.report.words import number_text
from models.transient import Candidate

ARCSEC_PER_DEG = 3600.0
# Where nobody has measured it: a pixel or two of the cameras that are used.
ERROR_ARCSEC = 2.0


class CandidateConfirmed(Alert):
    """A candidate that was seen on enough images, and that no catalogue knows, is told of once.

    It may be found again under other row numbers when its night is reduced anew: its name decides.
    The context says where it is, so that a channel of kind ``voevent`` can tell machines.
    """

    model = Candidate
    conditions = (Candidate.current, Candidate.known_as.is_(None))

    def subject(self, row: Candidate) -> str:
        """Name it, and say how bright it is."""
        return f"{row.name}: new in the sky, {_brightness(row)}"

    def body(self, row: Candidate) -> str:
        """Say where and when, how sure, and on how many images."""
        return "\n".join(
            [
                f"place     {_place(row)}",
                f"bright    {_brightness(row)}",
                f"seen      on {row.detections} of {row.searched} images, "
                f"{row.first_seen_at:%Y-%m-%d %H:%M} to {row.last_seen_at:%H:%M} UTC",
                f"score     {row.score:.2f} (0 bogus, 1 real)",
                f"noise     {row.significance:.1f} sigma on the best image",
                "",
                "No catalogue has anything there. The report of the night has its stamps.",
            ]
        )

    def dedup_key(self, row: Candidate) -> str:
        """One message for a name."""
        return f"{self.name}:{row.name}"

    def context(self, row: Candidate) -> Mapping[str, Any]:
        """Give place, time and brightness to machines; nothing where one of them is not known."""
        if row.ra_deg is None or row.dec_deg is None or row.mag is None:
            return {"candidate": row.name}
        error_arcsec = row.position_err_arcsec or ERROR_ARCSEC
        site = row.night.campaign.observatory
        event = SkyEvent(
            ra_deg=row.ra_deg,
            dec_deg=row.dec_deg,
            error_deg=error_arcsec / ARCSEC_PER_DEG,
            observed_at=row.observed_at + timedelta(seconds=(row.exptime_s or 0.0) / 2),
            magnitudes=(Magnitude(mag=row.mag, mag_err=row.mag_err, filter=row.filter or ""),),
            observatory=Place(
                name=site.name, latitude_deg=site.latitude, longitude_deg=site.longitude
            ),
            name=row.name,
            score=row.score,
        )
        return {"candidate": row.name} | event.as_context()


def _brightness(row: Candidate) -> str:
    if row.mag is None:
        return "of unknown magnitude"
    error = "" if row.mag_err is None else f" ± {number_text(row.mag_err, 2)}"
    return f"mag {number_text(row.mag, 4)}{error} {row.filter or ''}".rstrip()


def _place(row: Candidate) -> str:
    if row.ra_deg is None or row.dec_deg is None:
        return f"pixel {row.x_px:.1f}, {row.y_px:.1f}; the reference has no place on the sky"
    error = row.position_err_arcsec
    known = f", ± {number_text(error, 2)} arcsec" if error is not None else ""
    return f"RA {row.ra_deg:.5f}, Dec {row.dec_deg:+.5f} deg (ICRS{known})"
