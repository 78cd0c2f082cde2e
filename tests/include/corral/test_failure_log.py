"""What the log says of failed units."""

from __future__ import annotations

import logging

from include.corral.claims import Claim
from include.corral.errors import FailureClass
from include.corral.failure_log import FailureLog
from include.corral.result import Result


def failed(key: str, error: Exception, of: FailureClass) -> Result:
    """Give the result of a unit that ended in `error`."""
    result = Result(Claim(1, key, "", "f" * 64, [1], 1), 0.0, "f" * 64)
    try:
        raise error
    except Exception as raised:  # noqa: BLE001 - as the kernel takes it
        result.fail(raised, of)
    return result


def test_of_equal_failures_the_first_has_a_traceback(caplog) -> None:
    """The others are a line each; control characters stay out."""
    log = FailureLog("ReduceScience")
    for key in "ab":
        log.tell(failed(key, ValueError("no \x1b[31m gain"), FailureClass.BUG))
    first, again = caplog.records
    assert "Traceback" in first.getMessage()
    assert "\x1b" not in first.getMessage().partition("Traceback")[2]
    assert again.getMessage() == "ReduceScience unit 'b' failed (bug): as before"
    assert {first.levelno, again.levelno} == {logging.WARNING}


def test_what_waits_is_no_warning(caplog) -> None:
    """It says for what, without a traceback."""
    caplog.set_level(logging.INFO)
    log = FailureLog("CoaddField")
    log.tell(failed("a", LookupError("until 03:00"), FailureClass.UPSTREAM_MISSING))
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "CoaddField unit 'a' waits (upstream_missing): " in record.getMessage()
    assert "until 03:00" in record.getMessage()
    assert "Traceback" not in record.getMessage()
