"""Which frames a new fact bears on: those whose beliefs must be settled again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, String, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from include.toritos.corrections import Entry
from models.columns import path_text
from models.correction import Correction
from models.frame import Frame, Sighting
from models.site import Night
from models.statements import among

LAST = chr(0x10FFFF)


def twins(session: Session, pixels: Iterable[str | None]) -> set[int]:
    """Give the frames that share one of these pixel digests with another frame."""
    known = {each for each in pixels if each is not None}
    shared = select(Frame.pixel_sha256).where(among(Frame.pixel_sha256, known))
    shared = shared.group_by(Frame.pixel_sha256).having(func.count() > 1)
    query = select(Frame.id).where(Frame.pixel_sha256.in_(shared.scalar_subquery()))
    return set(session.scalars(query)) if known else set()


def spoken_of(
    session: Session, entries: Iterable[Entry], frame_ids: Collection[int] | None
) -> set[int]:
    """Give the frames that corrections may speak of; too many do no harm.

    Parameters
    ----------
    session
        For reading.
    entries
        The corrections.
    frame_ids
        Frames that no correction stands for yet; None for all there are, and those corrected.
    """
    found: set[int] = set()
    for entry in entries:
        query = select(Frame.id).where(*_may_hold(entry))
        if frame_ids is not None:
            query = query.where(among(Frame.id, frame_ids))
        found |= set(session.scalars(query))
    if frame_ids is None:
        standing = select(Correction.frame_id).where(Correction.withdrawn_at.is_(None))
        found |= set(session.scalars(standing))
    return found


def _may_hold(entry: Entry) -> list[ColumnElement[bool]]:
    """Give conditions that hold for every uncorrected frame for which the entry holds."""
    conditions: list[ColumnElement[bool]] = [
        getattr(Frame, name) == value
        for name in ("kind", "filter", "camera")
        if (value := getattr(entry, name)) is not None
    ]
    if entry.night is not None:
        nights = select(Night.id).where(Night.date == entry.night)
        conditions.append(Frame.night_id.in_(nights))
    if entry.sha256:
        conditions.append(or_(*(Frame.sha256.startswith(digits) for digits in entry.sha256)))
    if entry.path is not None:
        first = path_text(re.split(r"[*?\[]", entry.path, maxsplit=1)[0])
        path = type_coerce(Sighting.path, String)
        seen = select(Sighting.frame_id).where(path.between(first, first + LAST))
        conditions.append(Frame.id.in_(seen))
    return conditions
