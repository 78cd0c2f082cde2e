"""A camera that is silent at night is told of once per gap, and only then."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.settings import Settings
from include.corral.sweep import sweep
from include.toritos.campaign import Nights
from include.toritos.instrument import SHIPPED
from include.toritos.sweeps import ToritosSweep
from models import Alert, Frame

# At Cordón Macón in November the sun is 12 degrees below at 23:54 UTC, and again at 08:30.
DUSK = datetime(2026, 11, 22, 23, 54, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ROOMY = {"warning_free_gb": 0.0, "critical_free_gb": 0.0}


@pytest.fixture
def corral(tmp_path):
    installation = Corral(Settings.below(tmp_path))
    yield installation
    installation.close()


def expose(corral: Corral, observed_at: datetime) -> None:
    """A frame begun then has come in."""
    digest = hashlib.sha256(observed_at.isoformat().encode()).hexdigest()
    fixed = {"size_bytes": 1, "width_px": 1, "height_px": 1, "binning": "1x1", "loaded_at": DUSK}
    with corral.write() as session:
        nights = Nights(session, corral.settings)
        night = nights.on("toritos", nights.date_of("toritos", observed_at))
        session.add(
            Frame(
                sha256=digest,
                path=digest,
                kind="science",
                instrument="toritos",
                camera="c",
                night_id=night.id,
                observed_at=observed_at,
                **fixed,
            )
        )


def told(corral: Corral, now: datetime) -> int:
    """How often the silence was told of, after a sweep at that time."""
    report = sweep(corral, ToritosSweep(clock=lambda: now, **ROOMY))
    assert report.report.failed == 0
    with corral.read() as session:
        told_of = select(Alert).where(Alert.rule == "silent_camera")
        return len(session.scalars(told_of).all())


def test_silence_is_told_of_once_per_gap(corral):
    """The gap ends with a frame; the next is another."""
    expose(corral, DUSK + 10 * MINUTE)
    assert told(corral, DUSK + 50 * MINUTE) == 0
    assert [told(corral, DUSK + minutes * MINUTE) for minutes in (60, 70, 200)] == [1, 1, 1]
    expose(corral, DUSK + 205 * MINUTE)
    assert told(corral, DUSK + 240 * MINUTE) == 1
    assert told(corral, DUSK + 260 * MINUTE) == 2
    with corral.read() as session:
        alert = session.scalars(select(Alert).order_by(Alert.id)).first()
    assert (alert.severity, alert.partition) == ("critical", "2026-11-22")
    assert "no frame for 50 min at night" in alert.subject


def test_night_that_does_not_begin_is_silent_from_dusk_on(corral):
    """The last frame is of the night before, or a flat of the afternoon; each night is told of."""
    expose(corral, DUSK - timedelta(hours=20))
    assert told(corral, DUSK + 30 * MINUTE) == 0
    assert told(corral, DUSK + 60 * MINUTE) == 1
    assert told(corral, DUSK + timedelta(days=1, minutes=60)) == 2


@pytest.mark.parametrize("hour", [9, 12, 16, 20, 23])
def test_nothing_is_told_by_day(corral, hour):
    """From dawn to dusk no frame is due."""
    expose(corral, DUSK - timedelta(hours=20))
    assert told(corral, datetime(2026, 11, 22, hour, tzinfo=UTC)) == 0


def test_telescope_that_was_quiet_for_long_is_closed(corral):
    """Or has never been opened."""
    assert told(corral, DUSK + 60 * MINUTE) == 0
    expose(corral, DUSK - timedelta(days=9))
    assert told(corral, DUSK + 60 * MINUTE) == 0
    expose(corral, DUSK - timedelta(days=5))
    assert told(corral, DUSK + 60 * MINUTE) == 1


def test_frame_of_the_future_is_no_sign_of_life(corral):
    """A camera whose clock is years ahead must not keep the switch from closing."""
    expose(corral, DUSK - timedelta(hours=20))
    expose(corral, DUSK + timedelta(days=900))
    assert told(corral, DUSK + 60 * MINUTE) == 1


def test_profile_says_how_long_and_how_dark(tmp_path):
    """In a section of its own; 0 minutes is never."""
    text = (SHIPPED / "toritos.toml").read_text()
    counts = []
    for name, section in {
        "off": "minutes = 0",
        "patient": "minutes = 120",
        "early": "sun_altitude_deg = -1",
    }.items():
        (tmp_path / f"{name}.toml").write_text(f"{text}\n[freshness]\n{section}\n")
        pipeline = {"profile": name, "profiles": str(tmp_path)}
        corral = Corral(Settings.below(tmp_path / name, pipeline=pipeline))
        expose(corral, DUSK - timedelta(hours=20))
        counts.append([told(corral, DUSK + minutes * MINUTE) for minutes in (10, 60, 125)])
        corral.close()
    assert counts == [[0, 0, 0], [0, 0, 1], [1, 1, 1]]
