"""The audit finds what is broken on purpose, and nothing else."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from include.corral.audit import audit, orphans, scrub
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.observe import observe
from include.corral.promises_data import DATA
from include.corral.promises_work import WORK
from include.corral.settings import Settings
from models import Alert, Delivery, DeliveryAttempt, Frame, Product, Rejection, Sighting, StepRun
from models.session import begin_write, database_now
from tests.include.corral.lab import (
    Calibrate,
    Master,
    Measure,
    add_frames,
    add_pebbles,
    make_tables,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def work(corral: Corral) -> None:
    """Three science frames and three of calibration, worked on to the end."""
    make_tables(corral)
    add_frames(corral, "abc", kind="bias")
    add_frames(corral, "def")
    with corral.write() as session:
        for frame in session.scalars(select(Frame)).all():
            seen = {"size_bytes": 1, "mtime_ns": 1, "inode": frame.id, "seen_at": LONG_AGO}
            session.add(Sighting(frame=frame, path=frame.path, **seen))
    for step in (Master, Calibrate, Measure):
        assert drain(corral, step()).failed == 0


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def sound(request, tmp_path_factory) -> Iterator[Corral]:
    """An installation in which all is well; what a test does to it is rolled back."""
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = f"audit_{uuid.uuid4().hex[:12]}"
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = f"{server.rpartition('/')[0]}/{name}"
    corral = Corral(Settings.below(tmp_path_factory.mktemp("audit"), database_url=url))
    work(corral)
    yield corral
    corral.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """The same on SQLite, to be copied."""
    home = tmp_path_factory.mktemp("template")
    corral = Corral(Settings.below(home))
    work(corral)
    corral.close()
    return home


@pytest.fixture
def small(template, tmp_path) -> Iterator[Corral]:
    """One of its own, for what is done to files."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    corral = Corral(Settings.below(tmp_path))
    yield corral
    corral.close()


@pytest.fixture
def transaction(sound):
    """A session whose changes nobody else sees, and that go with the test."""
    from sqlalchemy.orm import Session

    with Session(begin_write(sound.engine)) as session:
        yield session
        session.rollback()


def broken(session) -> set[str]:
    session.flush()
    return {violation.invariant for promise in (*WORK, *DATA) for violation in promise(session)}


def test_sound_installation_has_no_violations(sound) -> None:
    """After work everything promised is there, and nothing besides."""
    assert audit(sound) == []
    assert orphans(sound) == []


FIRST = "(SELECT min(id) FROM product)"
ATTEMPT = "(SELECT min(unit_run_id) FROM product)"


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        (f"UPDATE unit_run SET outcome = 'failed' WHERE id = {ATTEMPT}", "I2"),
        (f"UPDATE product SET unit_run_id = {ATTEMPT} WHERE kind = 'measured'", "I2"),
        ("UPDATE unit SET fingerprint = 'x' WHERE step = 'Master'", "I1"),
        ("UPDATE unit SET status = 'void' WHERE step = 'Master'", "I10"),
        (
            "UPDATE product SET unit_id = (SELECT max(unit_id) FROM product)"
            " WHERE kind = 'measured'",
            "I10",
        ),
        (
            "INSERT INTO unit_run (unit_id, step_run_id, fence, fingerprint, outcome, ended_at)"
            " SELECT unit_id, step_run_id, fence, 'x', 'failed', ended_at FROM unit_run"
            f" WHERE id = {ATTEMPT}",
            "I10",
        ),
        (f"UPDATE unit_run SET fence = fence + 5 WHERE id = {ATTEMPT}", "I11"),
        (f"UPDATE product SET fingerprint = 'x' WHERE id = {FIRST}", "I12"),
        (
            "UPDATE product SET fingerprint = 'x',"
            " unit_id = (SELECT max(unit_id) FROM product WHERE kind = 'measured')"
            " WHERE kind = 'measured'",
            "I12",
        ),
        ("UPDATE step_run SET outcome = 'lost' WHERE step = 'Master'", "I17"),
        (
            "UPDATE step_run SET outcome = 'running', lease_until = '2020-01-01 00:00:00'"
            " WHERE step = 'Master'",
            "I17",
        ),
        ("DELETE FROM sighting WHERE frame_id = (SELECT min(id) FROM frame)", "I5"),
        ("UPDATE frame SET pixel_sha256 = 'same' WHERE kind = 'bias'", "I6"),
        ("UPDATE frame SET superseded_by_id = (SELECT max(id) FROM frame) WHERE id = 1", "I7"),
        ("UPDATE frame SET set_aside = 'vetoed' WHERE id = 1", "I7"),
        (f"DELETE FROM product_input WHERE product_id = {FIRST}", "I23"),
        (
            "UPDATE product_input SET frame_id = NULL,"
            f" input_product_id = (SELECT max(id) FROM product) WHERE product_id = {FIRST}",
            "I23",
        ),
    ],
)
def test_rows_that_contradict_each_other_are_found(transaction, statement, invariant) -> None:
    """Each promise of the ledger is looked at."""
    assert broken(transaction) == set()
    transaction.execute(text(statement))
    assert invariant in broken(transaction)


def test_forgotten_claim_is_found(transaction) -> None:
    """A unit whose holder has not been heard of for long is stuck, and that alone."""
    transaction.execute(text("UPDATE step_run SET lease_until = '2020-01-01 00:00:00'"))
    assert broken(transaction) == set()
    open_unit = "UPDATE unit SET status = 'claimed' WHERE step = 'Measure' AND key = '4'"
    transaction.execute(text(open_unit))
    assert broken(transaction) == {"I17"}


@pytest.mark.parametrize(("status", "outcome"), [("sent", "delivered"), ("given_up", "refused")])
def test_alert_that_nobody_took_or_refused_is_found(transaction, status, outcome) -> None:
    """Sent means that the channel took it; given up means that it refused it."""
    alert = Alert(dedup_key="a", topic="a", rule="test", subject="s", body="b", channels=["email"])
    alert.created_at = LONG_AGO
    transaction.add(alert)
    assert broken(transaction) == {"I14"}
    delivery = Delivery(alert=alert, channel="email", urgency=1, status=status)
    transaction.add(delivery)
    assert broken(transaction) == {"I14"}
    delivery.attempt = DeliveryAttempt(
        channel="email", message_id="<m>", alerts=1, outcome=outcome, begun_at=LONG_AGO
    )
    assert broken(transaction) == set()


def refused(path: str, reason: str) -> Rejection:
    state = {"size_bytes": 1, "mtime_ns": 1, "stamp": "1 1", "read_by": "x"}
    return Rejection(
        path=path, verdict="WAIT", reason=reason, evidence="?", rejected_at=LONG_AGO, **state
    )


def test_rejection_without_a_reason_is_found(transaction) -> None:
    """A file is refused for something."""
    transaction.add(refused("a.fits", "short"))
    assert broken(transaction) == set()
    transaction.add(refused("b.fits", ""))
    assert broken(transaction) == {"I9"}


def test_file_that_is_counted_twice_is_found(transaction) -> None:
    """A frame, and refused: the sums of a night would not be those of its files."""
    path = transaction.scalars(select(Frame.path)).first()
    transaction.add(refused(path, "short"))
    assert broken(transaction) == {"I24"}
    transaction.scalars(select(Rejection)).one().resolved_at = LONG_AGO
    assert broken(transaction) == set()


def test_changes_that_nobody_looks_at_are_found(sound, transaction) -> None:
    """What a sweep saw noted, and is still the oldest more than a day later, lies."""
    source = {"step": "Weigh", "source": "lab_pebble"}
    transaction.execute(
        text("INSERT INTO due (step, source, row_id) VALUES (:step, :source, 1)"), source
    )
    (due_id,) = transaction.execute(text("SELECT min(id) FROM due WHERE step = 'Weigh'")).one()
    run = transaction.scalars(select(StepRun).order_by(StepRun.id)).first()
    observe(transaction, run.id, "due", {"Weigh": str(due_id)})
    assert broken(transaction) == set()
    run.started_at = database_now(transaction.connection()) - timedelta(hours=27)
    assert broken(transaction) == {"I20"}
    observe(transaction, run.id, "due", {"Weigh": str(due_id + 1)})
    assert broken(transaction) == set()


def test_missing_short_and_altered_files_are_found(small) -> None:
    """A product's file is compared with its row; a quick audit reads none."""
    with small.read() as session:
        paths = session.scalars(select(Product.path).order_by(Product.id)).all()
    first, second, third = (small.store.locate(path) for path in paths[:3])
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    third.write_bytes(third.read_bytes()[:-1] + b"!")
    assert [violation.invariant for violation in audit(small)] == ["I3", "I1", "I1"]
    assert [violation.invariant for violation in audit(small, deep=False)] == ["I3", "I1"]
    assert len(audit(small, at_most=2)) == 2


def test_store_that_is_not_there_is_one_violation(small) -> None:
    """Not one for each of a million files."""
    small.settings.products.rename(small.settings.products.with_name("elsewhere"))
    (violation,) = audit(small)
    assert violation.invariant == "I3"
    assert "root is missing" in violation.message


def test_file_behind_a_link_out_of_the_store_is_found(small) -> None:
    """It may be anything; the audit says so instead of following it."""
    with small.read() as session:
        place = small.store.locate(session.scalars(select(Product.path)).first())
    place.rename(small.settings.inbox / "moved")
    place.symlink_to(small.settings.inbox / "moved")
    (violation,) = audit(small)
    assert violation.invariant == "I3"


def test_hashes_are_read_in_portions(small) -> None:
    """Each call goes on where the last ended; the last says so, and all are read once."""
    with small.read() as session:
        paths = session.scalars(select(Product.path).order_by(Product.id)).all()
    for path in paths:
        small.store.locate(path).write_bytes(b"?" * small.store.locate(path).stat().st_size)
    found, after = [], 0
    for _ in paths:
        violations, after = scrub(small, after=after, seconds=0)
        found += violations
    assert scrub(small, after=after, seconds=0) == ([], 0)
    assert len({violation.subject for violation in found}) == len(found) == len(paths)
    everything, last = scrub(small, after=0, seconds=60)
    assert (len(everything), last) == (len(paths), 0)


def test_file_that_no_row_names_is_an_orphan_and_no_violation(small) -> None:
    """Nobody can find it, and the sweep may remove it."""
    night = small.settings.products / "2026-11-20"
    for stray in (night / "master" / "zz.json", night / "aa.json", small.settings.products / "z"):
        stray.write_bytes(b"x")
    assert orphans(small) == ["2026-11-20/aa.json", "2026-11-20/master/zz.json", "z"]
    assert audit(small) == []


def test_open_units_are_no_violation(small) -> None:
    """Work that is still to be done breaks no promise."""
    add_pebbles(small, range(3))
    add_frames(small, "xyz", night="2026-11-21")
    assert {violation.invariant for violation in audit(small)} == {"I5"}
