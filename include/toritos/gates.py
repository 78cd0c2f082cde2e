"""Whether a night has the calibration frames that it should have, and what follows if not.

A gate stands before each master. With as many frames as the profile expects it is open; with fewer
it waits for the others until some hours after the last one came; then the profile says whether to
stop, to fall back on the best master of another night, or to go on with fewer, flagged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import select

from include.corral.associate import Association, Use
from include.corral.errors import NotYet, UpstreamMissing
from models.frame import Frame

if TYPE_CHECKING:
    from include.ccd.calibration import Gates, Short
    from include.corral.run import Run

State = Literal["open", "waiting", "short"]


@dataclass(frozen=True, slots=True)
class Gate:
    """What holds for one group of calibration frames.

    Attributes
    ----------
    there, expected
        Numbers of frames.
    state
        ``open``: all are there; ``waiting``: more may come; ``short``: they did not come in time.
    policy
        What to do when it is short.
    until
        When waiting ends, or ended.
    """

    kind: str
    there: int
    expected: int
    state: State
    policy: Short
    until: datetime

    def __str__(self) -> str:
        return f"{self.there} of {self.expected} {self.kind} frames are here"

    def admits(self) -> bool:
        """Tell whether a master is to be made of what is there.

        Raises
        ------
        NotYet
            If the others are waited for.
        UpstreamMissing
            If they did not come, and the profile says to stop.
        """
        self.wait()
        if self.state == "short" and self.policy == "stop":
            raise UpstreamMissing(f"{self}, and the profile says to stop (short_{self.kind})")
        return self.state == "open" or self.policy == "flag"

    def wait(self) -> None:
        """Raise while more may come.

        Raises
        ------
        NotYet
            With the moment at which waiting ends.
        """
        if self.state == "waiting":
            moment = f"{self.until:%Y-%m-%d %H:%M} UTC"
            raise NotYet(f"{self}; the others are waited for until {moment}", until=self.until)


def gate_of(
    kind: str, frames: Sequence[Frame], gates: Gates, run: Run, *, since: Frame | None = None
) -> Gate:
    """Judge the frames of one group.

    Parameters
    ----------
    kind
        ``bias``, ``dark`` or ``flat``.
    frames
        Those that are there.
    gates
        What the profile expects.
    run
        For the time, which is asked for only where it matters.
    since
        The frame whose arrival counts where there are none.
    """
    expected = gates.expected(kind) or 0
    arrivals = [_arrival(frame) for frame in frames or ([since] if since else [])]
    until = max(arrivals) + timedelta(hours=gates.wait_hours)
    state: State = "open"
    if len(frames) < expected:
        state = "waiting" if run.now < until else "short"
    return Gate(kind, len(frames), expected, state, gates.when_short(kind), until)


def pass_gates(row: Frame, found: Iterable[Association], gates: Gates, run: Run) -> None:
    """Go on where every master is of the row's own night, or need not be.

    Raises
    ------
    NotYet
        If the night's own frames for one may still come.
    UpstreamMissing
        If they did not, and the profile says to stop.
    """
    for association in found:
        taken, role = association.taken, association.use.role
        is_own = taken is not None and taken.night_id == row.night_id
        if is_own or gates.expected(role) is None:
            continue
        judged = _judge(row, association.use, gates, run)
        if any(gate.state == "open" for gate in judged):
            continue  # its master is to come, or says itself why not
        last = max(judged, key=lambda gate: (gate.state == "waiting", gate.until))
        if not last.admits() or not last.there:
            run.remark(f"{last}: the best {association.use.kind} of another night, if any")


def _judge(row: Frame, use: Use, gates: Gates, run: Run) -> list[Gate]:
    """Judge the groups of the night whose masters would go with `row`."""
    query = select(Frame).where(
        Frame.night_id == row.night_id, Frame.kind == use.role, Frame.accepted
    )
    groups: dict[float | None, list[Frame]] = {}
    for frame in run.session.scalars(query):
        alike: Any = frame  # it has all columns by which a master is chosen
        if use.refusal(row, alike) is None:
            exptime_s = frame.exptime_s if use.role == "dark" else None
            groups.setdefault(exptime_s, []).append(frame)
    some = list(groups.values()) or [[]]
    return [gate_of(use.role, frames, gates, run, since=row) for frames in some]


def _arrival(frame: Frame) -> datetime:
    """When a frame came, by the clock that says the earlier: cameras have been years ahead."""
    return min(frame.observed_at, frame.loaded_at)
