"""What a trigger tells of itself, and what its task makes of it."""

from __future__ import annotations

import pytest

from include.corral.errors import FailureClass, Permanent, PermanentlyFailed, Retryable, UnitsFailed
from include.corral.report import Failure, Report, group_failures

BAD = Failure("7", FailureClass.BAD_DATA, "not a pebble")
WET = Failure("8", FailureClass.RETRY, "scales are wet")
WAITING = Failure("9", FailureClass.UPSTREAM_MISSING, "no dark")


def report(*failures: Failure, standing: tuple[Failure, ...] = ()) -> Report:
    return Report(
        "Weigh",
        "2026-11-20",
        1,
        done=3,
        failed=len(failures),
        failures=list(failures),
        standing=list(standing),
    )


@pytest.mark.parametrize(
    ("failures", "standing", "policy", "raised"),
    [
        ((), (), "fail", None),
        ((BAD,), (), "fail", PermanentlyFailed),
        ((BAD, WET), (), "fail", UnitsFailed),
        ((WET,), (), "fail", UnitsFailed),
        ((), (BAD,), "fail", PermanentlyFailed),
        ((WAITING,), (), "fail", PermanentlyFailed),
        ((WAITING,), (), "tolerate_waiting", None),
        ((WAITING, BAD), (), "tolerate_waiting", PermanentlyFailed),
        ((WAITING, WET), (), "tolerate_waiting", UnitsFailed),
        ((WAITING, BAD), (), "tolerate_refused", None),
        ((BAD, WET), (), "tolerate_refused", UnitsFailed),
        ((BAD, WET, WAITING), (BAD,), "warn", None),
    ],
)
def test_policy_decides_what_failures_mean(failures, standing, policy, raised) -> None:
    """Come back, give up, or go on."""
    told = report(*failures, standing=standing)
    if raised is None:
        told.raise_for_policy(policy)
    else:
        with pytest.raises(raised) as error:
            told.raise_for_policy(policy)
        assert error.value.report is told


def test_errors_say_whether_to_come_back() -> None:
    """Airflow's retry policy asks for the base class."""
    assert issubclass(UnitsFailed, Retryable)
    assert issubclass(PermanentlyFailed, Permanent)


def test_unknown_policy_is_refused() -> None:
    """A misspelt one does not mean "go on"."""
    with pytest.raises(ValueError, match="lenient"):
        report(BAD).raise_for_policy("lenient")


def test_message_names_units_classes_and_remedy() -> None:
    """A person who reads the log knows what to do."""
    message = report(BAD, WET, standing=(WAITING,)).failure_message()
    assert message.splitlines()[0] == (
        "Weigh of 2026-11-20: 3 unit(s) failed, 3 done and committed."
    )
    for part in ("7 [bad_data]: not a pebble", "8 [retry]", "9 [upstream_missing]", "Clearing"):
        assert part in message


def test_equal_failures_are_one_line() -> None:
    """A thousand of a kind do not hide the one that is different."""
    many = [Failure(str(number), FailureClass.BUG, "same") for number in range(1000)]
    assert group_failures([*many, BAD]) == [
        "0 and 999 more [bug]: same",
        "7 [bad_data]: not a pebble",
    ]


def test_summary_says_everything_that_happened() -> None:
    """In one line."""
    told = report(BAD, standing=(WET,))
    told.lost, told.void, told.seconds = 2, 1, 1.26
    told.outputs.update(product=3, alert=1)
    assert told.summary() == (
        "Weigh of 2026-11-20: 3 done, 1 failed, 1 failed before, 2 taken over or outdated, "
        "1 withdrawn in 1.3 s; wrote 1 alert, 3 product"
    )
