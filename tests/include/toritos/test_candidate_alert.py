"""Something new in the sky is told of once, to people and to machines."""

from __future__ import annotations

from lxml import etree

from include.corral.channels.voevent import VOEventChannel
from include.corral.deliver import deliver
from include.corral.drain import drain
from include.corral.sky_event import SkyEvent
from include.toritos.candidate_alert import CandidateConfirmed
from models import Alert, Delivery
from tests.include.corral.channels.test_voevent import schema
from tests.include.toritos.sky_rows import NIGHT, add_sky


def tell(station) -> list[Alert]:
    drain(station.corral, CandidateConfirmed())
    return station.rows(Alert)


def test_candidate_is_told_of_once_by_its_name(both) -> None:
    """When its night is reduced anew, it is the same; another one is another."""
    add_sky(both.corral, {})
    (alert,) = tell(both)
    assert alert.subject == "2026-11-20: TOR26a (new), 17.31 mag in V, seen on 5 of 7"
    assert "RA 83.63300 deg, Dec -5.39100 deg (ICRS), to 0.40 arcsec" in alert.body
    assert alert.severity == "warning"
    assert alert.partition == NIGHT
    add_sky(both.corral, {})
    assert len(tell(both)) == 1
    add_sky(both.corral, {"name": "TOR26b"})
    assert len(tell(both)) == 2


def test_what_a_catalogue_knows_is_information(both) -> None:
    """What is not current any more is not told of."""
    known = {"known_as": "V1234 Ori", "separation_arcsec": 0.3}
    add_sky(both.corral, known, {"name": "old", "current": False})
    (alert,) = tell(both)
    assert alert.severity == "info"
    assert "V1234 Ori, 0.30 arcsec away" in alert.body


def test_machines_are_told_place_time_and_brightness(both) -> None:
    """In the middle of the exposure, from the site of the camera."""
    add_sky(both.corral, {})
    (alert,) = tell(both)
    event = SkyEvent.from_context(alert.context)
    assert (event.ra_deg, event.dec_deg, event.score) == (83.633, -5.391, 0.93)
    assert event.observed_at.isoformat() == "2026-11-21T04:30:30+00:00"
    assert (event.observatory.latitude_deg, event.observatory.elevation_m) == (-24.623, 4650)
    assert abs(event.error_deg * 3600 - 0.4) < 1e-9
    assert (event.magnitudes[0].mag, event.magnitudes[0].filter) == (17.314, "V")


def test_candidate_without_place_or_brightness_is_told_to_people_alone(both) -> None:
    """The reference has no place on the sky."""
    nowhere = {"ra_deg": None, "dec_deg": None, "position_err_arcsec": None}
    add_sky(both.corral, nowhere | {"mag": None, "mag_err": None})
    (alert,) = tell(both)
    assert "sky_event" not in alert.context
    assert alert.subject == "2026-11-20: TOR26a (new), +25 sigma in V, seen on 5 of 7"
    assert "x 100.5, y 200.2 px" in alert.body


def test_candidate_goes_out_as_a_valid_packet(both, tmp_path) -> None:
    """Through the outbox, to the folder that a broker reads."""

    class ToBroker(CandidateConfirmed):
        """As the rule, for another channel."""

        channels = ("sky",)

    add_sky(both.corral, {})
    drain(both.corral, ToBroker())
    channel = VOEventChannel(stream="example.org/toritos", folder=str(tmp_path / "out"))
    assert deliver(both.corral, {"sky": channel}).messages == 1
    (path,) = (tmp_path / "out").iterdir()
    schema().assertValid(etree.parse(path))
    assert [row.status for row in both.rows(Delivery)] == ["sent"]
