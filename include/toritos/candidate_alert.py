"""Something new in the sky is told of, once, to people and to machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.corral.alert import Alert
from include.corral.sky_event import Magnitude, Place, SkyEvent
from include.toritos.instrument import profile_of
from models import alert as rows
from models.transient import Candidate

if TYPE_CHECKING:
    from include.corral.run import Run

# Of a place without a stated error: one pixel of most cameras of the kind.
_USUAL_ERROR_ARCSEC = 1.0


class CandidateConfirmed(Alert):
    """A candidate is told of once for its name, however often its night is looked at again.

    One at the place of a star of the catalogue is told of as information only.
    """

    model = Candidate
    conditions = (Candidate.current,)

    def subject(self, row: Candidate) -> str:
        """Say what, how bright, and how sure."""
        what = f"at {row.known_as}" if row.known_as else "new"
        bright = f"{row.mag:.2f} mag" if row.mag is not None else f"{row.significance:+.0f} sigma"
        return (
            f"{row.partition_key}: {row.name} ({what}), {bright} in {row.filter or 'no filter'}, "
            f"seen on {row.detections} of {row.searched}"
        )

    def body(self, row: Candidate) -> str:
        """Say where and when, and where more is to be found."""
        lines = [
            f"Name: {row.name}",
            f"Place: {_place(row)}",
            f"On the reference: x {row.x_px:.1f}, y {row.y_px:.1f} px",
            f"Brightness of the change: {_brightness(row)}, in filter {row.filter or 'none'}",
            f"Seen on {row.detections} of {row.searched} images that would have shown it",
            f"First {row.first_seen_at:%Y-%m-%d %H:%M:%S} UTC, "
            f"last {row.last_seen_at:%Y-%m-%d %H:%M:%S} UTC",
            f"Score (0 bogus, 1 real): {row.score:.2f}",
            f"Catalogue: {_known(row)}",
            "",
            "It was found again and again on differences from the field's reference. Its images "
            "and its light curve are in the report of the night.",
        ]
        return "\n".join(lines)

    def dedup_key(self, row: Candidate) -> str:
        """One message for a name."""
        return f"{self.name}:{row.name}"

    def context(self, row: Candidate) -> Mapping[str, Any]:
        """Give what a program needs; with a place and a magnitude, the event for a VOEvent."""
        plain = {
            "name": row.name,
            "object": row.object,
            "ra_deg": row.ra_deg,
            "dec_deg": row.dec_deg,
            "mag": row.mag,
            "mag_err": row.mag_err,
            "filter": row.filter,
            "observed_at": _middle(row).isoformat(),
            "score": row.score,
            "known_as": row.known_as,
            # Of the row that holds the three stamps: they are too large for a thin link.
            "stamps_of_detection": row.best_detection_id,
        }
        event = self._event(row)
        return plain if event is None else plain | event.as_context()

    def process(self, work: Candidate, run: Run) -> Iterator[rows.Alert]:
        """Put the message into the outbox."""
        for message in super().process(work, run):
            message.severity = "info" if work.known_as else self.severity
            yield message

    def _event(self, row: Candidate) -> SkyEvent | None:
        if row.ra_deg is None or row.dec_deg is None or row.mag is None:
            return None
        site = profile_of(row.instrument, self.settings).site
        return SkyEvent(
            ra_deg=row.ra_deg,
            dec_deg=row.dec_deg,
            error_deg=max(row.position_err_arcsec or _USUAL_ERROR_ARCSEC, 1e-3) / 3600.0,
            observed_at=_middle(row),
            magnitudes=(Magnitude(mag=row.mag, mag_err=row.mag_err, filter=row.filter or ""),),
            observatory=Place(
                name=site.name,
                latitude_deg=site.latitude_deg,
                longitude_deg=site.longitude_deg,
                elevation_m=site.elevation_m,
            ),
            name=row.name,
            score=row.score,
        )


def _middle(row: Candidate) -> Any:
    """Middle of the exposure of the best detection."""
    return row.observed_at + timedelta(seconds=(row.exptime_s or 0.0) / 2.0)


def _place(row: Candidate) -> str:
    if row.ra_deg is None or row.dec_deg is None:
        return "not known, the reference is not placed on the sky"
    error = row.position_err_arcsec
    return f"RA {row.ra_deg:.5f} deg, Dec {row.dec_deg:+.5f} deg (ICRS)" + (
        f", to {error:.2f} arcsec" if error is not None else ""
    )


def _brightness(row: Candidate) -> str:
    if row.mag is None:
        return f"{row.significance:+.1f} sigma, not calibrated"
    error = "" if row.mag_err is None else f" +- {row.mag_err:.3f}"
    return f"{row.mag:.3f}{error} mag, {row.significance:+.1f} sigma"


def _known(row: Candidate) -> str:
    if row.known_as is None:
        return "nothing known at this place"
    return f"{row.known_as}, {row.separation_arcsec:.2f} arcsec away"
