"""Removing what processes that died have left in the store, and nothing else.

A file must never be taken from under a worker that is about to commit its row. Four things see to
that; the last three need no clock:

* it has been seen unchanged for the grace, by the database's clock, not by the file's;
* every trigger that was alive when it was first seen has ended;
* rows are looked at again, and the file is unlinked, while nobody can commit;
* a commit opens its files after it has written their rows: where one was taken there is no commit.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from include.corral.corral import Corral
from include.corral.errors import ConfigurationError
from include.corral.observe import Seen, observe, observed
from include.corral.store import STAGING, make_folder, sync_folder
from include.corral.stray import MARK, is_ours, unnamed
from include.corral.wants import portions
from models.product import Product
from models.work import StepRun

TOPIC = "orphan"
STORE = "store"
# Removed in one transaction, during which nobody commits; and how long we wait to be let in.
AT_ONCE = 200
LOCK_TIMEOUT = "10s"


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was done about the files that no row names.

    Attributes
    ----------
    removed
        Paths below the products' root.
    kept
        How many have not been there for long enough.
    strange
        How many the store has not made; they are left alone.
    """

    removed: list[str]
    kept: int
    strange: int


def remove_orphans(
    corral: Corral, step_run_id: int, *, now: datetime, grace: timedelta, at_most: int
) -> Cleared:
    """Remove the files of the store that no row has named for the grace.

    If the process dies inside, the next call goes on; no reader can see anything of it.

    Parameters
    ----------
    corral
        The installation.
    step_run_id
        The trigger that looks.
    now
        By the database's clock.
    grace
        How long a file must have been seen so.
    at_most
        Where there are more, rows are what is missing, and no file is touched.

    Raises
    ------
    ConfigurationError
        If the store belongs to another database, or too many files have no row.
    """
    root = corral.settings.products
    if not root.is_dir():
        return Cleared([], 0, 0)
    require_own_store(corral, step_run_id)
    stamps, strange = _look(corral, root, at_most)
    with corral.write() as session:
        seen = observe(session, step_run_id, TOPIC, stamps)
    before = now - grace
    old = {path: it for path, it in seen.items() if it.step_run_id != step_run_id}
    due = {path: it for path, it in old.items() if it.since <= before}
    removed: list[str] = []
    for some in portions(due, AT_ONCE):
        removed += _remove(corral, step_run_id, {path: due[path] for path in some})
    return Cleared(removed, len(seen) - len(removed), strange)


def _look(corral: Corral, root: Path, at_most: int) -> tuple[dict[str, str], int]:
    stamps: dict[str, str] = {}
    strange = 0
    with closing(unnamed(corral)) as files:
        for path, entry in files:
            if not is_ours(path):
                strange += 1
            elif (stamp := _stamp(Path(entry.path))) is not None:
                stamps[path] = stamp
            if len(stamps) > at_most:
                raise ConfigurationError(
                    f"more than {at_most} files below {root} have no row, {path} for one. None was "
                    "removed: is this their database, and is it not older than they are? If they "
                    "may go, run the sweep with a greater `orphans_at_most`."
                )
    return stamps, strange


def _stamp(place: Path) -> str | None:
    """Changes when the file does; None where there is no plain file."""
    try:
        state = place.lstat()
    except FileNotFoundError:
        return None
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ino}"


def _remove(corral: Corral, step_run_id: int, some: Mapping[str, Seen]) -> list[str]:
    """Unlink those that still are as they were seen, while nobody can write a row for them."""
    removed = []
    root = corral.settings.products
    with corral.write() as session:
        _let_nobody_commit(session)
        named = set(session.scalars(select(Product.path).where(Product.path.in_(some))))
        alive = _oldest_alive(session, step_run_id)
        for path, seen in some.items():
            place = root / path
            is_free = path not in named and (alive is None or seen.step_run_id < alive)
            if is_free and _stamp(place) == seen.stamp:
                with suppress(FileNotFoundError):
                    place.unlink()
                removed.append(path)
    return removed


def _let_nobody_commit(session: Session) -> None:
    """Keep rows of products from being written until the transaction ends.

    SQLite's write lock does that, which the transaction has from its beginning. On PostgreSQL
    whoever has written some, and not committed, is waited for; then nobody can until we are done.
    """
    connection = session.connection()  # now, not with the first query
    if connection.dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        session.execute(text("LOCK TABLE product IN SHARE ROW EXCLUSIVE MODE"))


def _oldest_alive(session: Session, step_run_id: int) -> int | None:
    others = (StepRun.is_running(), StepRun.id != step_run_id)
    oldest: int | None = session.scalar(select(func.min(StepRun.id)).where(*others))
    return oldest


def require_own_store(corral: Corral, step_run_id: int) -> None:
    """See to it that the products' root is marked as this database's.

    Two databases with one root would each take the other's files for orphans.

    Raises
    ------
    ConfigurationError
        If it is marked as another's.
    """
    root = corral.settings.products
    mark = root / MARK
    marked = mark.read_text().strip() if mark.exists() else None
    with corral.write() as session:
        known = observed(session, STORE)
        if not known and marked is None:
            # The row first: a mark without a row is always somebody else's.
            known = observe(session, step_run_id, STORE, {"id": uuid.uuid4().hex})
    own = known["id"].stamp if known else None
    if marked is None and own is not None:
        _write_durably(mark, own)
    elif marked != own:
        raise ConfigurationError(
            f"{root} belongs to another database (its {MARK} says {marked}, ours is {own}); no "
            "file was removed. Give every database a CORRAL_PRODUCTS of its own; if the other one "
            f"is gone for good, remove {MARK}."
        )


def _write_durably(mark: Path, words: str) -> None:
    fresh = mark.with_name(STAGING) / uuid.uuid4().hex
    make_folder(fresh.parent, mode=0o700)
    with fresh.open("w") as stream:
        stream.write(words)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(mark)
    sync_folder(mark.parent)
