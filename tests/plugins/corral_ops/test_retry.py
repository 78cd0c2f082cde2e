from __future__ import annotations

import errno
from datetime import timedelta

import pytest
from airflow.sdk import RetryAction

from corral_ops.retry import STORAGE_DELAY, FailureClassPolicy
from include.corral.errors import (
    BadData,
    ConfigurationError,
    FailureClass,
    PermanentlyFailed,
    StorageTrouble,
    UnitsFailed,
    UpstreamMissing,
)
from include.corral.report import Failure, Report

REPORT = Report("Step", "2026-11-20", 1)


def _decide(error: BaseException):
    return FailureClassPolicy().evaluate(error, 1, 3)


@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (UnitsFailed(REPORT), RetryAction.RETRY, None),
        (StorageTrouble("disk full"), RetryAction.RETRY, STORAGE_DELAY),
        (OSError(errno.EIO, "input/output error"), RetryAction.RETRY, None),
        (MemoryError(), RetryAction.RETRY, None),
        (PermanentlyFailed(REPORT), RetryAction.FAIL, None),
        (BadData("no stars"), RetryAction.FAIL, None),
        (ConfigurationError("no such profile"), RetryAction.FAIL, None),
        (UpstreamMissing("no master"), RetryAction.FAIL, None),
        (RuntimeError("the API server does not answer"), RetryAction.DEFAULT, None),
        (FileNotFoundError("the inbox is not mounted"), RetryAction.DEFAULT, None),
    ],
)
def test_what_may_pass_is_tried_again_and_what_may_not_is_not(
    error: BaseException, action: RetryAction, delay: timedelta | None
):
    """What the kernel does not know is left to the task's own retries."""
    decision = _decide(error)
    assert (decision.action, decision.retry_delay) == (action, delay)


def test_the_decision_says_why():
    """It stands in the log and beside the task."""
    assert _decide(BadData("x")).reason == "bad_data: trying again changes nothing"


def test_the_decision_names_the_classes_of_the_failed_units():
    """A task that ends by its units has no class of its own."""
    report = Report("Step", "2026-11-20", 1)
    classes = (FailureClass.UPSTREAM_MISSING, FailureClass.BAD_DATA, FailureClass.BAD_DATA)
    report.failures += [Failure(str(n), kind, "m") for n, kind in enumerate(classes)]
    assert _decide(PermanentlyFailed(report)).reason.startswith("bad_data, upstream_missing:")
