"""Steps that end badly, each in its own way."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time

from sqlalchemy.orm import Mapped, mapped_column

from include.corral.alert import Alert
from include.corral.errors import BadData, StorageTrouble
from include.corral.step import Step
from include.toritos.steps import ReduceScience
from models import Base


class Sample(Base):
    """Rows that a mishap happens to; `lot` keeps tests apart."""

    __tablename__ = "system_sample"
    id: Mapped[int] = mapped_column(primary_key=True)
    lot: Mapped[str]
    number: Mapped[int]


class Result(Base):
    __tablename__ = "system_result"
    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int]
    pid: Mapped[int]


class Killed(Step):
    """The kernel kills the process, as it does when memory runs out."""

    model = Sample
    conditions = (Sample.lot == "killed",)

    def process(self, sample, run):
        os.kill(os.getpid(), signal.SIGKILL)


class Crash(Step):
    """Native code reads where it may not."""

    model = Sample
    conditions = (Sample.lot == "crash",)

    def process(self, sample, run):
        ctypes.string_at(0)


class Hungry(Step):
    """More memory is asked for than the process may have."""

    model = Sample
    conditions = (Sample.lot == "hungry",)

    def process(self, sample, run):
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, hard))
        try:
            bytearray(8 << 30)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class Bad(Step):
    """Odd samples are bad, and say so in words that must not be taken for a template."""

    model = Sample
    conditions = (Sample.lot == "bad",)

    def process(self, sample, run):
        if sample.number % 2:
            raise BadData("object {{ 7*7 }} <script>alert(1)</script> is not usable")
        yield Result(sample_id=sample.id, pid=os.getpid())


class Flaky(Step):
    """The first try meets a full disk."""

    model = Sample
    conditions = (Sample.lot == "flaky",)

    def process(self, sample, run):
        told = run.corral.settings.inbox.with_name("disk_was_full")
        if not told.exists():
            told.touch()
            raise StorageTrouble("disk full")
        yield Result(sample_id=sample.id, pid=os.getpid())


class Again(Bad):
    """As Bad, for a task that is cleared."""

    conditions = (Sample.lot == "again",)


class Endless(Step):
    """It never ends."""

    model = Sample
    conditions = (Sample.lot == "endless",)

    def process(self, sample, run):
        time.sleep(600)


class SlowReduce(ReduceScience):
    """As ReduceScience, with time to be killed while a product is staged and not yet committed."""

    def process(self, work, run):
        yield from super().process(work, run)
        time.sleep(0.4)


class Noted(Alert):
    """A sample was noted."""

    model = Sample
    conditions = (Sample.lot == "noted",)
    message = "sample {row.number} was noted"
