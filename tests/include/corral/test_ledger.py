"""Every trigger is on record, and those that died are found out."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from include.corral.claims import LeaseKeeper, claim
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.ledger import OpenRun, close_run, open_run, release_dead
from include.corral.report import Report
from include.corral.settings import Settings
from include.corral.trigger import Trigger, process_key, this_process
from models import StepRun, Unit, UnitRun
from models.session import make_engine
from tests.include.corral.lab import NIGHT, Calibrate, Weigh, add_frames, add_pebbles

TASK = {"dag_id": "night", "run_id": "manual__2026", "task_id": "weigh", "map_index": 2}


def run_row(corral: Corral, run: OpenRun) -> StepRun:
    with corral.read() as session:
        return session.get_one(StepRun, run.id)


def open_unit(corral: Corral, key: str = "1") -> None:
    with corral.write() as session:
        session.add(Unit(step="Weigh", key=key, fingerprint="f", row_ids=[]))


def test_trigger_is_recorded_with_all_that_is_known_of_it(lab: Corral) -> None:
    """Who asked, what ran, where, on what, with which result."""
    add_frames(lab, ["x", "y"])
    trigger = Trigger(**TASK, try_number=3)
    drain(lab, Calibrate(gain=2.5), partition=NIGHT, trigger=trigger)
    with lab.read() as session:
        row = session.scalars(select(StepRun)).one()
        now = lab.now()
    assert (row.step, row.version, row.partition) == ("Calibrate", "1", NIGHT)
    assert row.parameters == {"gain": 2.5, "stop_after": 0, "stop_at": ""}
    assert {name: getattr(row, name) for name in TASK} == TASK
    assert row.try_number == 3
    assert (row.host, row.pid) == (platform.node(), os.getpid())
    assert row.process_key == process_key(os.getpid())
    assert {"python", "sqlalchemy"} <= row.software.keys()
    assert (row.outcome, row.done, row.failed) == ("done", 2, 0)
    assert row.started_at <= row.ended_at <= now
    assert row.started_at.utcoffset() == timedelta(0)
    assert row.message.startswith(f"Calibrate of {NIGHT}: 2 done")


def test_record_is_there_before_the_first_unit(lab: Corral) -> None:
    """If the machine stops now, a row says that something had begun."""
    run = open_run(lab, Weigh(), None, Trigger())
    row = run_row(lab, run)
    assert (row.outcome, row.ended_at) == ("running", None)


def test_trigger_that_fails_as_a_whole_says_why(lab: Corral) -> None:
    """An error outside any unit ends the trigger, not its record."""

    class Broken(Weigh):
        def work(self, corral, run):
            raise RuntimeError("no queue")

    with pytest.raises(RuntimeError):
        drain(lab, Broken())
    with lab.read() as session:
        row = session.scalars(select(StepRun)).one()
    assert (row.outcome, row.message) == ("failed", "no queue")


def claimed_by(corral: Corral, trigger: Trigger | None = None, **columns) -> OpenRun:
    """A trigger of another process that holds one unit, with these columns of its record."""
    run = open_run(corral, Weigh(), None, trigger or Trigger())
    open_unit(corral)
    assert len(claim(corral, run, 1)) == 1
    if columns:
        with corral.write() as session:
            session.execute(update(StepRun).where(StepRun.id == run.id).values(columns))
    return run


def second(corral: Corral, trigger: Trigger | None = None) -> OpenRun:
    return open_run(corral, Weigh(), None, trigger or Trigger())


def test_process_of_this_host_that_is_gone_is_found_at_once(lab: Corral) -> None:
    """Another process may have its number: the moment of its start tells them apart."""
    first = claimed_by(lab, process_key="boot-1-1")
    second(lab)
    row = run_row(lab, first)
    assert (row.outcome, row.message) == (
        "lost",
        f"its process ({platform.node()}, pid {os.getpid()}) ended without a word",
    )
    with lab.read() as session:
        attempt = session.scalars(select(UnitRun)).one()
        unit = session.scalars(select(Unit)).one()
    assert (attempt.outcome, attempt.failure_class, attempt.step_run_id) == (
        "lost",
        "retry",
        first.id,
    )
    assert (unit.status, unit.lost) == ("open", 1)


def test_process_of_another_host_is_left_until_its_lease_is_over(lab: Corral) -> None:
    """Nobody can look there: only time tells, by the clock of the database."""
    first = claimed_by(lab, host="elsewhere", process_key="boot-1-1")
    second(lab)
    assert run_row(lab, first).outcome == "running"
    with lab.write() as session:
        past = lab.now() - timedelta(seconds=1)
        session.execute(update(StepRun).where(StepRun.id == first.id).values(lease_until=past))
    second(lab)
    row = run_row(lab, first)
    assert (row.outcome, row.message) == (
        "lost",
        "no sign of life from elsewhere before the lease ended",
    )
    with lab.read() as session:
        assert session.scalars(select(Unit.status)).one() == "open"


def test_earlier_try_of_the_same_task_is_over(lab: Corral) -> None:
    """Airflow begins a second try when the first one has ended, however it has."""
    first = claimed_by(lab, Trigger(**TASK, try_number=1), host="elsewhere")
    other = {**TASK, "map_index": 3}
    second(lab, Trigger(**other, try_number=2))
    assert run_row(lab, first).outcome == "running"
    second(lab, Trigger(**TASK, try_number=2))
    assert run_row(lab, first).outcome == "lost"


def test_triggers_without_a_task_are_no_tries_of_each_other(lab: Corral) -> None:
    """A person at a command line does not end what another one does."""
    first = claimed_by(lab, Trigger(try_number=1), host="elsewhere")
    second(lab, Trigger(try_number=2))
    assert run_row(lab, first).outcome == "running"


def test_living_trigger_keeps_what_it_holds(lab: Corral) -> None:
    """A second trigger of the same process takes nothing away."""
    first = claimed_by(lab)
    run = second(lab)
    with lab.write() as session:
        assert release_dead(session, run) == 0
    assert run_row(lab, first).outcome == "running"


def test_trigger_taken_for_dead_runs_again_when_it_shows_life(lab: Corral) -> None:
    """It was only slow: what it claims from now on is its own."""
    first = claimed_by(lab, host="elsewhere")
    with lab.write() as session:
        past = lab.now() - timedelta(seconds=1)
        session.execute(update(StepRun).where(StepRun.id == first.id).values(lease_until=past))
    run = second(lab)
    assert run_row(lab, first).outcome == "lost"
    assert len(claim(lab, first, 1)) == 1
    row = run_row(lab, first)
    assert (row.outcome, row.ended_at) == ("running", None)
    with lab.write() as session:
        assert release_dead(session, run) == 0


def test_closed_trigger_holds_nothing(lab: Corral) -> None:
    """What it still held when it ended is open at once."""
    run = claimed_by(lab)
    close_run(lab, run, Report("Weigh", None, run.id), KeyboardInterrupt())
    with lab.read() as session:
        assert session.scalars(select(Unit.status)).one() == "open"
    assert run_row(lab, run).outcome == "failed"


def test_lease_moves_on_while_work_is_done(lab: Corral) -> None:
    """Its end is later after a while."""
    quick = Corral(replace(lab.settings, lease_s=0.15))
    run = open_run(quick, Weigh(), None, Trigger())
    before = run_row(lab, run).lease_until
    with LeaseKeeper(quick, run):
        for _ in range(100):
            if run_row(lab, run).lease_until > before:
                break
            time.sleep(0.02)
    assert run_row(lab, run).lease_until > before
    quick.close()


@pytest.mark.postgres
def test_process_stopped_in_the_middle_of_a_write_is_not_waited_for(
    clean_postgres, tmp_path
) -> None:
    """Who has locked its record shows life, or was stopped while it did: others go on."""
    lab = Corral(Settings.below(tmp_path, database_url=clean_postgres.clean()))
    first = claimed_by(lab, host="elsewhere", lease_until=lab.now() - timedelta(seconds=1))
    engine = make_engine(lab.settings.database_url)
    with engine.begin() as stopped:
        stopped.execute(update(StepRun).where(StepRun.id == first.id).values(pid=1))
        second(lab)
        assert run_row(lab, first).outcome == "running"
    second(lab)
    assert run_row(lab, first).outcome == "lost"
    engine.dispose()
    lab.close()


def test_process_key_names_a_process_for_ever() -> None:
    """A process that is there has one, one that is not has none."""
    assert process_key(os.getpid()) == process_key(os.getpid())
    assert process_key(os.getpid()) != process_key(os.getppid())
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert process_key(child) is None  # a zombie holds no work
    os.waitpid(child, 0)
    assert process_key(child) is None
    assert this_process()["process_key"] == process_key(os.getpid())


def test_many_dead_triggers_are_closed_together(lab: Corral) -> None:
    """Nobody is left running after a power cut."""
    add_pebbles(lab, range(3))
    for _ in range(5):
        claimed = open_run(lab, Weigh(), None, Trigger())
        with lab.write() as session:
            session.execute(
                update(StepRun).where(StepRun.id == claimed.id).values(process_key="boot-1-1")
            )
    assert drain(lab, Weigh()).done == 3
    with lab.read() as session:
        outcomes = session.scalars(select(StepRun.outcome).order_by(StepRun.id)).all()
    assert outcomes == ["lost"] * 5 + ["done"]
