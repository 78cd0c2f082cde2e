"""The end of a night: its report is written, and somebody is told how it stands.

A night is told of when it is over, at noon of the site, and nothing of it is being worked on; or
some hours later whatever may hang. It is told of again when late frames or mended failures have
changed it, however old it is.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, or_, select, union
from sqlalchemy.orm import Session

from include.corral.observe import observe, observed
from include.corral.outbox import enqueue
from include.corral.sweep import Found, Watch
from include.corral.whole_file import write_whole
from include.toritos.instrument import profile_name, profile_of
from include.toritos.report.facts import NightFacts
from include.toritos.report.gather import gather, night_ends
from include.toritos.report.needs import headline
from include.toritos.report.page import report_html
from include.toritos.report.text import report_text
from models.alert import Alert
from models.frame import Frame
from models.site import Night
from models.work import StepRun, Unit, UnitRun, UnitStatus

if TYPE_CHECKING:
    from include.ccd.profile import Profile

DONE, INCOMPLETE = "NightDone", "NightIncomplete"
TOPIC = "night_end"
# Under this key lie the last trigger and attempt that were looked at; all others are nights.
LAST = "last"
# Between the tasks of a branch nothing runs for some seconds.
SETTLED = timedelta(minutes=5)
DAY = timedelta(days=1)
PARAMETERS = {"night_deadline_h": 3.0, "nights_at_most": 4}


def ended_nights(watch: Watch) -> Found:
    """Report the nights that were worked on and are over; each change of one is told of once.

    If the process dies inside, the next sweep looks at the same nights again; a message that is
    in the outbox already is not made twice.
    """
    pending, last = _pending(watch)
    over = [night for night, since in pending.items() if _is_over(watch, night, since)]
    some = sorted(over, reverse=True)[: watch.parameters["nights_at_most"]]
    told = [night for night in some if _report(watch, night)]
    stamps = {LAST: last} | {night: "" for night in pending if night not in some}
    with watch.corral.write() as session:
        observe(session, watch.step_run_id, TOPIC, stamps)
    return Found(f"told of {', '.join(told)}" if told else "")


def _pending(watch: Watch) -> tuple[dict[str, datetime], str]:
    """Nights that were worked on and not reported since, since when; and how far was looked."""
    with watch.corral.read() as session:
        seen = observed(session, TOPIC)
        mark = seen.pop(LAST, None)
        ends = [session.scalar(select(func.max(model.id))) or 0 for model in (StepRun, UnitRun)]
        nights = _triggered(session, mark.stamp if mark else None, watch.now)
        nights |= _untold(session, watch.now, _profile(watch))
    last = " ".join(str(end) for end in ends)
    return dict.fromkeys(nights, watch.now) | {key: row.since for key, row in seen.items()}, last


def _triggered(session: Session, mark: str | None, now: datetime) -> set[str]:
    """Nights that a trigger was for since the mark, or an attempt of a trigger for all nights."""
    if mark is None:
        # Of an installation that has run for years, the first look does not tell of every night.
        new = (StepRun.started_at > now - DAY, UnitRun.ended_at > now - DAY)
    else:
        run_id, unit_run_id = (int(number) for number in mark.split())
        new = (StepRun.id > run_id, UnitRun.id > unit_run_id)
    triggers = select(StepRun.partition).where(new[0])
    attempts = select(Unit.partition).join(UnitRun, UnitRun.unit_id == Unit.id).where(new[1])
    return {key for key in session.scalars(union(triggers, attempts)) if _is_night(key)}


def _is_night(key: str) -> bool:
    try:
        return date.fromisoformat(key).isoformat() == key
    except ValueError:
        return False


def _untold(session: Session, now: datetime, profile: Profile) -> set[str]:
    """The last night, where it has frames and nobody was told: its tasks may never have begun."""
    night = now.date()
    while night_ends(night, profile) > now:
        night -= timedelta(days=1)
    key = night.isoformat()
    return {key} if _has_frames(session, night) and _last_told(session, key) is None else set()


def _has_frames(session: Session, night: date) -> bool:
    frames = exists().where(Frame.night_id == Night.id)
    return session.scalar(select(Night.id).where(Night.date == night, frames).limit(1)) is not None


def _is_over(watch: Watch, night: str, since: datetime) -> bool:
    """Tell whether a night has ended and is at rest, or has waited for that long enough."""
    end = night_ends(date.fromisoformat(night), _profile(watch))
    if watch.now < end:
        return False
    patience = timedelta(hours=watch.parameters["night_deadline_h"])
    return watch.now >= max(end, since) + patience or not _is_worked_on(watch, night)


def _is_worked_on(watch: Watch, night: str) -> bool:
    """Tell whether a unit is open or held, or a trigger running, or one was just now."""
    undone = or_(Unit.is_(UnitStatus.OPEN), Unit.is_(UnitStatus.CLAIMED))
    just_now = watch.now - SETTLED
    lately = or_(StepRun.is_running(), StepRun.ended_at > just_now)
    with watch.corral.read() as session:
        units = select(Unit.id).where(Unit.partition == night, undone)
        runs = select(StepRun.id).where(StepRun.partition == night, lately)
        return any(session.scalar(query.limit(1)) is not None for query in (units, runs))


def _report(watch: Watch, night: str) -> bool:
    """Write the report of a night, and put it into the outbox unless it says what it said last."""
    settings, day = watch.corral.settings, date.fromisoformat(night)
    with watch.corral.read() as session:
        facts = gather(session, settings, day)
        is_first = facts.is_empty and _has_frames(session, day - timedelta(days=1))
    if facts.is_empty and not is_first:
        return False  # of a closed telescope nobody is told each day
    where = _write(watch, facts)
    with watch.corral.write() as session:
        return _tell(session, watch, facts, where) is not None


def _write(watch: Watch, facts: NightFacts) -> str:
    """Write the page, and say where it is; a full disk does not keep anybody from being told."""
    path = watch.corral.settings.reports / facts.page_name
    try:
        write_whole(path, report_html(facts).encode())
    except OSError as error:
        return f"The page could not be written: {error}"
    address = watch.corral.settings.pipeline.get("report_url")
    return f"With plots: {address.rstrip('/') + '/' + path.name if address else path}"


def _tell(session: Session, watch: Watch, facts: NightFacts, where: str) -> int | None:
    night = facts.first.isoformat()
    last = _last_told(session, night)
    digest = facts.digest()
    if last is not None and last.context.get("digest") == digest:
        return None
    rule = INCOMPLETE if facts.missing else DONE
    return enqueue(
        session,
        # Two that look at once make the same key, and one of them is refused.
        dedup_key=f"{rule}:{night} after {last.id if last else 0}",
        topic=f"{rule}:{night}",
        rule=rule,
        subject=f"[corral] night {night} {headline(facts)}",
        body=f"{report_text(facts)}\n{where}\n",
        severity="warning" if facts.missing else "info",
        partition=night,
        channels=watch.sweep.channels,
        context={"digest": digest, "report": facts.page_name},
    )


def _last_told(session: Session, night: str) -> Alert | None:
    query = select(Alert).where(Alert.partition == night, Alert.rule.in_((DONE, INCOMPLETE)))
    return session.scalars(query.order_by(Alert.id.desc()).limit(1)).first()


def _profile(watch: Watch) -> Profile:
    settings = watch.corral.settings
    return profile_of(profile_name(settings), settings)
