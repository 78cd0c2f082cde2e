"""What a report tells: plain values, ready to be shown, compared and tested."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass, field
from datetime import date, datetime

from include.toritos.report.sky_facts import Curve, Found
from models.base import canonical_json


@dataclass(frozen=True, slots=True)
class Exposures:
    """Accepted frames of one kind, filter and, of science, object; times in seconds, UTC."""

    kind: str
    filter: str
    object: str
    number: int
    total_s: float
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """One exposure began."""

    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """So many of something."""

    what: str
    number: int


@dataclass(frozen=True, slots=True)
class Files:
    """Files of the inbox: how many were seen, and what they are; see ``toritos.account``."""

    seen: int = 0
    registered: int = 0
    rejected: tuple[Tally, ...] = ()
    waiting: tuple[Tally, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that is no frame, or not yet."""

    path: str
    verdict: str
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Master:
    """A master that the night made or used.

    Attributes
    ----------
    night
        That it is of.
    frames
        It was made of.
    used_by
        Images of the reported nights.
    measured
        Name and value of what tells most of its kind; the unit stands in the name.
    """

    kind: str
    filter: str
    exptime_s: float | None
    night: str
    frames: int
    used_by: int
    flags: tuple[str, ...]
    measured: str


@dataclass(frozen=True, slots=True)
class TurnedDown:
    """A master that was considered for images, and not taken."""

    role: str
    master: str
    why: str
    images: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one calibrated image; None where it could not be.

    Attributes
    ----------
    background, background_unit
        Level of the sky per pixel, in ``e`` or ``adu``.
    verdict
        The worst of its checks: ``good``, ``warn``, ``bad``; ``unknown`` before it is checked.
    zero_point_mag
        Of one electron per second; None where no catalogue could be matched.
    """

    night: str
    observed_at: datetime
    filter: str
    fwhm_px: float | None
    background: float | None
    background_unit: str
    source_count: float | None
    verdict: str
    zero_point_mag: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the profile, and how many images it found how."""

    name: str
    metric: str
    low: float | None
    high: float | None
    good: int
    warn: int
    bad: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Units that are not done: of one step, in one state, for one reason."""

    step: str
    status: str
    failure_class: str
    message: str
    number: int


@dataclass(frozen=True, slots=True)
class Told:
    """An alert, and how far it has come on each channel.

    Attributes
    ----------
    is_stuck
        A channel has not taken it though it was tried.
    """

    at: datetime
    severity: str
    rule: str
    subject: str
    deliveries: tuple[str, ...]
    is_stuck: bool


@dataclass(frozen=True, slots=True)
class NightLine:
    """One of several nights."""

    night: str
    frames: int
    images: int
    bad: int
    median_fwhm_px: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NightFacts:
    """All that a report of one night, or of a range of nights, tells.

    Attributes
    ----------
    first, last
        Nights, by the local date of their evenings; both ends included.
    cameras
        That took the frames.
    made_at
        When these facts were gathered, by the database's clock.
    missing
        What a closed night should have and does not; it is complete without.
    notes
        What is unusual, and allowed.
    unplaced
        Images without a place on the sky or without a zero point, by reason.
    candidates, curves
        What is new in the sky, and light curves of interest.
    """

    first: date
    last: date
    site: str
    cameras: tuple[str, ...]
    made_at: datetime
    exposures: tuple[Exposures, ...] = ()
    starts: tuple[Start, ...] = ()
    files: Files = field(default_factory=Files)
    refusals: tuple[Refusal, ...] = ()
    set_aside: tuple[Tally, ...] = ()
    corrected: int = 0
    masters: tuple[Master, ...] = ()
    turned_down: tuple[TurnedDown, ...] = ()
    images: tuple[Measured, ...] = ()
    checks: tuple[Check, ...] = ()
    unplaced: tuple[Tally, ...] = ()
    standing: tuple[Standing, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alerts: tuple[Told, ...] = ()
    candidates: tuple[Found, ...] = ()
    curves: tuple[Curve, ...] = ()
    nights: tuple[NightLine, ...] = ()

    @property
    def name(self) -> str:
        """The night, or the first and the last."""
        first, last = self.first.isoformat(), self.last.isoformat()
        return first if first == last else f"{first} to {last}"

    @property
    def page_name(self) -> str:
        """File name of the page: that of the night, or of the first and the last."""
        return f"{self.name.replace(' to ', '_to_')}.html"

    @property
    def frames(self) -> int:
        """Accepted frames."""
        return sum(row.number for row in self.exposures)

    @property
    def science(self) -> int:
        """Accepted frames of the sky."""
        return sum(row.number for row in self.exposures if row.kind == "science")

    @property
    def bad(self) -> int:
        """Calibrated images that a check found bad."""
        return sum(1 for image in self.images if image.verdict == "bad")

    @property
    def is_empty(self) -> bool:
        """Nothing came in, not even a file to be refused."""
        return not (self.frames or self.set_aside or self.files.seen or self.refusals)

    def digest(self) -> str:
        """Text that changes when the night itself does; not when somebody is told of it."""
        own = (self.exposures, self.files, self.set_aside, self.masters, self.checks)
        rows = [[astuple(row) for row in rows] for rows in (own[0], *own[2:])]
        state = [*rows, astuple(self.files), self.missing, len(self.images), self.corrected]
        state.append([astuple(row) for row in self.standing])
        return hashlib.sha256(canonical_json(state).encode()).hexdigest()[:12]
