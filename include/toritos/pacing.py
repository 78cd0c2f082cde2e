"""When a result of a whole night is made, while images of that night still come.

Made with each image, all of a night would be read and written anew for every one: with the square
of their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import func, select

from include.corral.errors import NotYet
from models.work import Outcome, UnitRun

if TYPE_CHECKING:
    from include.corral.run import Run


class Observed(Protocol):
    """What was made from an image of a field."""

    @property
    def observed_at(self) -> datetime:
        """When it was taken."""

    @property
    def object(self) -> str | None:
        """The field."""


def wait_for_the_last(images: Sequence[Observed], still: timedelta, run: Run) -> None:
    """Let the work go on when no more images come.

    Parameters
    ----------
    images
        That are here, of one field.
    still
        Others may come until the last one is so old.
    run
        The attempt, by whose clock.

    Raises
    ------
    NotYet
        If more of them may come.
    """
    last = _last_fresh(images, still, run.now)
    if last is not None:
        until = last + still
        raise NotYet(
            f"{_said(images)} are here, the last of {last:%H:%M} UTC; others are waited for until "
            f"{until:%Y-%m-%d %H:%M} UTC",
            until=until,
        )


def make_at_intervals(images: Sequence[Observed], every: timedelta, run: Run) -> None:
    """Let the work go on where it was not done a moment ago, or no more images come.

    Parameters
    ----------
    images
        That are here, of one field.
    every
        The unit is done so often at most while they come.
    run
        The attempt at it.

    Raises
    ------
    NotYet
        If it was done a moment ago.
    """
    if _last_fresh(images, every, run.now) is None:
        return
    mine = (UnitRun.unit_id == run.claim.unit_id, UnitRun.outcome == Outcome.DONE)
    done = run.session.scalar(select(func.max(UnitRun.ended_at)).where(*mine))
    if done is not None and timedelta(0) <= run.now - done < every:
        until = done + every
        raise NotYet(
            f"{_said(images)} are here; those that came after {done:%H:%M} UTC are added at "
            f"{until:%Y-%m-%d %H:%M} UTC",
            until=until,
        )


def _said(images: Sequence[Observed]) -> str:
    return f"{len(images)} images of {images[0].object or 'this field'}"


def _last_fresh(images: Sequence[Observed], still: timedelta, now: datetime) -> datetime | None:
    """Give the moment of the last image, if it is younger than `still`."""
    observed = (image.observed_at for image in images)
    # What a clock that is ahead calls the future says nothing of what may come.
    return max((each for each in observed if timedelta(0) <= now - each < still), default=None)
