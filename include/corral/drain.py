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
from include.corral.commit import Result, commit
from include.corral.corral import Corral
from include.corral.errors import FailureClass
from include.corral.execute import execute
from include.corral.ledger import OpenRun, Stopwatch, close_run, last_failures, open_run
from include.corral.loader import Loader
from include.corral.processor import Processor
from include.corral.report import Failure, Report
from include.corral.trigger import Trigger
from include.corral.work import Batch
from models.work import UnitStatus

log = logging.getLogger(__name__)

Progress = Callable[[str], None]
PROGRESS_EVERY_S = 5.0
LARGEST_BATCH = 1000


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
        Work on this one only (a night, ``"2026-11-20"``); None works on everything.
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
        If the database went out of reach.
    """
    if isinstance(processor, Loader):
        partition = None
    watch = Stopwatch()
    processor.settings = corral.settings
    run = open_run(corral, processor, partition, trigger or Trigger())
    report = Report(processor.name, partition, run.id)
    failure: BaseException | None = None
    try:
        with LeaseKeeper(corral, run):
            reopen_failed(corral, run, every_class=retry_failed)
            _work_through(corral, processor, run, report, on_progress)
        report.standing = _standing(corral, run)
    except BaseException as error:
        failure = error
        raise
    finally:
        report.seconds = watch.seconds
        _close(corral, run, report, failure)
    on_progress(report.summary())
    return report


def _work_through(
    corral: Corral, processor: Processor, run: OpenRun, report: Report, on_progress: Progress
) -> None:
    work = processor.work(corral, run)
    pace = _Pace()
    begun, told = Stopwatch(), Stopwatch()
    while True:
        batch = work.batch(pace.size)
        if batch is None:
            if work.shared and _others_are_working(corral, run, on_progress):
                continue
            break
        watch = Stopwatch()
        _do_batch(corral, processor, run, batch, report)
        pace.adapt(watch.seconds)
        if told.seconds > PROGRESS_EVERY_S:
            told = Stopwatch()
            left = count(corral, run, UnitStatus.OPEN)
            on_progress(report.progress(left, begun.seconds))
    report.void = work.void


def _do_batch(
    corral: Corral, processor: Processor, run: OpenRun, batch: Batch, report: Report
) -> None:
    with batch:
        results = [execute(processor, task) for task in batch.tasks]
        # The rows go over to the session that writes, with those they refer to.
        batch.session.expunge_all()
        lost = commit(corral, run.id, results)
        for result in results:
            _count(report, result, lost=result.claim.unit_id in lost)


def _count(report: Report, result: Result, *, lost: bool) -> None:
    if lost:
        report.lost += 1
    elif result.failure_class is not None:
        _tell_failure(report, result)
        report.failed += 1
        report.failures.append(
            Failure(result.claim.key, result.failure_class, result.message or "")
        )
    else:
        report.done += 1
        for row in result.rows:
            report.outputs[row.__tablename__] += 1
            if (key := getattr(row, "partition_key", None)) is not None:
                report.partitions.add(key)


def _tell_failure(report: Report, result: Result) -> None:
    """Log it: with a traceback the first time, so that a thousand equal ones stay readable."""
    again = any(failure.message == result.message for failure in report.failures)
    log.warning(
        "%s unit %r failed (%s): %s",
        report.step,
        result.claim.key,
        result.failure_class,
        "as before" if again else result.message,
        exc_info=None if again else result.error,
    )


def _others_are_working(corral: Corral, run: OpenRun, on_progress: Progress) -> bool:
    """Wait a moment where others hold units; what comes after this step needs them finished."""
    held = count(corral, run, UnitStatus.CLAIMED)
    if not held:
        return False
    if not release_dead_holders(corral, run):
        on_progress(f"{run.step}: waiting for {held} unit(s) that another worker holds")
        time.sleep(min(2.0, corral.settings.lease_s / 10))
    return True


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


def _close(corral: Corral, run: OpenRun, report: Report, failure: BaseException | None) -> None:
    try:
        close_run(corral, run, report, failure)
    except SQLAlchemyError:
        # The next trigger finds the process gone and closes the record as lost.
        log.exception("record of trigger %d of %s could not be closed", run.id, run.step)
        if failure is None:
            raise


class _Pace:
    """How many units are claimed and committed together: as many as take about a second.

    One at first. Cheap units share transactions, dear ones are shared among workers.
    """

    def __init__(self) -> None:
        self.size = 1

    def adapt(self, seconds: float) -> None:
        if seconds < 0.25:
            self.size = min(self.size * 8, LARGEST_BATCH)
        elif seconds > 2.0:
            self.size = max(1, self.size // 4)
