"""Draining: one trigger works through what is open, and leaves a record whatever happens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from include.corral.claims import (
    LeaseKeeper,
    count,
    release_dead_holders,
    reopen_failed,
)
from include.corral.commit import commit
from include.corral.corral import Corral
from include.corral.errors import FailureClass, outside_errors
from include.corral.execute import execute
from include.corral.failure_log import FailureLog
from include.corral.garbage import own_collections
from include.corral.ledger import OpenRun, Stopwatch, close_run, last_failures, open_run
from include.corral.processor import Processor
from include.corral.report import Failure, Report
from include.corral.result import Result
from include.corral.trigger import Trigger
from include.corral.work import Batch, Work
from models.session import DatabaseError
from models.work import UnitStatus

log = logging.getLogger(__name__)

Progress = Callable[[str], None]
PROGRESS_EVERY_S = 5.0
LARGEST_BATCH = 4000
# Units that take less are cheap.
QUICK_S = 0.02
# Units that are claimed together should take so long; what is not begun after BATCH_S goes back, so
# that results are committed at least that often.
AIM_S, BATCH_S = 1.0, 2.0


def drain(
    corral: Corral,
    processor: Processor,
    *,
    partition: str | None = None,
    trigger: Trigger | None = None,
    retry_failed: bool = False,
    on_progress: Progress = log.info,
) -> Report:
    """Do everything that is open for `processor`, sharing it with whoever else drains it.

    If the process dies inside, every unit is either committed whole or open again for the next
    trigger; no reader can see a partial result.

    Parameters
    ----------
    corral
        The installation.
    processor
        A step, a loader or an alert.
    partition
        Work on this one only (a night, ``"2026-11-20"``); None works on everything, and so does
        any where the processor has no partitions (a loader, a step whose units cross them).
    trigger
        Who asks.
    retry_failed
        Also try units again whose failure was not of a kind that passes by itself.
    on_progress
        Is given a line now and then.

    Returns
    -------
    Report
        Failed units do not raise: see ``Report.raise_for_policy``.

    Raises
    ------
    Retryable
        If the database went out of reach, or a disk fails.
    ConfigurationError
        If they cannot be used as they are set up.
    """
    processor.settings = corral.settings
    asked = partition if processor.is_partitioned() else None
    with outside_errors(processor.name), own_collections() as collect_rarely:
        run = open_run(corral, processor, asked, trigger or Trigger())
        this = _Drain(corral, processor, run, on_progress, collect_rarely)
        return this.to_the_end(retry_failed=retry_failed)


class _Drain:
    """One trigger at work."""

    def __init__(
        self,
        corral: Corral,
        processor: Processor,
        run: OpenRun,
        on_progress: Progress,
        collect_rarely: Callable[[bool], None],
    ) -> None:
        self.corral = corral
        self.processor = processor
        self.run = run
        self.report = Report(processor.name, run.partition, run.id)
        self._say = on_progress
        self._collect_rarely = collect_rarely
        self._watch = Stopwatch()
        self._told = Stopwatch()
        self._failures = FailureLog(run.step)

    def to_the_end(self, *, retry_failed: bool) -> Report:
        """Work until nothing is open, and close the record whatever happens."""
        failure: BaseException | None = None
        try:
            with LeaseKeeper(self.corral, self.run):
                reopen_failed(self.corral, self.run, every_class=retry_failed)
                self._work_through()
            self.report.standing = _standing(self.corral, self.run)
        except BaseException as error:
            failure = error
            raise
        finally:
            self.report.seconds = self._watch.seconds
            self._close(failure)
        self._say(self.report.summary())
        return self.report

    def _work_through(self) -> None:
        work = self.processor.work(self.corral, self.run)
        pace = _Pace()
        while True:
            batch = work.batch(pace.size)
            if batch is not None:
                watch = Stopwatch()
                finished = self._do(work, batch)
                pace.adapt(finished, watch.seconds)
                self._collect_rarely(pace.is_quick)
                self._tell_progress()
            elif not (work.shared and self._others_are_working()):
                break
        self.report.void = work.void

    def _do(self, work: Work, batch: Batch) -> int:
        """Execute and commit what fits into the time of a batch; give how many units that were."""
        watch = Stopwatch()
        results: list[Result] = []
        with batch:
            for task in batch.tasks:
                results.append(execute(self.processor, task))
                if watch.seconds > BATCH_S:
                    break
            # The rows go over to the session that writes, with those they refer to.
            batch.session.expunge_all()
            lost = commit(self.corral, self.run.id, results, self.processor)
            for result in results:
                self._count(result, lost=result.claim.unit_id in lost)
        if left := batch.tasks[len(results) :]:
            work.give_back(left)
        return len(results)

    def _count(self, result: Result, *, lost: bool) -> None:
        report = self.report
        if lost:
            report.lost += 1
        elif result.failure_class is not None:
            self._failures.tell(result)
            report.failed += 1
            report.failures.append(
                Failure(result.claim.key, result.failure_class, result.message or "")
            )
        else:
            report.done += 1
        if result.tally is not None:
            report.outputs.update(result.tally.outputs)
            report.partitions |= result.tally.partitions

    def _tell_progress(self) -> None:
        if self._told.seconds > PROGRESS_EVERY_S:
            self._told = Stopwatch()
            left = count(self.corral, self.run, UnitStatus.OPEN)
            self._say(self.report.progress(left, self._watch.seconds))

    def _others_are_working(self) -> bool:
        """Wait a moment where others hold units; what comes after the step needs them finished."""
        held = count(self.corral, self.run, UnitStatus.CLAIMED)
        if held and not release_dead_holders(self.corral, self.run):
            if self._told.seconds > PROGRESS_EVERY_S:
                self._told = Stopwatch()
                self._say(f"{self.run.step}: waiting for {held} unit(s) that another worker holds")
            time.sleep(min(1.0, self.corral.settings.lease_s / 10))
        return held > 0

    def _close(self, failure: BaseException | None) -> None:
        try:
            close_run(self.corral, self.run, self.report, failure)
        except (SQLAlchemyError, DatabaseError):
            # The next trigger finds the process gone and closes the record as lost.
            log.exception("record of trigger %d of %s not closed", self.run.id, self.run.step)
            if failure is None:
                raise


def _standing(corral: Corral, run: OpenRun) -> list[Failure]:
    with corral.read() as session:
        rows = last_failures(session, run.step, run.partition)
        return [
            Failure(
                row.unit.key, FailureClass(row.failure_class or FailureClass.BUG), row.message or ""
            )
            for row in rows
            if row.step_run_id != run.id
        ]


class _Pace:
    """How many units are claimed and committed together: as many as take about a second.

    One at first. Cheap units share transactions, dear ones are shared among workers.
    """

    def __init__(self) -> None:
        self.size = 1
        self.is_quick = True

    def adapt(self, finished: int, seconds: float) -> None:
        each_s = seconds / finished
        self.is_quick = each_s < QUICK_S
        fitting = int(min(AIM_S / each_s, LARGEST_BATCH))
        # What the first few took says little of thousands.
        self.size = max(1, min(fitting, self.size * 64))
