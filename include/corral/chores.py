"""The parts of a sweep that every pipeline has, and the sweeps made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.corral.audit import audit, scrub
from include.corral.disk import rooms
from include.corral.drain import drain
from include.corral.ledger import OpenRun, release_dead
from include.corral.observe import observe, observed
from include.corral.orphans import remove_orphans
from include.corral.outbox import enqueue_row
from include.corral.promises_work import oldest_due, oldest_open
from include.corral.sweep import Found, Notice, Part, Sweep, Watch, alert_of
from include.corral.trigger import Trigger
from include.corral.unit_watch import failure_burst, stuck_units
from include.corral.violation import Violation
from models.frame import Rejection
from models.work import StepRun, Unit, UnitStatus

LISTED = 20


def dead_triggers(watch: Watch) -> Found:
    """Close triggers that died without a word, and give back what they held; all are told of."""
    corral = watch.corral
    with corral.read() as session:
        running = select(StepRun.step).where(StepRun.is_running(), StepRun.id != watch.step_run_id)
        claimed = select(Unit.step).where(Unit.is_(UnitStatus.CLAIMED))
        steps = sorted(set(session.scalars(running)) | set(session.scalars(claimed)))
    released = 0
    for step in steps:
        with corral.write() as session:
            released += release_dead(session, OpenRun(watch.step_run_id, step, None, Trigger()))
    return Found(f"{released} unit(s) of dead processes are open again" if released else "")


def alert_rules(watch: Watch) -> Found:
    """Drain the alerts of the pipeline: for each row that calls for one there is a message."""
    told = 0
    for rule in watch.sweep.rules:
        report = drain(watch.corral, rule())
        report.raise_for_policy()
        told += report.outputs["alert"]
    return Found(f"{told} new message(s)" if told else "")


def waiting_files(watch: Watch) -> Found:
    """Tell of files that count as still arriving and have not changed for too long."""
    with watch.corral.write() as session:
        waiting = {row.path: row for row in _waiting(session)}
        stamps = {path: row.stamp for path, row in waiting.items()}
        seen = observe(session, watch.step_run_id, "waiting", stamps)
    deadline = watch.now - timedelta(hours=watch.parameters["wait_deadline_h"])
    late: dict[str, list[Rejection]] = {}
    for path, row in waiting.items():
        if seen[path].since <= deadline:
            late.setdefault(row.reason, []).append(row)
    notices = [_waiting_notice(watch, reason, files) for reason, files in sorted(late.items())]
    return Found(f"{len(waiting)} file(s) wait" if waiting else "", notices)


def _waiting(session: Session) -> Iterator[Rejection]:
    """Files that are still refused, for now."""
    still = (Rejection.resolved_at.is_(None), Rejection.verdict == "WAIT")
    yield from session.scalars(select(Rejection).where(*still).order_by(Rejection.path))


def _waiting_notice(watch: Watch, reason: str, files: Sequence[Rejection]) -> Notice:
    hours = watch.parameters["wait_deadline_h"]
    lines = [f"{row.path}: {row.evidence}" for row in files[:LISTED]]
    lines += [f"… and {len(files) - LISTED} more"] if len(files) > LISTED else []
    return Notice(
        key=f"waiting-{reason}-{watch.now.date()}",
        subject=f"{len(files)} file(s) of the inbox not whole for {hours:g} h: {reason}",
        body="\n".join(
            [
                "These files came in part and have not changed since. Nothing was done with them; "
                "they are looked at again when they change. Send them again, or remove them.",
                "",
                *lines,
            ]
        ),
    )


def free_space(watch: Watch) -> Found:
    """Tell, once a day and level, of disks that will be full before long."""
    state = rooms(watch.corral.settings)
    notices = [
        Notice(
            key=f"disk-{level}-{names}-{watch.now.date()}",
            subject=f"disk of {names}: {room}",
            body=f"The disk that holds {names} has {room}. When it is full, units fail as "
            "retryable and nothing half-written can be seen; nothing is lost. Free some room.",
            severity=level,
        )
        for names, room in state.items()
        if (level := room.level(watch.parameters)) is not None
    ]
    note = "; ".join(f"{names}: {room}" for names, room in state.items()) if notices else ""
    return Found(note, notices)


def unworked(watch: Watch) -> Found:
    """Note since when changes and open units lie; the audit says when it is too long."""
    with watch.corral.write() as session:
        observe(session, watch.step_run_id, "due", oldest_due(session))
        observe(session, watch.step_run_id, "open", oldest_open(session))
    return Found()


def broken_promises(watch: Watch) -> Found:
    """Audit all rows, and the sizes of all files."""
    found = audit(watch.corral, deep=False, promises=watch.sweep.promises)
    return _told(watch, "audit", found)


def altered_files(watch: Watch) -> Found:
    """Compare hashes of files for some minutes, going on where the last sweep ended."""
    corral = watch.corral
    with corral.read() as session:
        seen = observed(session, "scrub")
    after = int(seen["product"].stamp) if seen else 0
    seconds = 60 * watch.parameters["scrub_minutes"]
    violations, last = scrub(corral, after=after, seconds=seconds)
    found = _told(watch, "scrub", violations)
    # With the mark that says how far it came, or a death between the two would hide them.
    with corral.write() as session:
        observe(session, watch.step_run_id, "scrub", {"product": str(last)})
        for notice in found.notices:
            enqueue_row(session, alert_of(notice, rule=altered_files.__name__))
    return found


def _told(watch: Watch, what: str, violations: Sequence[Violation]) -> Found:
    if not violations:
        return Found()
    counts: dict[str, int] = {}
    for violation in violations:
        counts[violation.invariant] = counts.get(violation.invariant, 0) + 1
    kinds = ", ".join(f"{number} of {name}" for name, number in sorted(counts.items()))
    lines = [str(violation) for violation in violations[:LISTED]]
    notice = Notice(
        key=f"{what}-{watch.now.date()}",
        subject=f"{what}: {len(violations)} violation(s): {kinds}",
        body="\n".join(
            ["Promises of the ledger that do not hold (`corral audit` names all):", "", *lines]
        ),
        severity="critical",
    )
    return Found(f"{len(violations)} violation(s): {kinds}", [notice])


def orphan_files(watch: Watch) -> Found:
    """Remove what dead processes have left in the store."""
    cleared = remove_orphans(
        watch.corral,
        watch.step_run_id,
        now=watch.now,
        grace=timedelta(hours=watch.parameters["orphan_grace_h"]),
        at_most=watch.parameters["orphans_at_most"],
    )
    parts = [
        f"{len(cleared.removed)} removed" if cleared.removed else "",
        f"{cleared.kept} not old enough" if cleared.kept else "",
        f"{cleared.strange} strange and left alone" if cleared.strange else "",
    ]
    return Found(", ".join(part for part in parts if part))


class LightSweep(Sweep):
    """The dead are closed, and what calls for a person is told of; for every few minutes."""

    parts: ClassVar[Sequence[Part]] = (
        dead_triggers,
        alert_rules,
        waiting_files,
        free_space,
        failure_burst,
        stuck_units,
        unworked,
    )
    parameters = {
        "wait_deadline_h": 2.0,
        "warning_free_gb": 100.0,
        "warning_free_fraction": 0.10,
        "critical_free_gb": 20.0,
        "critical_free_fraction": 0.02,
        "burst_failures": 25,
        "burst_fraction": 0.2,
        "stuck_h": 2.0,
    }


class DeepSweep(Sweep):
    """Rows and files agree, and what the dead have left is gone; for once a day."""

    parts: ClassVar[Sequence[Part]] = (broken_promises, altered_files, orphan_files)
    parameters = {
        "scrub_minutes": 30.0,
        "orphan_grace_h": 12.0,
        "orphans_at_most": 1000,
    }
