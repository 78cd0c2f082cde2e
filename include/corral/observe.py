"""Since when something has been as it is: counted by the database's clock, from sweep to sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from models.observation import Observation
from models.statements import among
from models.work import StepRun


@dataclass(frozen=True, slots=True)
class Seen:
    """How something is, and which trigger first saw it so, and when."""

    stamp: str
    step_run_id: int
    since: datetime


def observe(
    session: Session, step_run_id: int, topic: str, now: Mapping[str, str]
) -> dict[str, Seen]:
    """Write down how everything of a topic is now, and give since when it has been so.

    What is not there any more is forgotten; what has changed is as new.

    Parameters
    ----------
    session
        A writing session.
    step_run_id
        The trigger that looks.
    topic
        Under which it looks.
    now
        Key to stamp, of all that is there.

    Returns
    -------
    dict
        By key, of all that is there.
    """
    before = observed(session, topic)
    changed = {key for key, stamp in now.items() if key in before and before[key].stamp != stamp}
    _forget(session, topic, changed | (before.keys() - now.keys()))
    fresh = [key for key in now if key not in before or key in changed]
    if fresh:
        rows = [
            {"topic": topic, "key": key, "stamp": now[key], "step_run_id": step_run_id}
            for key in fresh
        ]
        session.execute(insert(Observation), rows)
    return observed(session, topic)


def observed(session: Session, topic: str) -> dict[str, Seen]:
    """Give what the last look at a topic left, by key."""
    return dict(_rows(session, topic))


def _rows(session: Session, topic: str) -> Iterator[tuple[str, Seen]]:
    query = (
        select(Observation.key, Observation.stamp, Observation.step_run_id, StepRun.started_at)
        .join(StepRun, Observation.step_run_id == StepRun.id)
        .where(Observation.topic == topic)
    )
    for key, stamp, step_run_id, since in session.execute(query):
        yield key, Seen(stamp, step_run_id, since)


def _forget(session: Session, topic: str, keys: set[str]) -> None:
    forgotten = delete(Observation).where(Observation.topic == topic, among(Observation.key, keys))
    session.execute(forgotten.execution_options(synchronize_session=False))
