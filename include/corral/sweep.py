"""Sweeps: everything that nobody else would notice is looked at, part by part.

A sweep is drained as a loader is: each part is a unit, its trigger and its end are on record, and a
part that fails leaves the others to be done. What a person must know goes into the outbox with the
record of the part. A sweep that is killed is begun again by the next.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

from include.corral.alert import Alert
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.ledger import OpenRun
from include.corral.loader import Item, Loader
from include.corral.report import Report
from include.corral.run import Run
from include.corral.step import Step
from include.corral.trigger import Trigger
from include.corral.violation import Promise
from include.corral.work import LoaderWork
from models import alert as rows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person must know; two with one `key` are told as one."""

    key: str
    subject: str
    body: str
    severity: str = "warning"
    partition: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a part of a sweep found.

    Attributes
    ----------
    note
        One line for the log, empty when all is well.
    notices
        For the outbox.
    partitions
        That want looking at.
    """

    note: str = ""
    notices: Sequence[Notice] = ()
    partitions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """One trigger of a sweep, as its parts see it; `now` is of the database's clock."""

    corral: Corral
    step_run_id: int
    now: datetime
    sweep: Sweep

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Those of the sweep."""
        return self.sweep.parameters


Part: TypeAlias = Callable[[Watch], Found]


class Sweep(Loader):
    """Every part has been looked at, and what needs a person is in the outbox.

    Parameters
    ----------
    clock
        Tells the time instead of the database, for tests.
    **parameters
        As of any processor: they are on record with each trigger.

    Attributes
    ----------
    parts
        Functions of one ``Watch``; each may be called again at any moment after it was killed.
    channels
        Who is told.
    rules
        Alerts of the pipeline that are looked at.
    promises
        Of the pipeline, to be audited beside those that every ledger makes.
    found
        By name of the part, of the last trigger.
    """

    parts: ClassVar[Sequence[Part]] = ()
    channels: ClassVar[Sequence[str]] = ("email",)
    rules: ClassVar[Sequence[type[Alert]]] = ()
    promises: ClassVar[Sequence[Promise]] = ()

    def __init__(self, *, clock: Callable[[], datetime] | None = None, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.found: dict[str, Found] = {}
        self._clock = clock
        self._step_run_id = 0

    def steps(self) -> Sequence[Step]:
        """Give the steps whose work is looked after, with the parameters that they run with."""
        return ()

    def generate(self, corral: Corral) -> Iterator[Item]:
        """Give every part, each time as new."""
        for part in self.parts:
            yield Item(part.__name__, uuid.uuid4().hex, part)

    def process(self, work: Part, run: Run) -> Iterator[rows.Alert]:
        """Look at one part."""
        found = work(Watch(run.corral, self._step_run_id, self._now(run.corral), self))
        self.found[work.__name__] = found
        for notice in found.notices:
            yield alert_of(notice, rule=work.__name__, channels=self.channels)

    def work(self, corral: Corral, run: OpenRun) -> LoaderWork:
        """Give the parts as a queue."""
        self._step_run_id = run.id
        self.found = {}
        return super().work(corral, run)

    def _now(self, corral: Corral) -> datetime:
        return corral.now() if self._clock is None else self._clock()


def alert_of(notice: Notice, *, rule: str, channels: Sequence[str] = ("email",)) -> rows.Alert:
    """Give a notice as a row for the outbox."""
    return rows.Alert(
        dedup_key=notice.key,
        rule=rule,
        subject=f"[corral] {notice.subject}",
        body=notice.body,
        severity=notice.severity,
        partition=notice.partition,
        channels=list(channels),
    )


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What came of one trigger of a sweep: the kernel's report, and what each part found."""

    report: Report
    found: Mapping[str, Found] = field(default_factory=dict)

    @property
    def partitions(self) -> list[str]:
        """Those that want looking at, in the order in which they were found."""
        return list(dict.fromkeys(key for found in self.found.values() for key in found.partitions))

    @property
    def alerts(self) -> int:
        """New messages in the outbox."""
        return self.report.outputs["alert"]

    def lines(self) -> list[str]:
        """Give one line for each part that has something to say."""
        return [f"{name}: {found.note}" for name, found in self.found.items() if found.note]


def sweep(
    corral: Corral,
    processor: Sweep,
    *,
    trigger: Trigger | None = None,
    on_progress: Callable[[str], None] = log.info,
) -> SweepReport:
    """Look at every part of a sweep.

    If the process dies inside, the next sweep does again what was not finished; what was found and
    not yet told of is found again, and told of once.

    Parameters
    ----------
    corral
        The installation.
    processor
        The sweep.
    trigger
        Who asks.
    on_progress
        Is given a line for each part that has something to say.

    Returns
    -------
    SweepReport
        A part that failed is among the failures of its ``report``; it does not raise.
    """
    report = drain(corral, processor, trigger=trigger, on_progress=on_progress)
    done = SweepReport(report, dict(processor.found))
    for line in done.lines():
        on_progress(line)
    return done
