"""What a sweep has seen and will look for again."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base
from models.work import StepRun


class Observation(Base):
    """How something was when a sweep looked, and the trigger that first saw it so.

    Its age is that of the trigger, by the database's clock: what a file says of its own time is
    only ever compared with what it said before.

    Attributes
    ----------
    topic, key
        What was looked at: ``orphan`` and a path, for example.
    stamp
        Changes when it does.
    """

    __tablename__ = "observation"

    topic: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(1024), primary_key=True)
    stamp: Mapped[str] = mapped_column(String(200))
    step_run_id: Mapped[int] = mapped_column(Integer, ForeignKey("step_run.id"))

    step_run: Mapped[StepRun] = relationship()
