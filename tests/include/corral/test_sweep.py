"""A sweep looks at everything, records it, and tells of a thing once."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from include.corral import alert as rules
from include.corral.audit import audit
from include.corral.chores import DeepSweep, LightSweep, altered_files
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import ConfigurationError, FailureClass
from include.corral.ledger import open_run
from include.corral.settings import Settings
from include.corral.sweep import Found, Notice, Sweep, Watch, sweep
from include.corral.trigger import Trigger
from include.corral.violation import Violation
from models import Alert, Observation, Product, Rejection, StepRun, Unit, UnitRun
from tests.include.corral.lab import Calibrate, Pebble, Weigh, add_frames, add_pebbles, make_tables

ROOMY = {"warning_free_gb": 0.0, "critical_free_gb": 0.0}


@pytest.fixture
def local(tmp_path) -> Iterator[Corral]:
    """As the lab, on SQLite alone: for what the kind of database has no part in."""
    corral = Corral(Settings.below(tmp_path))
    make_tables(corral)
    yield corral
    corral.close()


def later(hours: float):
    return lambda: datetime.now(UTC) + timedelta(hours=hours)


def alerts(corral: Corral) -> list[Alert]:
    with corral.read() as session:
        return list(session.scalars(select(Alert).order_by(Alert.id)))


def light(corral: Corral, hours: float = 0.0, **parameters):
    return sweep(corral, LightSweep(clock=later(hours), **(ROOMY | parameters)))


def seen(watch: Watch) -> Found:
    return Found("seen", [Notice(key="k", subject="s\r\n", body="b")], ["2026-11-20"])


def faulty(watch: Watch) -> Found:
    raise ConfigurationError("no such folder")


class Patrol(Sweep):
    parts = (faulty, seen)


def test_part_that_fails_leaves_the_others_and_is_on_record(lab: Corral) -> None:
    """As any unit of work: who asked, what came of it, why it failed."""
    report = sweep(lab, Patrol(), trigger=Trigger(dag_id="toritos_sweep"))
    (failure,) = report.report.failures
    assert (failure.unit_key, failure.failure_class) == ("faulty", FailureClass.CONFIGURATION)
    assert report.lines() == ["seen: seen"]
    assert (report.alerts, report.partitions) == (1, ["2026-11-20"])
    with lab.read() as session:
        run = session.scalars(select(StepRun)).one()
        ended = Counter(session.scalars(select(UnitRun.outcome)))
    assert (run.step, run.dag_id, run.outcome) == ("Patrol", "toritos_sweep", "failed")
    assert ended == {"done": 1, "failed": 1}


def test_thing_is_told_of_once_and_looked_at_each_time(lab: Corral) -> None:
    """The key decides; the failure of the last sweep does not stand in the way of the next."""
    assert [sweep(lab, Patrol()).alerts for _ in range(3)] == [1, 0, 0]
    (alert,) = alerts(lab)
    assert (alert.rule, alert.subject) == ("seen", "[corral] s")
    with lab.read() as session:
        assert session.scalars(select(UnitRun.outcome)).all().count("failed") == 3


def test_sweep_that_was_interrupted_is_done_by_the_next(local: Corral) -> None:
    """Its parts are claimed by a trigger that has ended; nothing waits for it."""

    def stop(watch: Watch) -> Found:
        raise KeyboardInterrupt

    class Stopped(Sweep):
        name = "Patrol"
        parts = (stop, seen)

    with pytest.raises(KeyboardInterrupt):
        sweep(local, Stopped())
    assert sweep(local, Patrol()).alerts == 1


def test_what_a_killed_process_held_is_open_again_and_told_of(lab: Corral, start) -> None:
    """In one transaction with the record of its death, and once."""
    add_pebbles(lab, range(3))
    assert start("Weigh", die="process").end() == -signal.SIGKILL
    assert [violation for violation in audit(lab) if violation.invariant == "I17"] == []
    light(lab)
    with lab.read() as session:
        assert Counter(session.scalars(select(Unit.status).where(Unit.step == "Weigh"))) == {
            "open": 3
        }
        run = session.scalars(select(StepRun).where(StepRun.step == "Weigh")).one()
        (lost,) = session.scalars(select(UnitRun).where(UnitRun.outcome == "lost"))
    assert (run.outcome, run.ended_at is not None) == ("lost", True)
    (alert,) = alerts(lab)
    assert (alert.rule, alert.context) == ("lost", {"step_run_id": run.id, "units": [lost.unit_id]})
    assert "ended without a word" in alert.body
    assert "open again (lost 1 time(s), fence 1)" in alert.body
    light(lab)
    assert drain(lab, Weigh()).done == 3
    assert len(alerts(lab)) == 1
    assert audit(lab) == []


def test_trigger_without_units_that_died_is_told_of_too(lab: Corral) -> None:
    """On a machine that nobody can ask: its lease is over. One that is alive is left in peace."""
    dead = open_run(lab, Calibrate(), "2026-11-20", Trigger(dag_id="night"))
    alive = open_run(lab, Calibrate(), None, Trigger())
    with lab.write() as session:
        gone = {"host": "elsewhere", "lease_until": datetime(2020, 1, 1, tzinfo=UTC)}
        session.execute(update(StepRun).where(StepRun.id == dead.id).values(gone))
    light(lab)
    (alert,) = alerts(lab)
    assert "no sign of life from elsewhere" in alert.body
    assert "It held no unit of work." in alert.body
    assert (alert.severity, alert.partition) == ("warning", "2026-11-20")
    with lab.read() as session:
        assert session.get_one(StepRun, dead.id).outcome == "lost"
        assert session.get_one(StepRun, alive.id).outcome == "running"


def test_unit_that_is_set_aside_makes_the_alert_critical(local: Corral) -> None:
    """It has taken three processes down, and nobody will try it again."""
    add_pebbles(local, range(2))
    for _ in range(3):
        drain(local, Weigh())
        run = open_run(local, Weigh(), None, Trigger())
        with local.write() as session:
            held = {"status": "claimed", "step_run_id": run.id, "fence": Unit.fence + 1}
            session.execute(update(Unit).where(Unit.key == "1").values(lost=2, **held))
            gone = {"host": "elsewhere", "lease_until": datetime(2020, 1, 1, tzinfo=UTC)}
            session.execute(update(StepRun).where(StepRun.id == run.id).values(gone))
    light(local)
    assert alerts(local)[-1].severity == "critical"
    assert "set aside" in alerts(local)[-1].body


def reject(corral: Corral, path: str, *, verdict: str = "WAIT", stamp: str = "1 1") -> None:
    now = datetime.now(UTC)
    with corral.write() as session:
        before = (Rejection.path == path, Rejection.resolved_at.is_(None))
        session.execute(update(Rejection).where(*before).values(resolved_at=now))
        row = Rejection(path=path, verdict=verdict, reason="short", evidence="half of it")
        row.size_bytes, row.mtime_ns, row.stamp, row.read_by = 1, 1, stamp, "x"
        row.rejected_at = now
        session.add(row)


def test_files_that_stay_half_are_told_of_once_a_day_and_reason(lab: Corral) -> None:
    """From when a sweep saw them so; one that changes, or is bad for good, is another case."""
    for name in ("a", "b", "c"):
        reject(lab, f"{name}.fits")
    assert light(lab).lines() == ["waiting_files: 3 file(s) wait"]
    reject(lab, "b.fits", stamp="2 1")
    reject(lab, "c.fits", verdict="QUARANTINE")
    light(lab, 1.0)
    assert alerts(lab) == []
    with lab.write() as session:
        early = {"started_at": datetime.now(UTC) - timedelta(hours=3)}
        session.execute(update(StepRun).where(StepRun.id == 1).values(early))
    assert [light(lab).alerts, light(lab).alerts] == [1, 0]
    assert light(lab, 24.0).alerts == 1
    alert = alerts(lab)[0]
    assert alert.subject == "[corral] 1 file(s) of the inbox not whole for 2 h: short"
    assert "a.fits: half of it" in alert.body


class Heavy(rules.Alert):
    model = Pebble
    conditions = (Pebble.value > 1,)


class Strict(DeepSweep):
    promises = (lambda session: iter([Violation("I24", "inbox", "a file is missing")]),)


class Lively(LightSweep):
    rules = (Heavy,)


def test_alerts_and_promises_of_the_pipeline_are_looked_at(local: Corral) -> None:
    """The sweep is where its rules are drained, and its audit asks for more than any ledger's."""
    add_pebbles(local, range(4))
    assert sweep(local, Lively(**ROOMY)).lines() == ["alert_rules: 2 new message(s)"]
    assert sweep(local, Lively(**ROOMY)).lines() == []
    assert sweep(local, Strict()).lines() == ["broken_promises: 1 violation(s): 1 of I24"]
    assert [alert.rule for alert in alerts(local)] == ["Heavy", "Heavy", "broken_promises"]


def test_disk_that_fills_up_is_told_of_once_a_day_and_level(local: Corral) -> None:
    """Before it is full."""
    full = {"warning_free_gb": 1e9, "warning_free_fraction": 1.0}
    assert [light(local, **full).alerts, light(local, **full).alerts] == [1, 0]
    fuller = full | {"critical_free_gb": 1e9, "critical_free_fraction": 1.0}
    assert light(local, **fuller).alerts == 1
    assert light(local, 24.0, **fuller).alerts == 1
    assert [alert.severity for alert in alerts(local)] == ["warning", "critical", "critical"]


def test_work_that_lies_is_noted_until_it_is_done(lab: Corral) -> None:
    """What the audit then says is long."""
    drain(lab, Weigh())
    add_pebbles(lab, range(2))
    light(lab)
    with lab.read() as session:
        noted = {row.key: row.stamp for row in session.scalars(select(Observation))}
    assert list(noted) == ["Weigh"]
    drain(lab, Weigh())
    light(lab)
    with lab.read() as session:
        assert session.scalars(select(Observation)).all() == []


def test_deep_sweep_finds_nothing_where_all_is_well(lab: Corral) -> None:
    """It may run at any time, and tells nobody."""
    add_pebbles(lab, range(2))
    drain(lab, Weigh())
    report = sweep(lab, DeepSweep())
    assert (report.report.done, report.lines(), report.alerts) == (3, [], 0)


def test_broken_promises_are_told_of_once_a_day_with_counts(local: Corral) -> None:
    """Those that rows show, and those that hashes show."""
    add_frames(local, "ab")
    drain(local, Calibrate())
    with local.read() as session:
        place = local.store.locate(session.scalars(select(Product.path)).first())
    place.write_bytes(b"?" * place.stat().st_size)
    assert [sweep(local, DeepSweep()).report.failed for _ in range(2)] == [0, 0]
    rows, hashes = alerts(local)
    assert rows.subject == "[corral] audit: 2 violation(s): 2 of I5"
    assert hashes.subject == "[corral] scrub: 1 violation(s): 1 of I1"
    assert "its content has changed" in hashes.body
    assert rows.severity == hashes.severity == "critical"
    sweep(local, DeepSweep(clock=later(24)))
    assert len(alerts(local)) == 4


def test_altered_file_is_told_of_with_the_mark_that_it_was_read(local: Corral) -> None:
    """A death right after would otherwise hide it until every other file had been read again."""
    add_frames(local, "a")
    drain(local, Calibrate())
    with local.read() as session:
        place = local.store.locate(session.scalars(select(Product.path)).one())
    place.write_bytes(b"?" * place.stat().st_size)
    run = open_run(local, DeepSweep(), None, Trigger())
    altered_files(Watch(local, run.id, local.now(), DeepSweep()))
    assert [alert.rule for alert in alerts(local)] == ["altered_files"]


def test_orphans_are_removed_by_the_next_deep_sweep_but_one(local: Corral) -> None:
    """What the first sees, a later one removes."""
    stray = local.settings.products / "2026-11-20" / "x-0123456789ab.fits"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"x")
    assert sweep(local, DeepSweep()).lines() == ["orphan_files: 1 not old enough"]
    assert sweep(local, DeepSweep(clock=later(12))).lines() == ["orphan_files: 1 removed"]
    assert not stray.exists()
