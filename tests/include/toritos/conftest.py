"""A night in the inbox, and the pipeline run over it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import ColumnElement, select, update

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.report import Report
from include.corral.settings import Settings
from include.corral.step import Step
from include.toritos.loader import FitsInbox
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import NightPlan, Truth, simulate_night
from models import Frame, Rejection, UnitRun

RunAll = Callable[..., dict[str, Report]]
DrainAt = Callable[[Step, datetime], Report]
NIGHT = date(2026, 11, 20)


@pytest.fixture
def site(tmp_path: Path) -> Corral:
    """An empty installation on SQLite; whatever comes in counts as still."""
    corral = Corral(Settings.below(tmp_path / "site", pipeline={"still_s": "0"}))
    corral.settings.inbox.mkdir(parents=True)
    yield corral
    corral.close()


@pytest.fixture
def small_plan() -> NightPlan:
    """A night that takes a second: all kinds of frames, two filters."""
    return NightPlan(
        night=NIGHT,
        size_px=256,
        biases=5,
        darks={60.0: 3},
        flats={"V": 3, "R": 3},
        science={"V": 3, "R": 2},
        exptime_s=60.0,
        seed=7,
    )


@pytest.fixture
def small_night(site: Corral, small_plan: NightPlan) -> Truth:
    """The frames of that night, in the inbox."""
    return simulate_night(small_plan, site.settings.inbox / NIGHT.isoformat())


@pytest.fixture
def run_all() -> RunAll:
    """Load, then run steps (by default all) for a night."""

    def run(
        corral: Corral, night: str | None = NIGHT.isoformat(), steps: Sequence[str] = ()
    ) -> dict[str, Report]:
        reports = {"load": drain(corral, TORITOS.loader())}
        for step in TORITOS.steps:
            if not steps or step.name in steps:
                reports[step.name] = drain(corral, step(), partition=night)
        return reports

    return run


@pytest.fixture
def drain_at(monkeypatch) -> Callable[[Corral], DrainAt]:
    """Drain a step for the night at a given time, which the attempts then bear; others are old."""

    def note(corral: Corral, now: datetime, *mine: ColumnElement[bool]) -> None:
        with corral.write() as session:
            session.execute(update(UnitRun).where(*mine).values(ended_at=now))

    def bind(corral: Corral) -> DrainAt:
        def at(step: Step, now: datetime) -> Report:
            with monkeypatch.context() as clock:
                clock.setattr(Corral, "now", lambda _corral: now)
                report = drain(corral, step, partition=NIGHT.isoformat())
            note(corral, now, UnitRun.step_run_id == report.step_run_id)
            return report

        note(corral, datetime(2026, 1, 1, tzinfo=UTC))
        return at

    return bind


IMAGE_TYPES = {
    "bias": "Bias Frame",
    "dark": "Dark Frame",
    "flat": "Flat Field",
    "science": "Light Frame",
}
MIDNIGHT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)


def frame_bytes(
    kind: str = "bias",
    *,
    pixels: int = 0,
    at: datetime = MIDNIGHT,
    cards: Mapping[str, Any] | None = None,
    size: int = 64,
) -> bytes:
    """A file in the dialect of TORITOS; equal `pixels` give equal pixels."""
    rng = np.random.default_rng(pixels)
    unit = fits.PrimaryHDU(rng.integers(900, 1100, (size, size), dtype=np.uint16))
    unit.header["IMAGETYP"] = IMAGE_TYPES[kind]
    unit.header["EXPTIME"] = 0.0 if kind == "bias" else 60.0
    unit.header["DATE-OBS"] = at.strftime("%Y-%m-%dT%H:%M:%S")
    unit.header["FILTER"] = "V"
    unit.header["CCD-TEMP"] = -20.0
    unit.header["XBINNING"] = unit.header["YBINNING"] = 1
    unit.header.update(cards or {})
    stream = io.BytesIO()
    unit.writeto(stream)
    return stream.getvalue()


@dataclass(frozen=True)
class Station:
    """An installation, and what a camera and an observer do to it."""

    corral: Corral

    def put(self, path: str, content: bytes | None = None, **of_frame: Any) -> Path:
        """A file comes to lie in the inbox: the given bytes, or a frame."""
        place = self.corral.settings.inbox / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(frame_bytes(**of_frame) if content is None else content)
        return place

    def load(self) -> Report:
        """What is new comes in."""
        return drain(self.corral, FitsInbox())

    def rows(self, model: type[Any], *conditions: Any) -> list[Any]:
        """Rows of a table, in the order in which they were written."""
        with self.corral.read() as session:
            return list(session.scalars(select(model).where(*conditions).order_by(model.id)))

    def frames(self) -> dict[str, Frame]:
        """Frames by their path."""
        return {frame.path: frame for frame in self.rows(Frame)}

    def refused(self) -> dict[str, tuple[str, str]]:
        """Verdict and reason of every file that is refused now, by path."""
        standing = self.rows(Rejection, Rejection.resolved_at.is_(None))
        return {row.path: (row.verdict, row.reason) for row in standing}

    def hours_later(self, monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
        """The database's clock is so much ahead from now on."""
        real = Corral.now
        monkeypatch.setattr(Corral, "now", lambda corral: real(corral) + timedelta(hours=hours))


@pytest.fixture
def make_frame() -> Callable[..., bytes]:
    """Bytes of a small frame in the dialect of TORITOS."""
    return frame_bytes


@pytest.fixture
def station(site: Corral) -> Station:
    """An empty installation on SQLite, with a camera."""
    return Station(site)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Station]:
    """An empty installation with a camera, once on SQLite and once on PostgreSQL."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    settings = Settings.below(tmp_path / "both", database_url=url, pipeline={"still_s": "0"})
    corral = Corral(settings)
    settings.inbox.mkdir(parents=True)
    yield Station(corral)
    corral.close()
