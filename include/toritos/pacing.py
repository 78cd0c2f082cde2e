"""When a result of a whole night is made, while images of that night still come.

Made with each image, all of a night would be read and written anew for every one: with the square
of their number.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from include.corral.errors import NotYet
from models.work import Outcome, UnitRun

if TYPE_CHECKING:
    from include.corral.run import Run


def wait_for_the_last(observed: Iterable[datetime], still: timedelta, run: Run) -> None:
    """Let the work go on when no more images come.

    Parameters
    ----------
    observed
        When they were taken.
    still
        Others may come until the last one is so old.
    run
        The attempt, by whose clock.

    Raises
    ------
    NotYet
        If more of them may come.
    """
    last = _last_fresh(observed, still, run.now)
    if last is not None:
        until = last + still
        raise NotYet(
            f"the last image is of {last:%H:%M} UTC; others are waited for until "
            f"{until:%Y-%m-%d %H:%M} UTC",
            until=until,
        )


def make_at_intervals(observed: Iterable[datetime], every: timedelta, run: Run) -> None:
    """Let the work go on where it was not done a moment ago, or no more images come.

    Parameters
    ----------
    observed
        When the images were taken.
    every
        The unit is done so often at most while they come.
    run
        The attempt at it.

    Raises
    ------
    NotYet
        If it was done a moment ago.
    """
    if _last_fresh(observed, every, run.now) is None:
        return
    mine = (UnitRun.unit_id == run.claim.unit_id, UnitRun.outcome == Outcome.DONE)
    done = run.session.scalar(select(func.max(UnitRun.ended_at)).where(*mine))
    if done is not None and timedelta(0) <= run.now - done < every:
        until = done + every
        raise NotYet(
            f"done at {done:%H:%M} UTC; what has come since then is added at "
            f"{until:%Y-%m-%d %H:%M} UTC",
            until=until,
        )


def _last_fresh(observed: Iterable[datetime], still: timedelta, now: datetime) -> datetime | None:
    """Give the moment of the last image, if it is younger than `still`."""
    # What a clock that is ahead calls the future says nothing of what may come.
    return max((each for each in observed if timedelta(0) <= now - each < still), default=None)
