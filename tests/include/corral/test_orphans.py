"""What dead processes left goes; nothing is ever taken from under a commit."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from include.corral import orphans as module
from include.corral.audit import audit
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import ConfigurationError, FailureClass
from include.corral.ledger import open_run
from include.corral.orphans import remove_orphans
from include.corral.settings import Settings
from include.corral.store import ProductStore
from include.corral.stray import MARK
from include.corral.trigger import Trigger
from models import Observation, Product, StepRun, Unit
from models.work import Outcome
from tests.include.corral.lab import Calibrate, Quarry, add_frames, files, make_tables

GRACE = timedelta(hours=12)
STRAY = "2026-11-20/calibrated/night-0123456789ab.fits"
STAGED = ".staging/6a0c.fits"


@pytest.fixture
def local(tmp_path) -> Iterator[Corral]:
    """As the lab, on SQLite alone: for what the kind of database has no part in."""
    corral = Corral(Settings.below(tmp_path))
    make_tables(corral)
    yield corral
    corral.close()


def put(corral: Corral, path: str, content: bytes = b"left behind") -> None:
    place = corral.settings.products / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def look(corral: Corral, *, later: timedelta = timedelta(), at_most: int = 10):
    """One trigger of a sweep, so much later than it is."""
    run = open_run(corral, Quarry(), None, Trigger())
    now = datetime.now(UTC) + later
    try:
        return remove_orphans(corral, run.id, now=now, grace=GRACE, at_most=at_most)
    finally:
        with corral.write() as session:
            ended = {"outcome": Outcome.DONE}
            session.execute(update(StepRun).where(StepRun.id == run.id).values(ended))


def sound(corral: Corral) -> bool:
    return [violation for violation in audit(corral) if violation.invariant != "I5"] == []


def test_orphans_go_after_the_grace_and_nothing_else_does(lab: Corral) -> None:
    """Published or staged; what a row names and what the store has not made stay."""
    add_frames(lab, "ab")
    drain(lab, Calibrate())
    named = set(files(lab))
    for path in (STRAY, STAGED, "README", "2026-11-20/notes.txt"):
        put(lab, path)
    first = look(lab)
    assert (first.removed, first.kept, first.strange) == ([], 2, 2)
    assert look(lab, later=GRACE / 2).removed == []
    assert look(lab, later=GRACE).removed == [STAGED, STRAY]
    assert set(files(lab)) == named | {"README", "2026-11-20/notes.txt", MARK}
    assert look(lab, later=GRACE).kept == 0
    with lab.read() as session:
        assert session.scalars(select(Observation).where(Observation.topic == "orphan")).all() == []


def test_time_of_a_file_itself_does_not_count(local: Corral) -> None:
    """A worker's clock may be years behind: what counts is since when the sweep has seen it so."""
    put(local, STRAY)
    os.utime(local.settings.products / STRAY, (0, 0))
    assert look(local).removed == []
    os.utime(local.settings.products / STRAY, (1, 1))
    assert look(local, later=GRACE).removed == []
    assert look(local, later=GRACE).removed == [STRAY]


def test_file_that_was_published_anew_is_as_new(local: Corral) -> None:
    """The same bytes in another file: somebody is at work on it."""
    put(local, STRAY)
    look(local)
    put(local, f"{STRAY}.again")
    (local.settings.products / f"{STRAY}.again").replace(local.settings.products / STRAY)
    assert look(local, later=GRACE).removed == []


def test_file_that_is_published_anew_in_the_last_moment_stays(local: Corral, monkeypatch) -> None:
    """It was due when the sweep looked; when nobody can commit any more it is another file."""
    put(local, STRAY)
    look(local)
    let_nobody_commit = module._let_nobody_commit

    def publish_before(session):
        put(local, f"{STRAY}.again")
        (local.settings.products / f"{STRAY}.again").replace(local.settings.products / STRAY)
        let_nobody_commit(session)

    monkeypatch.setattr(module, "_let_nobody_commit", publish_before)
    assert look(local, later=GRACE).removed == []
    assert STRAY in files(local)


def test_nothing_goes_while_a_trigger_is_alive_that_may_have_made_it(lab: Corral) -> None:
    """However long it takes; those that began later cannot have made it."""
    alive = open_run(lab, Calibrate(), None, Trigger())
    put(lab, STRAY)
    look(lab)
    open_run(lab, Quarry(), None, Trigger())
    assert look(lab, later=10 * GRACE).removed == []
    with lab.write() as session:
        session.execute(update(StepRun).where(StepRun.id == alive.id).values(outcome=Outcome.LOST))
    assert look(lab, later=10 * GRACE).removed == [STRAY]


def test_many_orphans_mean_that_rows_are_missing(local: Corral) -> None:
    """An empty database, or an old one, must not empty the store."""
    for number in range(4):
        put(local, f"2026-11-20/calibrated/f{number}-0123456789ab.fits")
    for later in (timedelta(), GRACE):
        with pytest.raises(ConfigurationError, match="more than 3 files"):
            look(local, later=later, at_most=3)
    assert len(files(local)) == 5


def test_store_of_another_database_is_left_alone(local: Corral, tmp_path) -> None:
    """Two databases with one root would each take the other's files for orphans."""
    put(local, STRAY)
    look(local)
    shared = Corral(Settings.below(tmp_path / "other", products=local.settings.products))
    for later in (timedelta(), GRACE):
        with pytest.raises(ConfigurationError, match="belongs to another database"):
            look(shared, later=later)
    shared.close()
    assert STRAY in files(local)


def test_mark_that_was_lost_is_written_again(local: Corral) -> None:
    """Killed between row and file, or removed by hand."""
    put(local, STRAY)
    look(local)
    mark = local.settings.products / MARK
    before = mark.read_text()
    mark.unlink()
    look(local)
    assert mark.read_text() == before


def test_store_that_was_never_written_to_stays_so(local: Corral) -> None:
    """Nothing is made where there is nothing to be done."""
    assert look(local).removed == []
    assert not local.settings.products.exists()


def test_unit_whose_file_was_taken_before_its_commit_is_done_again(
    lab: Corral, monkeypatch
) -> None:
    """The commit looks for its files; without them there is no row, and the next trigger works."""
    add_frames(lab, "a")
    publish = ProductStore.publish

    def publish_and_lose(store, staged):
        publish(store, staged)
        store.locate(staged.path).unlink()

    with monkeypatch.context() as patch:
        patch.setattr(ProductStore, "publish", publish_and_lose)
        report = drain(lab, Calibrate())
    assert [failure.failure_class for failure in report.failures] == [FailureClass.RETRY]
    assert "it is gone" in report.failures[0].message
    assert sound(lab)
    assert drain(lab, Calibrate()).done == 1
    assert sound(lab)


def orphan_of_an_open_unit(lab: Corral) -> str:
    """A file that was published and not committed, long ago; its unit is open."""
    add_frames(lab, "a")
    drain(lab, Calibrate())
    with lab.write() as session:
        product = session.scalars(select(Product)).one()
        path, content = product.path, files(lab)[product.path]
        session.delete(product.inputs[0])
        session.delete(product)
        session.execute(update(Unit).values(status="open", fence=Unit.fence + 1))
    put(lab, path, content)
    look(lab)
    return path


def test_removal_waits_for_a_commit_and_sees_its_row(lab: Corral, monkeypatch) -> None:
    """The rows were written, the transaction not ended: the file is not an orphan."""
    path = orphan_of_an_open_unit(lab)
    written, end = threading.Event(), threading.Event()

    def commit_slowly() -> None:
        require = ProductStore.require

        def wait(store, *args):
            require(store, *args)
            written.set()
            end.wait(10)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ProductStore, "require", wait)
            # The same file in place: published anew it would be as new.
            patch.setattr(ProductStore, "publish", ProductStore.discard)
            drain(lab, Calibrate())

    worker = threading.Thread(target=commit_slowly)
    worker.start()
    assert written.wait(10)
    # While the worker's trigger is alive the file is safe by that alone; let it count as dead.
    monkeypatch.setattr(module, "_oldest_alive", lambda *_: None)
    threading.Timer(0.3, end.set).start()
    removed = look(lab, later=GRACE).removed
    worker.join()
    assert removed == []
    assert path in files(lab)
    assert sound(lab)


def test_commit_waits_for_a_removal_and_sees_the_file_gone(lab: Corral, monkeypatch) -> None:
    """The unit fails as retryable; no row without a file, and it is made again."""
    path = orphan_of_an_open_unit(lab)
    ready, reports = threading.Event(), []

    def work() -> None:
        publish = ProductStore.publish
        with pytest.MonkeyPatch.context() as patch:
            # As if it had published, and were to commit now.
            patch.setattr(ProductStore, "publish", lambda *_: ready.set())
            reports.append(drain(lab, Calibrate()))
        assert ProductStore.publish is publish

    worker = threading.Thread(target=work)
    let_nobody = module._let_nobody_commit

    def let_nobody_commit(session):
        let_nobody(session)
        worker.start()
        ready.wait(2 if lab.engine.dialect.name == "postgresql" else 0.3)

    monkeypatch.setattr(module, "_let_nobody_commit", let_nobody_commit)
    monkeypatch.setattr(module, "_oldest_alive", lambda *_: None)
    removed = look(lab, later=GRACE).removed
    worker.join()
    assert removed == [path]
    assert [failure.failure_class for failure in reports[0].failures] == [FailureClass.RETRY]
    assert sound(lab)
    assert drain(lab, Calibrate()).done == 1
    assert sound(lab)
