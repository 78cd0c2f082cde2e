"""What a trigger did: counts, failures, and what to do about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from include.corral.errors import FailureClass, PermanentlyFailed, UnitsFailed


class FailurePolicy(StrEnum):
    """What failed units mean for the task that worked on them."""

    FAIL = "fail"
    """The task fails, after the good units are committed."""
    TOLERATE_WAITING = "tolerate_waiting"
    """As FAIL, but units that only wait for something upstream do not count."""
    TOLERATE_REFUSED = "tolerate_refused"
    """As TOLERATE_WAITING, nor those whose input is bad: what stands on them does without."""
    WARN = "warn"
    """The task succeeds; the failures are in the ledger and in its log."""


TOLERATED = {
    FailurePolicy.TOLERATE_WAITING: (FailureClass.UPSTREAM_MISSING,),
    FailurePolicy.TOLERATE_REFUSED: (FailureClass.UPSTREAM_MISSING, FailureClass.BAD_DATA),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One unit that failed."""

    unit_key: str
    failure_class: FailureClass
    message: str


def group_failures(failures: Iterable[Failure]) -> list[str]:
    """Give one line per kind of failure: how many, the first unit, class and message."""
    kinds: dict[tuple[FailureClass, str], list[str]] = {}
    for failure in failures:
        kinds.setdefault((failure.failure_class, failure.message), []).append(failure.unit_key)
    return [
        f"{keys[0]}{f' and {len(keys) - 1} more' if len(keys) > 1 else ''} [{kind}]: {message}"
        for (kind, message), keys in kinds.items()
    ]


@dataclass(slots=True)
class Report:
    """What came of one trigger.

    Attributes
    ----------
    done, failed, lost
        Units finished, failed, and given up to another worker or to newer input, in this trigger.
    void
        Units withdrawn because their input no longer satisfies the conditions.
    standing
        Failures of earlier triggers that stand and were not tried again.
    outputs
        Rows written, by table.
    partitions
        Partition keys of the rows written.
    """

    step: str
    partition: str | None
    step_run_id: int
    done: int = 0
    failed: int = 0
    lost: int = 0
    void: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    standing: list[Failure] = field(default_factory=list)
    outputs: Counter[str] = field(default_factory=Counter)
    partitions: set[str] = field(default_factory=set)

    def summary(self) -> str:
        """One line for a log."""
        made = ", ".join(f"{count} {table}" for table, count in sorted(self.outputs.items()))
        parts = [f"{self.done} done"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{len(self.standing)} failed before"] if self.standing else []
        parts += [f"{self.lost} taken over or outdated"] if self.lost else []
        parts += [f"{self.void} withdrawn"] if self.void else []
        where = f" of {self.partition}" if self.partition else ""
        text = f"{self.step}{where}: {', '.join(parts)} in {self.seconds:.1f} s"
        return f"{text}; wrote {made}" if made else text

    def progress(self, left: int, seconds: float) -> str:
        """One line while it works: what is done, what is left, and how long that may take."""
        finished = self.done + self.failed
        per_s = finished / max(seconds, 1e-3)
        failed = f", {self.failed} failed" if self.failed else ""
        eta = f", about {left / per_s:.0f} s to go" if finished else ""
        where = f" of {self.partition}" if self.partition else ""
        return f"{self.step}{where}: {self.done} done{failed}, {left} open, {per_s:.1f}/s{eta}"

    def failure_message(self, limit: int = 5) -> str:
        """Sentences that name the failed units, their class and the remedy."""
        failures = self.failures + self.standing
        lines = [
            f"{self.step} of {self.partition or 'everything'}: {len(failures)} unit(s) failed, "
            f"{self.done} done and committed."
        ]
        kinds = group_failures(failures)
        lines += kinds[:limit]
        if len(kinds) > limit:
            lines.append(f"… and {len(kinds) - limit} other kinds of failure (`corral status`).")
        lines.append("Clearing the task tries only the failed units again.")
        return "\n".join(lines)

    def raise_for_policy(self, policy: FailurePolicy | str = FailurePolicy.FAIL) -> None:
        """End the task as `policy` says.

        Raises
        ------
        UnitsFailed
            If a failure that counts may succeed when tried again.
        PermanentlyFailed
            If failures count, and none of them will.
        """
        policy = FailurePolicy(policy)
        failures = self.failures + self.standing
        tolerated = TOLERATED.get(policy, ())
        failures = [f for f in failures if f.failure_class not in tolerated]
        if policy is FailurePolicy.WARN or not failures:
            return
        if any(f.failure_class is FailureClass.RETRY for f in failures):
            raise UnitsFailed(self)
        raise PermanentlyFailed(self)
