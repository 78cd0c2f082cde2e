"""The account of the inbox: every file seen is registered, rejected, or waits, and it is said why.

What was seen is counted in the ledger of the loader, the rest in the rows that it left: a file that
got lost between the two shows as a difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, String, and_, exists, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from include.corral.violation import Violation
from include.toritos.known import WAIT
from include.toritos.loader import FitsInbox
from models.frame import Frame, Rejection, Sighting
from models.site import Night
from models.work import Unit, UnitStatus

NOT_READ = "not_read_yet"


@dataclass(slots=True)
class Account:
    """Files of one night, or of all.

    Attributes
    ----------
    night
        ``YYYY-MM-DD``; ``no night`` for files whose header tells none; ``all`` for the sum.
    seen
        Files of the inbox that were ever met and have not gone since.
    registered
        Of these, those that are frames.
    rejected, waiting
        Those that are not, or not yet, by reason.
    """

    night: str
    seen: int = 0
    registered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)

    @property
    def difference(self) -> int:
        """Files of which nobody knows what became; 0, or something is broken."""
        return self.seen - self.registered - self.rejected.total() - self.waiting.total()


def account(session: Session, night: str | None = None) -> list[Account]:
    """Count the files of the inbox.

    Parameters
    ----------
    session
        For reading.
    night
        Of this one only; None counts all nights, then all files.

    Returns
    -------
    list of Account
        In the order of nights. The last of all nights is the sum, in which what was seen comes
        from the ledger.
    """
    by_night: dict[str, Account] = {}
    only = () if night is None else (Night.date == date.fromisoformat(night),)
    for day, number in session.execute(_registered().where(*only)):
        _of(by_night, day).registered += number
    for day, verdict, reason, number in session.execute(_refused().where(*only)):
        row = _of(by_night, day)
        (row.waiting if verdict == WAIT else row.rejected)[reason] += number
    if night is None and (unread := session.scalar(_count(_unread()))):
        _of(by_night, None).waiting[NOT_READ] += unread
    accounts = [by_night[key] for key in sorted(by_night)]
    for each in accounts:
        each.seen = each.registered + each.rejected.total() + each.waiting.total()
    return accounts if night is not None else [*accounts, _sum(session, accounts)]


def account_table(session: Session, night: str | None) -> Iterator[str]:
    """Give the account of a night, or of all, as it is printed."""
    return account_lines(account(session, night))


def account_lines(accounts: Sequence[Account]) -> Iterator[str]:
    """Give the account as a table, with the reasons below each night."""
    yield f"{'night':<12}{'seen':>9}{'registered':>12}{'rejected':>10}{'waiting':>9}"
    for row in accounts:
        numbers = (row.registered, row.rejected.total(), row.waiting.total())
        yield f"{row.night:<12}{row.seen:>9}{numbers[0]:>12}{numbers[1]:>10}{numbers[2]:>9}"
        for what, reasons in (("rejected", row.rejected), ("waiting", row.waiting)):
            yield from (f"  {what} {number:>6}  {name}" for name, number in sorted(reasons.items()))
        if row.difference:
            yield f"  {row.difference} file(s) of which nobody knows what became"


def files_are_accounted_for(session: Session) -> Iterator[Violation]:
    """I24: of every file that the ledger says was looked at, it is on record what it is."""
    done = and_(_is_file(), Unit.status == UnitStatus.DONE)
    for key in session.scalars(select(Unit.key).where(done, ~_seen_as_frame(), ~_ever_refused())):
        yield Violation("I24", f"file {key!r}", "was looked at, and nobody knows what it is")


def _of(by_night: dict[str, Account], day: date | None) -> Account:
    key = day.isoformat() if day else "no night"
    return by_night.setdefault(key, Account(key))


def _sum(session: Session, accounts: Sequence[Account]) -> Account:
    total = Account("all")
    for each in accounts:
        total.registered += each.registered
        total.rejected += each.rejected
        total.waiting += each.waiting
    here = or_(_seen_as_frame(), _refused_now(), Unit.status != UnitStatus.DONE)
    gone = and_(~here, _ever_refused())
    total.seen = session.scalar(_count(_is_file(), Unit.status != UnitStatus.VOID, ~gone)) or 0
    return total


def _registered() -> Any:
    refused = exists().where(Rejection.path == Sighting.path, Rejection.resolved_at.is_(None))
    return (
        select(Night.date, func.count())
        .select_from(Sighting)
        .join(Frame, Sighting.frame_id == Frame.id)
        .join(Night, Frame.night_id == Night.id)
        .where(Sighting.current, ~refused)
        .group_by(Night.date)
    )


def _refused() -> Any:
    return (
        select(Night.date, Rejection.verdict, Rejection.reason, func.count())
        .select_from(Rejection)
        .outerjoin(Night, Rejection.night_id == Night.id)
        .where(Rejection.resolved_at.is_(None))
        .group_by(Night.date, Rejection.verdict, Rejection.reason)
    )


def _count(*conditions: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(Unit).where(*conditions)


def _is_file() -> ColumnElement[bool]:
    # What is no file has a name that no file below the inbox can have.
    return and_(Unit.step == FitsInbox.name, ~Unit.key.startswith("/"))


def _unread() -> ColumnElement[bool]:
    waiting = or_(*(Unit.is_(status) for status in UNDONE))
    return and_(_is_file(), waiting, ~_seen_as_frame(), ~_refused_now())


UNDONE = (UnitStatus.OPEN, UnitStatus.CLAIMED, UnitStatus.FAILED)


def _seen_as_frame() -> ColumnElement[bool]:
    path = type_coerce(Sighting.path, String)
    return exists().where(path == Unit.key, Sighting.current)


def _refused_now() -> ColumnElement[bool]:
    path = type_coerce(Rejection.path, String)
    return exists().where(path == Unit.key, Rejection.resolved_at.is_(None))


def _ever_refused() -> ColumnElement[bool]:
    return exists().where(type_coerce(Rejection.path, String) == Unit.key)
