"""Every wait says what it waits for; every part says how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Progress = Callable[[str], None]


def print_progress(line: str) -> None:
    """Print one line and flush it, so that a log file or a pipe shows it at once."""
    print(line, flush=True)


def wait_until(
    missing: Callable[[], str | None],
    *,
    timeout_s: float,
    on_progress: Progress = print_progress,
    poll_s: float = 0.5,
    repeat_s: float = 10.0,
) -> float:
    """Return the seconds waited once `missing()` is None.

    `missing()` says in words what is still absent. A line is given whenever those words change,
    and every `repeat_s` while they do not.

    Raises
    ------
    TimeoutError
        Still absent after `timeout_s`; the words are in the message.
    """
    started = time.monotonic()
    said, said_at = "", 0.0
    while (what := missing()) is not None:
        elapsed = time.monotonic() - started
        if elapsed > timeout_s:
            raise TimeoutError(f"after {elapsed:.0f} s still waiting: {what}")
        if what != said or elapsed - said_at >= repeat_s:
            on_progress(f"  {elapsed:5.0f} s  {what}")
            said, said_at = what, elapsed
        time.sleep(poll_s)
    return time.monotonic() - started


@dataclass
class Stopwatch:
    """Names of the parts of a run and the seconds each took, in order."""

    on_progress: Progress = print_progress
    parts: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Announce the part and note its duration, also when it fails."""
        self.on_progress(f"== {name}")
        started = time.monotonic()
        try:
            yield
        finally:
            self.parts.append((name, time.monotonic() - started))

    def table(self) -> str:
        """Return one line for each part and one for the sum."""
        rows = [*self.parts, ("in all", sum(seconds for _, seconds in self.parts))]
        return "\n".join(f"  {seconds:7.1f} s  {name}" for name, seconds in rows)
