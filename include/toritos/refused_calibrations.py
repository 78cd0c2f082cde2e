"""Calibrations of which no master can be made: somebody is told before the science is reduced."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from include.corral.errors import FailureClass
from include.corral.sweep import Found, Notice, Watch
from include.toritos.report.words import counted, short
from models.work import Unit, UnitRun, UnitStatus

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MASTERS = ("MasterBias", "MasterDark", "MasterFlat")
REFUSED_PARAMETERS = {"refused_h": 1.0}


def refused_calibrations(watch: Watch) -> Found:
    """Tell, once for a night and the same frames, of masters that were refused, with the reasons.

    Too few frames may become enough: of these it is told when none has come for an hour. It is told
    again when other frames, another profile or another version are refused as well.
    """
    settled = watch.now - timedelta(hours=watch.parameters["refused_h"])
    with watch.corral.read() as session:
        found = list(_refused(session, settled))
    nights: dict[str, list[tuple[Unit, str]]] = {}
    for unit, reason in found:
        nights.setdefault(unit.partition, []).append((unit, reason))
    notices = [_notice(night, refused) for night, refused in sorted(nights.items())]
    return Found(f"{counted(len(found), 'master')} refused" if found else "", notices)


def _refused(session: Session, settled: datetime) -> Iterable[tuple[Unit, str]]:
    last = (
        select(func.max(UnitRun.id))
        .where(UnitRun.unit_id == Unit.id, UnitRun.failure_class.is_not(None))
        .correlate(Unit)
        .scalar_subquery()
    )
    query = (
        select(Unit, UnitRun.message)
        .join(UnitRun, UnitRun.id == last)
        .where(Unit.step.in_(MASTERS), Unit.is_(UnitStatus.FAILED))
        .where(UnitRun.failure_class != FailureClass.RETRY, Unit.retry_at.is_(None))
        .where(
            or_(
                UnitRun.failure_class != FailureClass.UPSTREAM_MISSING,
                UnitRun.ended_at <= settled,
            )
        )
        .order_by(Unit.step, Unit.id)
    )
    for unit, message in session.execute(query):
        yield unit, short(message, 300)


def _notice(night: str, refused: list[tuple[Unit, str]]) -> Notice:
    wanted = "-".join(f"{unit.id}.{unit.fingerprint[:12]}" for unit, _ in refused)
    first, reason = refused[0]
    return Notice(
        key=f"calibration-{night}-{wanted}",
        subject=f"night {night}: {counted(len(refused), 'master')} refused: {first.step}: {reason}",
        body="\n".join(
            [
                "No master is made of these calibration frames:",
                "",
                *(
                    f"{unit.step}, {counted(len(unit.row_ids), 'frame')}: {why}"
                    for unit, why in refused
                ),
                "",
                "What needs one takes that of another night as the profile allows, flagged, or",
                "waits. Mend or veto frames (`CORRAL_CORRECTIONS`), or take others: the master is",
                f"made by itself then. `corral status --night {night}` shows how it stands.",
            ]
        ),
        partition=night,
    )
