"""The queues that triggers draw from: a step's rows, a loader's items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from include.corral.associate import Associator
from include.corral.claims import Claim, claim, release
from include.corral.corral import Corral
from include.corral.errors import UpstreamMissing
from include.corral.ledger import OpenRun
from include.corral.plan import Planner
from include.corral.run import Run
from include.corral.wants import Want, lock_planning, write_wants
from models.statements import among
from models.work import Unit, UnitStatus

if TYPE_CHECKING:
    from include.corral.loader import Item, Loader
    from include.corral.step import Step

# Items of a loader that are compared with the ledger at once.
CHUNK = 1000


class Task(NamedTuple):
    """A claimed unit with its input, or with the error that its input met."""

    claim: Claim
    input: Any
    run: Run
    error: Exception | None = None
    item: Item | None = None


class Batch:
    """Claimed units and the session their rows belong to; the session ends with the batch."""

    def __init__(self, session: Session, tasks: list[Task]) -> None:
        self.session = session
        self.tasks = tasks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.session.close()


class Work(Protocol):
    """A queue of units."""

    shared: ClassVar[bool]
    """True when other workers may hold units that this trigger must see finished."""

    @property
    def void(self) -> int:
        """Units withdrawn while planning."""

    def batch(self, limit: int) -> Batch | None:
        """Claim up to `limit` units; None when there are none to be had."""

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Let others have units that were claimed and not begun."""


class StepWork:
    """Units of a step: planned from its conditions, claimed, and given their rows."""

    shared: ClassVar[bool] = True

    def __init__(self, corral: Corral, step: Step, run: OpenRun) -> None:
        self._corral = corral
        self._step = step
        self._run = run
        self._planner = Planner(corral, step, run.partition)
        self._planner.prepare()

    @property
    def void(self) -> int:
        """Units withdrawn so far."""
        return self._planner.void

    def batch(self, limit: int) -> Batch | None:
        """Claim up to `limit` units; rows that changed meanwhile are planned first."""
        more = self._planner.plan()
        while not (claims := claim(self._corral, self._run, limit)):
            if not more:
                return None
            more = self._planner.plan()
        session = self._corral.lookup()
        rows = self._rows(session, claims)
        inputs = [[rows[key] for key in c.row_ids if key in rows] for c in claims]
        heads = [group[0] for group in inputs if group] if self._step.uses else []
        associator = Associator(session, heads)
        tasks = [
            self._task(c, group, session, associator)
            for c, group in zip(claims, inputs, strict=True)
        ]
        session.commit()  # nothing stays open while the units are computed
        return Batch(session, tasks)

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Let others have units that were claimed and not begun."""
        release(self._corral, self._run, [task.claim for task in tasks])

    def _rows(self, session: Session, claims: Sequence[Claim]) -> dict[int, Any]:
        model: Any = self._step.model
        ids = {row_id for c in claims for row_id in c.row_ids}
        return {row.id: row for row in session.scalars(select(model).where(among(model.id, ids)))}

    def _task(
        self, claimed: Claim, rows: list[Any], session: Session, associator: Associator
    ) -> Task:
        run = Run(
            self._corral, self._step, claimed, session=session, rows=rows, associator=associator
        )
        if len(rows) < len(claimed.row_ids):
            gone = len(claimed.row_ids) - len(rows)
            return Task(claimed, None, run, UpstreamMissing(f"{gone} of its input rows are gone"))
        return Task(claimed, rows if self._step.group_by else rows[0], run)


class LoaderWork:
    """Items that a loader generates, less those the ledger already has.

    What was left undone, and is not among all that is generated now, is withdrawn.
    """

    shared: ClassVar[bool] = False

    def __init__(self, corral: Corral, loader: Loader, run: OpenRun) -> None:
        self._corral = corral
        self._loader = loader
        self._run = run
        self._unfinished = self._read_unfinished()
        self._items: Iterator[Any] = iter(loader.generate(corral))
        self._waiting: dict[str, Item] = {}
        self.void = 0

    def batch(self, limit: int) -> Batch | None:
        """Claim up to `limit` new or changed items."""
        while self._waiting or self._look():
            keys = list(islice(self._waiting, limit))
            claims = claim(self._corral, self._run, limit, keys=keys)
            # Where none could be claimed, another loader has them.
            mine = {key: self._waiting.pop(key) for key in [c.key for c in claims] or keys}
            if claims:
                session = self._corral.lookup()
                tasks = [
                    Task(
                        c,
                        mine[c.key].value,
                        Run(self._corral, self._loader, c, session=session),
                        item=mine[c.key],
                    )
                    for c in claims
                ]
                return Batch(session, tasks)
        return None

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Let others have units that were claimed and not begun, or do them later."""
        release(self._corral, self._run, [task.claim for task in tasks])
        self._waiting |= {task.claim.key: task.item for task in tasks if task.item}

    def _look(self) -> bool:
        """Generate until there is an item to be done; False at the end."""
        while chunk := list(islice(self._items, CHUNK)):
            items = [self._loader.as_item(made) for made in chunk]
            self._waiting = self._undone({item.key: item for item in items})
            self._unfinished -= {item.key for item in items}
            if self._waiting:
                return True
        self._withdraw_unfinished()
        return False

    def _read_unfinished(self) -> set[str]:
        with self._corral.read() as session:
            return set(session.scalars(self._unfinished_keys()))

    def _unfinished_keys(self) -> Select[str]:
        unfinished = or_(Unit.is_(UnitStatus.OPEN), Unit.is_(UnitStatus.FAILED))
        return select(Unit.key).where(Unit.step == self._loader.name, unfinished)

    def _withdraw_unfinished(self) -> None:
        if self._unfinished:
            with self._corral.write() as session:
                lock_planning(session, self._loader.name)
                # Another loader may have done some meanwhile.
                left = self._unfinished & set(session.scalars(self._unfinished_keys()))
                self.void += write_wants(session, self._loader.name, [], left)
        self._unfinished = set()

    def _undone(self, items: dict[str, Item]) -> dict[str, Item]:
        columns = (Unit.key, Unit.status, Unit.fingerprint)
        query = select(*columns).where(Unit.step == self._loader.name, among(Unit.key, items))
        with self._corral.read() as session:
            has = {row.key: row for row in session.execute(query)}
        wants = [
            Want(key, item.partition, [], self._loader.fingerprint(item))
            for key, item in items.items()
        ]
        new = [w for w in wants if w.key not in has or _is_other(has[w.key], w)]
        if new:
            with self._corral.write() as session:
                lock_planning(session, self._loader.name)
                write_wants(session, self._loader.name, new)
        undone = {w.key for w in new}
        undone |= {key for key, row in has.items() if row.status == UnitStatus.OPEN}
        return {key: item for key, item in items.items() if key in undone}


def _is_other(unit: Any, want: Want) -> bool:
    return bool(unit.fingerprint != want.fingerprint or unit.status == UnitStatus.VOID)
