"""The facts of a night, read from rows alone: neither frames nor products are opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from include.corral.settings import Settings
from include.toritos.account import account
from include.toritos.instrument import profile_name, profile_of
from include.toritos.report.facts import (
    Exposures,
    Files,
    Measured,
    NightFacts,
    NightLine,
    Refusal,
    Start,
    Tally,
)
from include.toritos.report.missing import find_missing, find_notes
from include.toritos.report.products import find_checks, find_images, find_masters, find_turned_down
from include.toritos.report.sky import find_candidates, find_curves, find_unplaced
from include.toritos.report.standing import find_alerts, find_standing
from include.toritos.report.words import short
from models.correction import Correction
from models.frame import Frame, Rejection
from models.session import database_now
from models.site import Night

if TYPE_CHECKING:
    from include.ccd.profile import Profile

KINDS = ("bias", "dark", "flat", "science", "unknown")
# A night of one-second exposures must not fill the memory of a small machine.
REFUSALS = 500


@dataclass(frozen=True, slots=True)
class Span:
    """Nights from noon to noon of the site, and the rows they have."""

    first: date
    last: date
    begins: datetime
    ends: datetime
    night_ids: Sequence[int]


def night_ends(night: date, profile: Profile) -> datetime:
    """Give the noon at the site that ends a night."""
    return datetime.combine(night + timedelta(days=1), time(12), ZoneInfo(profile.site.timezone))


def gather(
    session: Session, settings: Settings, first: date, last: date | None = None
) -> NightFacts:
    """Read what a report of one night, or of a range of nights, tells.

    Parameters
    ----------
    session
        For reading.
    settings
        Of the installation, for the site and what its profile expects of a night.
    first, last
        Nights, both ends included; one night when `last` is left out.

    Returns
    -------
    NightFacts
        Of a night that nothing is known of, too.

    Raises
    ------
    ConfigurationError
        If the installation's profile cannot be read.
    """
    profile = profile_of(profile_name(settings), settings)
    span = _span(session, profile, first, last or first)
    frames = _frames(session, span)
    images = find_images(session, span.night_ids)
    return NightFacts(
        first=span.first,
        last=span.last,
        site=profile.site.name,
        cameras=tuple(sorted({short(row.camera, 40) for row in frames})),
        made_at=database_now(session.connection()),
        exposures=_exposures(frames),
        starts=tuple(Start(row.kind, row.observed_at) for row in frames),
        files=_files(session, span),
        refusals=_refusals(session, span),
        set_aside=_set_aside(session, span),
        corrected=_corrected(session, span),
        masters=find_masters(session, span.night_ids),
        turned_down=find_turned_down(session, span.night_ids),
        images=images,
        checks=find_checks(session, span.night_ids),
        unplaced=find_unplaced(session, span.night_ids),
        standing=find_standing(session, span.first, span.last),
        missing=find_missing(session, span.night_ids, profile),
        notes=find_notes(session, span.night_ids),
        alerts=find_alerts(session, span.first, span.last, span.begins, span.ends),
        candidates=find_candidates(session, span.night_ids),
        curves=find_curves(session, span.night_ids),
        nights=_nights(frames, images) if span.first != span.last else (),
    )


def _span(session: Session, profile: Profile, first: date, last: date) -> Span:
    nights = select(Night.id).where(Night.date.between(first, last)).order_by(Night.id)
    begins = night_ends(first - timedelta(days=1), profile)
    ids = list(session.scalars(nights))
    return Span(first, last, begins, night_ends(last, profile), ids)


def _frames(session: Session, span: Span) -> Sequence[Any]:
    """Accepted frames in their order; of what an observer wrote no more than can be shown."""
    query = (
        select(
            Night.date.label("night"),
            Frame.kind,
            Frame.filter,
            func.substr(Frame.object, 1, 200).label("object"),
            Frame.exptime_s,
            Frame.observed_at,
            Frame.camera,
        )
        .join(Night, Frame.night_id == Night.id)
        .where(Frame.night_id.in_(span.night_ids), Frame.accepted)
        .order_by(Frame.observed_at, Frame.id)
    )
    return session.execute(query).all()


def _exposures(frames: Sequence[Any]) -> tuple[Exposures, ...]:
    groups: dict[tuple[str, str, str], list[Any]] = {}
    for row in frames:
        name = short(row.object) if row.kind == "science" else ""
        groups.setdefault((row.kind, short(row.filter, 20), name), []).append(row)
    order = {kind: place for place, kind in enumerate(KINDS)}
    return tuple(
        Exposures(
            kind=kind,
            filter=band,
            object=name,
            number=len(rows),
            total_s=sum(row.exptime_s or 0.0 for row in rows),
            first_at=rows[0].observed_at,
            last_at=rows[-1].observed_at,
        )
        for (kind, band, name), rows in sorted(
            groups.items(), key=lambda group: (order.get(group[0][0], len(order)), group[0])
        )
    )


def _files(session: Session, span: Span) -> Files:
    """The account of the nights' files, and of those without a night that came meanwhile."""
    seen, registered = 0, 0
    rejected: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    for offset in range((span.last - span.first).days + 1):
        night = span.first + timedelta(days=offset)
        for row in account(session, night.isoformat()):
            seen, registered = seen + row.seen, registered + row.registered
            rejected += row.rejected
            waiting += row.waiting
    for verdict, reason, number in session.execute(_nameless(span)):
        (waiting if verdict == "WAIT" else rejected)[reason] += number
        seen += number
    return Files(seen, registered, _tallies(rejected), _tallies(waiting))


def _nameless(span: Span) -> Any:
    return (
        select(Rejection.verdict, Rejection.reason, func.count())
        .where(_is_nameless(span), Rejection.resolved_at.is_(None))
        .group_by(Rejection.verdict, Rejection.reason)
    )


def _is_nameless(span: Span) -> Any:
    """Files whose header tells no night belong to the one in which they were refused."""
    return and_(Rejection.night_id.is_(None), Rejection.rejected_at.between(span.begins, span.ends))


def _refusals(session: Session, span: Span) -> tuple[Refusal, ...]:
    query = (
        select(Rejection)
        .where(
            or_(Rejection.night_id.in_(span.night_ids), _is_nameless(span)),
            Rejection.resolved_at.is_(None),
        )
        .order_by(Rejection.verdict, Rejection.reason, Rejection.path)
        .limit(REFUSALS)
    )
    return tuple(
        Refusal(short(row.path, 120), row.verdict, short(row.reason), short(row.evidence, 160))
        for row in session.scalars(query)
    )


def _set_aside(session: Session, span: Span) -> tuple[Tally, ...]:
    query = (
        select(Frame.set_aside, func.count())
        .where(Frame.night_id.in_(span.night_ids), ~Frame.accepted)
        .group_by(Frame.set_aside)
    )
    return _tallies(Counter({reason or "": number for reason, number in session.execute(query)}))


def _corrected(session: Session, span: Span) -> int:
    query = (
        select(func.count(Correction.frame_id.distinct()))
        .join(Frame, Correction.frame_id == Frame.id)
        .where(Frame.night_id.in_(span.night_ids), Correction.withdrawn_at.is_(None))
    )
    return session.scalar(query) or 0


def _tallies(counts: Counter[str]) -> tuple[Tally, ...]:
    return tuple(Tally(short(what), number) for what, number in sorted(counts.items()))


def _nights(frames: Sequence[Any], images: Sequence[Measured]) -> tuple[NightLine, ...]:
    counts = Counter(row.night.isoformat() for row in frames)
    by_night: dict[str, list[Measured]] = {night: [] for night in counts}
    for image in images:
        by_night.setdefault(image.night, []).append(image)
    return tuple(
        NightLine(
            night=night,
            frames=counts[night],
            images=len(rows),
            bad=sum(1 for row in rows if row.verdict == "bad"),
            median_fwhm_px=_median([row.fwhm_px for row in rows]),
        )
        for night, rows in sorted(by_night.items())
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
