"""Masters that cannot be made are told of, with the reasons, once for the same frames."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from include.corral.drain import drain
from include.corral.sweep import sweep
from include.toritos.refused_calibrations import refused_calibrations
from include.toritos.steps import MasterBias, MasterFlat
from include.toritos.sweeps import ToritosSweep
from models import Alert

NIGHT = date(2026, 11, 20).isoformat()


class Guard(ToritosSweep):
    """The one part."""

    name = "Guard"
    parts = (refused_calibrations,)


def look(station, hours: float = 2.0) -> list[Alert]:
    """The messages that are new, so long after."""
    with station.corral.read() as session:
        known = set(session.scalars(select(Alert.id)))
    clock = datetime.now(UTC) + timedelta(hours=hours)
    assert sweep(station.corral, Guard(clock=lambda: clock)).report.failures == []
    with station.corral.read() as session:
        return list(session.scalars(select(Alert).where(Alert.id.not_in(known))))


def work(station) -> None:
    station.load()
    for step in (MasterBias(), MasterFlat()):
        drain(station.corral, step, partition=NIGHT)


def test_refused_master_is_told_of_once_and_again_for_other_frames(both) -> None:
    """When no more frames come; two that are too few are another case than one."""
    both.put("bias-1.fits", pixels=1)
    work(both)
    assert look(both, hours=0.0) == []
    (alert,) = look(both)
    assert (alert.rule, alert.severity) == ("refused_calibrations", "warning")
    assert alert.partition == NIGHT
    assert alert.subject.startswith(f"[corral] night {NIGHT}: 1 master refused: MasterBias: ")
    assert "MasterBias, 1 frame: TooFewFrames: master bias: 1 usable frames, 3 needed" in alert.body
    work(both)
    assert look(both) == []
    both.put("bias-2.fits", pixels=2)
    work(both)
    (alert,) = look(both)
    assert "MasterBias, 2 frames: TooFewFrames: master bias: 2 usable frames" in alert.body


def test_masters_of_a_night_are_one_message(both) -> None:
    """All reasons are in it."""
    both.put("bias-1.fits", pixels=1)
    both.put("flat-1.fits", kind="flat", pixels=2)
    work(both)
    (alert,) = look(both)
    assert "2 masters refused" in alert.subject
    assert "MasterBias, 1 frame: " in alert.body
    assert "MasterFlat, 1 frame: " in alert.body


def test_masters_that_are_made_are_not_told_of(both) -> None:
    """Nor are nights without any."""
    assert look(both) == []
    for pixels in range(3):
        both.put(f"bias-{pixels}.fits", pixels=pixels)
    work(both)
    assert look(both) == []


@pytest.mark.parametrize("enough", [3, 5])
def test_master_that_is_mended_is_forgotten(both, enough) -> None:
    """More frames came."""
    both.put("bias-0.fits", pixels=0)
    work(both)
    assert len(look(both)) == 1
    for pixels in range(1, enough):
        both.put(f"bias-{pixels}.fits", pixels=pixels)
    work(both)
    assert look(both) == []
